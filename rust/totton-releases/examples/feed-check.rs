//! Looks at a feed's folder as a device does: `feed-check KEY FOLDER VERSION BOARD REVISION CHANNEL`.
//!
//! The list's signature by the public key KEY, every bundle's size and SHA-256, and what a device
//! with VERSION on BOARD may take: one line for each release. Exit status 1 with the reason when
//! something does not hold.

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

use sha2::Digest;
use totton_releases::bundle::{HEAD, Head};
use totton_releases::{Board, Channel, Device, INDEX, Index, Key, Release, Sha256};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match check(&arguments) {
        Ok(lines) => {
            print!("{lines}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("feed-check: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn check(arguments: &[String]) -> Result<String, String> {
    let [key, folder, version, board, revision, channel] = arguments else {
        return Err("usage: feed-check KEY FOLDER VERSION BOARD REVISION stable|beta".to_owned());
    };
    let pem = std::fs::read_to_string(key).map_err(|error| format!("{key}: {error}"))?;
    let key = Key::from_pem(&pem).map_err(|error| error.to_string())?;
    let channel = match channel.as_str() {
        "stable" => Channel::Stable,
        "beta" => Channel::Beta,
        other => return Err(format!("found {other:?}; accepted: stable, beta")),
    };
    let board = Board { name: board.clone(), revision: revision.clone() };
    let device = Device::new(version, board, channel).map_err(|error| error.to_string())?;
    let folder = Path::new(folder);
    let list = std::fs::read(folder.join(INDEX)).map_err(|error| format!("{INDEX}: {error}"))?;
    let index = Index::open(&key, &list).map_err(|error| error.to_string())?;
    let mut lines = format!("serial {}\n", index.serial());
    for release in index.releases() {
        whole(folder, release).map_err(|reason| format!("{}: {reason}", release.file))?;
        let verdict = device.verdict(release);
        lines += &format!("{} {} {verdict:?}\n", release.version, release.channel.name());
    }
    let offer = device.offer(&index).map_or("nothing".to_owned(), |one| one.version.to_string());
    Ok(lines + &format!("offer {offer}\n"))
}

/// Whether a release's bundle is the one that the list means.
fn whole(folder: &Path, release: &Release) -> Result<(), String> {
    let path = folder.join(release.file.to_string());
    let mut file = File::open(&path).map_err(|error| error.to_string())?;
    let size = file.metadata().map_err(|error| error.to_string())?.len();
    if size != release.bytes.get() {
        return Err(format!("it has {size} bytes; the list says {}", release.bytes));
    }
    let mut hash = sha2::Sha256::new();
    let mut head = Vec::new();
    let mut piece = vec![0; HEAD];
    loop {
        let count = std::io::Read::read(&mut file, &mut piece).map_err(|e| e.to_string())?;
        if count == 0 {
            break;
        }
        head.extend_from_slice(&piece[..count.min(HEAD - head.len().min(HEAD))]);
        hash.update(&piece[..count]);
    }
    if Sha256::of_bytes(&hash.finalize().into()) != release.sha256 {
        return Err("it is not the bundle of the list: its SHA-256 is another".to_owned());
    }
    let found = Head::read(&head).map_err(|error| error.to_string())?.version;
    if found != release.version {
        return Err(format!("it installs version {found}; the list says {}", release.version));
    }
    Ok(())
}
