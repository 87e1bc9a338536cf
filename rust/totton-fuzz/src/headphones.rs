//! The headphone database of OPRA, plain or gzipped.

use std::path::Path;

use totton_audio_web::equaliser::Profile;
use totton_dsp::Equaliser;
use totton_headphones::{Database, limits};

use crate::memory;

/// Reads a database, and what each of its equalisers says.
pub fn database(bytes: &[u8]) {
    let path = Path::new("/the.database");
    let plain = 512 * bytes.len() + 1024 * 1024;
    // What a gzipped one unpacks to is limited, and what is kept of it.
    let most = if bytes.starts_with(&[0x1f, 0x8b]) { plain + limits::HELD_BYTES } else { plain };
    let database = match memory::within(most, || Database::read(bytes, path)) {
        Ok(database) => database,
        Err(error) => {
            let text = error.to_string();
            assert!(
                text.contains("/the.database") && text.len() <= 8 * bytes.len() + 1000,
                "{text}"
            );
            return;
        }
    };
    assert!(!database.products().is_empty());
    assert!(database.products().len() <= limits::PRODUCTS && database.curves() <= limits::CURVES);
    // Some of many: each costs a search through all.
    for product in database.products().iter().take(20) {
        let (found, total) = database.search(&product.name, limits::PRODUCTS);
        assert_eq!(found.len(), total);
        assert!(found.iter().any(|found| found.id == product.id), "{product:?} is not found");
        assert!((1..=limits::CURVES_OF_ONE).contains(&product.curves.len()));
        for curve in product.curves.iter().take(20) {
            assert!(curve.bands.len() <= limits::BANDS);
            let Ok(text) = curve.text() else { continue };
            let Ok(equaliser) = Equaliser::parse(&text, "the text") else { continue };
            assert_eq!(equaliser.preamp_db, curve.gain_db, "{text}");
            assert!(equaliser.bands.len() >= curve.bands.len(), "{text}");
            if let Ok(profile) = Profile::parse("a name", &text) {
                assert_eq!(profile.bands.len(), equaliser.bands.len());
            }
        }
    }
    let (all, total) = database.search("", 10);
    assert_eq!((all.len(), total), (total.min(10), database.products().len()));
}
