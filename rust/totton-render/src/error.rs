//! What can go wrong, each naming the file at fault and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why a file was not rendered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused to read a file.
    #[error("cannot read {}: {source}", name(file))]
    Read { file: PathBuf, source: io::Error },

    /// The operating system refused to write a file.
    #[error("cannot write {}: {source}", name(file))]
    Write { file: PathBuf, source: io::Error },

    /// The output would take the place of another file.
    #[error("{} is already there: choose another name, or replace it with --force", name(file))]
    Exists { file: PathBuf },

    /// What is read is no sound of a known kind, or not whole.
    #[error("the sound file {} cannot be used: {reason}", name(file))]
    SoundFile { file: PathBuf, reason: String },

    /// The output cannot have this rate.
    #[error("{wanted} Hz cannot be made of {input} Hz; possible: {possible}")]
    Rate { wanted: u64, input: u32, possible: String },

    /// A filter cannot be read, designed, or used at the input's rate.
    #[error("the filter cannot be used: {0}")]
    Filter(totton_dsp::Error),

    /// An equaliser text cannot be read, or does not fit the input's rate.
    #[error("the equaliser cannot be used: {0}")]
    Equaliser(totton_dsp::Error),

    /// Filter, channels and block do not make an engine.
    #[error("the engine cannot be made: {0}")]
    Engine(totton_dsp::Error),

    /// Whoever heard of the progress wanted no more.
    #[error("interrupted: nothing was written")]
    Interrupted,
}

impl Error {
    pub(crate) fn sound(file: &Path, reason: impl Into<String>) -> Self {
        Self::SoundFile { file: file.to_owned(), reason: reason.into() }
    }
}

/// `-` in words.
fn name(file: &Path) -> std::borrow::Cow<'_, str> {
    if crate::is_standard(file) { "the standard stream -".into() } else { file.to_string_lossy() }
}
