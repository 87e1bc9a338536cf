//! The text of an equaliser, as Equalizer APO and AutoEQ write it.

use std::fmt::Write;

use totton_audio_web::equaliser::Profile;
use totton_dsp::Equaliser;
use totton_dsp::equaliser::{Band, Shape};

use crate::memory;

/// Reads the text as the daemon and the page do.
pub fn text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let most = 64 * text.len() + 64 * 1024;
    match memory::within(most, || Equaliser::parse(&text, "the text")) {
        Ok(equaliser) => check(&equaliser),
        Err(error) => {
            let said = error.to_string();
            assert!(said.starts_with("the text: line "), "{said}");
            assert!(said.len() <= 4 * text.len() + 500, "{said}");
        }
    }
    if let Ok(profile) = memory::within(most, || Profile::parse("a name", &text)) {
        let again = Profile::parse("a name", &profile.text()).expect("its own text is accepted");
        assert_eq!(again, profile, "the profile changed");
    }
}

fn check(equaliser: &Equaliser) {
    let Equaliser { preamp_db, bands, curves } = equaliser;
    assert!((-120.0..=60.0).contains(preamp_db), "a preamplification of {preamp_db} dB");
    assert!(bands.len() <= 10_000, "{} bands", bands.len());
    for band in bands {
        let Band { frequency_hz, gain_db, q, .. } = *band;
        let fine = (1.0..=400_000.0).contains(&frequency_hz)
            && (-60.0..=60.0).contains(&gain_db)
            && (0.01..=1000.0).contains(&q);
        assert!(fine, "{band:?}");
        for hz in [0.0, 1.0, frequency_hz, 20_000.0, 352_800.0] {
            let response = band.response(hz, 705_600.0);
            assert!(response.norm().is_finite(), "{band:?} at {hz} Hz: {response}");
        }
        assert!(band.decay_seconds() > 0.0 && band.decay_seconds().is_finite(), "{band:?}");
    }
    for curve in curves {
        let points = &curve.points;
        assert!((1..=10_000).contains(&points.len()), "{} points", points.len());
        assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0), "not rising: {points:?}");
        for hz in [0.0, 0.1, points[0].0, 1000.0, 400_000.0] {
            let gain = curve.gain_db(hz);
            assert!((-200.0..=60.0).contains(&gain), "{gain} dB at {hz} Hz of {points:?}");
        }
    }
    let again = Equaliser::parse(&written(equaliser), "written").expect("what was written is read");
    assert_eq!(&again, equaliser, "the equaliser changed");
}

/// The text that says the same.
fn written(equaliser: &Equaliser) -> String {
    let mut text = format!("Preamp: {} dB\n", equaliser.preamp_db);
    for Band { shape, frequency_hz, gain_db, q } in &equaliser.bands {
        let (word, has_gain) = match shape {
            Shape::Peaking => ("PK", true),
            Shape::LowShelf => ("LSC", true),
            Shape::HighShelf => ("HSC", true),
            Shape::LowPass => ("LPQ", false),
            Shape::HighPass => ("HPQ", false),
            Shape::Notch => ("NO", false),
            Shape::BandPass => ("BP", false),
        };
        let gain = if has_gain { format!(" Gain {gain_db} dB") } else { String::new() };
        let _ = writeln!(text, "Filter: ON {word} Fc {frequency_hz} Hz{gain} Q {q}");
    }
    for curve in &equaliser.curves {
        let points: Vec<_> = curve.points.iter().map(|(hz, db)| format!("{hz} {db}")).collect();
        let _ = writeln!(text, "GraphicEQ: {}", points.join("; "));
    }
    text
}
