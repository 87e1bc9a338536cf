//! The list of releases of an update feed, and the head of a bundle.

use std::sync::LazyLock;

use totton_releases::bundle::{HEAD, Head};
use totton_releases::index::{LARGEST_BUNDLE, MOST_RELEASES};
use totton_releases::verdict::compare;
use totton_releases::{Board, Channel, Device, Index, Key, Verdict};

use crate::memory;

/// A public key whose private half nobody has.
static KEY: LazyLock<Key> =
    LazyLock::new(|| Key::from_pem(include_str!("key.pem")).expect("a public key"));

/// A list as a file is never taken: nobody can sign it. As what is signed, its values are within
/// their bounds, what is written comes back as it was, and what is offered is newer and fits.
pub fn list(bytes: &[u8]) {
    let key = &*KEY;
    assert!(Index::open(key, bytes).is_err(), "taken without a signature");
    let index = memory::within(64 * bytes.len() + 64 * 1024, || Index::content(bytes));
    let index = match index {
        Ok(index) => index,
        Err(refused) => return assert!(refused.to_string().len() < 4096, "{refused}"),
    };
    assert!(index.releases().len() <= MOST_RELEASES);
    for release in index.releases() {
        let file = release.file.to_string();
        assert!(!file.contains(['/', '\\', '\0', '%', '?', '#', ':']) && !file.starts_with('.'));
        assert!(file.ends_with(".swu") && (1..=LARGEST_BUNDLE).contains(&release.bytes.get()));
        assert!(release.sha256.as_str().len() == 64);
    }
    let written = serde_json::to_vec(&index).expect("a list can be written");
    assert_eq!(Index::content(&written).expect("what was read comes back"), index);
    let Some(first) = index.releases().first() else { return };
    let board = Board {
        name: first.board.as_str().to_owned(),
        revision: first.revisions.first().map_or(String::new(), |one| one.as_str().to_owned()),
    };
    for channel in [Channel::Stable, Channel::Beta] {
        let from = first.from.to_string();
        let device = Device::new(&from, board.clone(), channel).expect("a version of a list");
        let Some(offer) = device.offer(&index) else { continue };
        assert_eq!(device.verdict(offer), Verdict::Newer);
        assert!(compare(&offer.version, &device.version).is_gt() && offer.channel <= channel);
        assert!(!compare(&offer.from, &device.version).is_gt() && offer.board == first.board);
    }
}

/// The head of a bundle: whatever it says is a version, and nothing behind the head changes it.
pub fn head(bytes: &[u8]) {
    let Ok(found) = Head::read(bytes) else { return };
    assert!(found.version.to_string().len() <= 64);
    let longer = [bytes, &[b'x'; 100]].concat();
    assert_eq!(Head::read(&longer[..longer.len().min(HEAD)]).ok(), Some(found));
}
