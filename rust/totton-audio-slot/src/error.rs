use std::io;

use crate::slot::Slot;

/// Why a command did not do what it was asked for. What it had done before stands; each
/// command may be given again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{what} cannot be read: {source}")]
    Read { what: String, source: io::Error },

    #[error("{what} cannot be written: {source}")]
    Write { what: String, source: io::Error },

    #[error("{what} did not keep what was written: {wanted} was written, {found} is there")]
    NotKept { what: String, wanted: String, found: String },

    #[error(
        "the root file system is on no partition called APP or APP_b: this system has no slots"
    )]
    NoSlots,

    #[error("no boot loader that counts starts: {0}")]
    NoLoader(String),

    #[error("slot {0} is the one that runs; only slot {other} can be written and tried", other = .0.other())]
    Running(Slot),

    #[error(
        "slot {0} is on trial itself: wait until it is confirmed, a minute after its start (totton-audio-slot status)"
    )]
    OnTrial(Slot),

    #[error("{0}")]
    Refused(String),
}

pub type Result<T> = std::result::Result<T, Error>;
