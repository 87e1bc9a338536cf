//! One command at a time changes the slots.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::machine::Machine;
use crate::error::{Error, Result};

/// Of root's alone: who may open a file may lock it.
const FOLDER: &str = "/run/totton-audio-slot";
/// A capsule or a kernel is copied to the ESP in less.
const PATIENCE: Duration = Duration::from_secs(60);

/// Held until it is dropped.
#[must_use]
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    pub fn take(machine: &Machine) -> Result<Lock> {
        let folder = machine.path(FOLDER);
        let path = folder.join("lock");
        let failed = |source| Error::Write { what: path.display().to_string(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        let until = Instant::now() + PATIENCE;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(Errno::WOULDBLOCK) if Instant::now() < until => {
                    sleep(Duration::from_millis(50))
                }
                Err(Errno::WOULDBLOCK) => {
                    return Err(Error::Refused(format!(
                        "another totton-audio-slot has been at work for {} s ({} is locked)",
                        PATIENCE.as_secs(),
                        path.display()
                    )));
                }
                Err(error) => return Err(failed(io::Error::from(error))),
            }
        }
    }
}
