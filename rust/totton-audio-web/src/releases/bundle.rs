//! The bundle of a release, piece by piece: a file in the data folder, named by the bundle's hash.
//!
//! What has arrived stays, through a broken transfer and a restart; the device says how much it has.
//! SWUpdate sees nothing of it before all of it is there and has the hash of the signed list.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

use actix_web::http::StatusCode;
use sha2::Digest;
use totton_releases::bundle::{HEAD, Head};
use totton_releases::{Release, Sha256};

use crate::problem::Problem;
use crate::store::Store;

/// Its folder in the data folder.
const FOLDER: &str = "update";

/// Bytes that are written or read at once; before each, the room on the disk is looked at.
const GATHERED: usize = 1024 * 1024;

/// The bundles that are fetched; one at a time.
pub struct Bundles {
    store: Store,
    folder: PathBuf,
}

impl Bundles {
    /// In the store's data folder.
    pub fn new(store: &Store) -> Self {
        Self { store: store.clone(), folder: store.path(FOLDER) }
    }

    /// How many bytes of this bundle are here.
    ///
    /// # Errors
    /// 500 when the file cannot be looked at.
    pub fn have(&self, bundle: &Sha256) -> Result<u64, Problem> {
        let path = self.path(bundle);
        match fs::symlink_metadata(&path) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(failed("look at", &path, &error)),
        }
    }

    /// Writes a piece that begins at byte `at` of the bundle; how many bytes are here then. What
    /// arrived before `piece` failed stays.
    ///
    /// # Errors
    /// 409 when the piece is not the next one, 507 when there is no room for the whole bundle, 500
    /// when it cannot be written.
    pub fn append(&self, release: &Release, at: u64, mut piece: impl Read) -> Result<u64, Problem> {
        self.keep_only(&[&release.sha256])?;
        let mut have = self.have(&release.sha256)?;
        if at != have {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "other-place",
                "This piece of the update is not the next one",
                format!("it begins at byte {at}; {have} bytes are here"),
                "Go on at the byte that the device says (GET /api/v1/update/feed).",
            ));
        }
        let path = self.path(&release.sha256);
        let fault = |error: std::io::Error| failed("write", &path, &error);
        self.store.leaves_room(release.bytes.get().saturating_sub(have))?;
        fs::create_dir_all(&self.folder).map_err(fault)?;
        let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(fault)?;
        let mut buffer = vec![0; GATHERED];
        loop {
            let (count, ended) = fill(&mut piece, &mut buffer);
            self.store.leaves_room(count as u64)?;
            file.write_all(&buffer[..count]).map_err(fault)?;
            have += count as u64;
            if ended {
                return Ok(have);
            }
        }
    }

    /// The whole bundle, at its beginning, when it is the one that the list means.
    ///
    /// # Errors
    /// 409 when bytes are missing; 422 when it is another, which is removed then; 500 when it
    /// cannot be read.
    pub fn whole(&self, release: &Release) -> Result<File, Problem> {
        let (have, bytes) = (self.have(&release.sha256)?, release.bytes.get());
        if have < bytes {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "not-whole",
                "The update is not complete",
                format!("{have} of {bytes} bytes are here"),
                "Fetch the rest first.",
            ));
        }
        let path = self.path(&release.sha256);
        let fault = |error: std::io::Error| failed("read", &path, &error);
        let mut file = File::open(&path).map_err(fault)?;
        let (mut hash, mut head) = (sha2::Sha256::new(), Vec::new());
        let mut buffer = vec![0; GATHERED];
        loop {
            let count = file.read(&mut buffer).map_err(fault)?;
            if count == 0 {
                break;
            }
            if head.is_empty() {
                head.extend_from_slice(&buffer[..count.min(HEAD)]);
            }
            hash.update(&buffer[..count]);
        }
        let found = Sha256::of_bytes(&hash.finalize().into());
        let version = Head::read(&head).map(|head| head.version);
        let detail = match version {
            _ if found != release.sha256 => "its SHA-256 is not that of the signed list".to_owned(),
            Ok(version) if version == release.version => {
                file.rewind().map_err(fault)?;
                return Ok(file);
            }
            Ok(version) => {
                format!("it installs version {version}; the list says {}", release.version)
            }
            Err(error) => error.to_string(),
        };
        self.keep_only(&[])?;
        Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "bundle-changed",
            "What was fetched is not this update",
            detail,
            "Fetch it again; when this comes again, tell who runs the feed.",
        ))
    }

    /// Removes all bundles but these.
    ///
    /// # Errors
    /// 500 when one cannot be removed.
    pub fn keep_only(&self, kept: &[&Sha256]) -> Result<(), Problem> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(|error| failed("look into", &self.folder, &error))?,
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if kept.iter().any(|one| self.path(one) == path) {
                continue;
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(failed("remove", &path, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn path(&self, bundle: &Sha256) -> PathBuf {
        self.folder.join(bundle.as_str())
    }
}

/// Fills the buffer; with how many bytes, and whether nothing follows.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> (usize, bool) {
    let mut count = 0;
    while count < buffer.len() {
        match from.read(&mut buffer[count..]) {
            // A piece that broke off is told by the one who reads the request.
            Ok(0) | Err(_) => return (count, true),
            Ok(more) => count += more,
        }
    }
    (count, false)
}

fn failed(action: &str, path: &Path, error: &dyn std::fmt::Display) -> Problem {
    Problem::failed(format!("cannot {action} {}: {error}", path.display()))
}
