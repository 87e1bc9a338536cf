//! What the last start did: `state.json` in the runtime directory. It holds what the
//! kernel cannot tell, namely what was asked for and why less than that is bound.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::description::Description;
use crate::kernel::LiveGadget;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub udc: String,
    /// The functions that were bound.
    pub functions: Vec<String>,
    /// Why the sound card is missing, where it is.
    pub degraded: Option<String>,
    /// What was asked for.
    pub wanted: Description,
}

impl Record {
    /// Whether this record is about the gadget that now stands in ConfigFS.
    pub fn describes(&self, live: &LiveGadget) -> bool {
        live.udc.as_deref() == Some(&self.udc) && live.functions == self.functions
    }
}

/// The runtime directory, locked: one start or stop at a time.
#[derive(Debug)]
#[must_use = "the lock ends when this is dropped"]
pub struct Runtime {
    directory: PathBuf,
    _lock: File,
}

impl Runtime {
    /// Makes the directory where it is missing, and waits for another run to end.
    pub fn lock(directory: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Runtime { path: directory.to_path_buf(), source };
        fs::create_dir_all(directory).map_err(failed)?;
        // flock(2) on the directory itself: no lock file is left behind.
        let lock = File::open(directory).map_err(failed)?;
        if let Err(fs::TryLockError::WouldBlock) = lock.try_lock() {
            log::info!("another start or stop is at work, waiting for it to end");
        }
        lock.lock().map_err(failed)?;
        Ok(Self { directory: directory.to_path_buf(), _lock: lock })
    }

    pub fn record(&self) -> Option<Record> {
        read(&self.directory)
    }

    /// Replaces the record at once, so that `status` never reads half of one.
    pub fn write(&self, record: &Record) -> Result<(), Error> {
        let file = self.directory.join(FILE);
        let next = self.directory.join(NEXT_FILE);
        let text = serde_json::to_string_pretty(record)
            .map_err(|error| Error::Runtime { path: file.clone(), source: error.into() })?;
        fs::write(&next, text + "\n")
            .and_then(|()| fs::rename(&next, &file))
            .map_err(|source| Error::Runtime { path: file, source })
    }

    /// Removes the record, and what a killed [`Self::write`] left.
    pub fn clear(&self) -> Result<(), Error> {
        for name in [FILE, NEXT_FILE] {
            let path = self.directory.join(name);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::Runtime { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

const FILE: &str = "state.json";
const NEXT_FILE: &str = "state.json.new";

/// The record, if there is one that can be read. A record of another version counts as none:
/// the gadget is then built anew.
pub fn read(directory: &Path) -> Option<Record> {
    let file = directory.join(FILE);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                log::warn!("cannot read {}: {error}", file.display());
            }
            return None;
        }
    };
    match serde_json::from_str(&text) {
        Ok(record) => Some(record),
        Err(error) => {
            log::warn!("{} is not a record of this version: {error}", file.display());
            None
        }
    }
}
