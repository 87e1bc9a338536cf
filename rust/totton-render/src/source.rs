//! The sound that is rendered: WAV or FLAC, told by how it begins.

use std::path::Path;

use crate::error::Error;
use crate::input::Input;
use crate::{flac, wav};

/// A sound file being read, from its start to its end.
pub enum Source {
    Wav(wav::Reader),
    Flac(Box<flac::Reader>),
}

impl Source {
    /// Opens a file; it may be a pipe, and `-` is standard input.
    ///
    /// # Errors
    /// When it cannot be read, or is of no kind that is known.
    pub fn open(file: impl AsRef<Path>) -> Result<Self, Error> {
        let input = Input::open(file.as_ref())?;
        Ok(if input.begins_with(flac::MAGIC) {
            Self::Flac(Box::new(flac::Reader::new(input)?))
        } else {
            Self::Wav(wav::Reader::new(input)?)
        })
    }

    /// Frames per second (Hz).
    pub fn rate(&self) -> u32 {
        match self {
            Self::Wav(reader) => reader.spec().rate,
            Self::Flac(reader) => reader.rate(),
        }
    }

    pub fn channels(&self) -> usize {
        match self {
            Self::Wav(reader) => reader.spec().channels,
            Self::Flac(reader) => reader.channels(),
        }
    }

    /// Frames not yet read; `None` when nobody knows.
    pub fn frames_left(&self) -> Option<u64> {
        match self {
            Self::Wav(reader) => reader.frames_left(),
            Self::Flac(reader) => reader.frames_left(),
        }
    }

    /// Fills the planes from their start with up to `frames` frames; tells how
    /// many. Fewer than asked for: the end.
    ///
    /// # Errors
    /// When the file cannot be read, or is not whole.
    pub fn read(&mut self, planes: &mut [Vec<f64>], frames: usize) -> Result<usize, Error> {
        match self {
            Self::Wav(reader) => reader.read(planes, frames),
            Self::Flac(reader) => reader.read(planes, frames),
        }
    }
}
