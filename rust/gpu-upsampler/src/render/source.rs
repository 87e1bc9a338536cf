//! The file that is rendered: WAV or FLAC, told by how it begins.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::Error;
use crate::{flac, wav};

/// A sound file being read.
pub enum Source {
    Wav(wav::Reader),
    Flac(Box<flac::Reader>),
}

impl Source {
    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be read, or is of no kind that is known.
    pub fn open(file: &Path) -> Result<Self, Error> {
        let of_file = |source| Error::File { file: file.to_owned(), source };
        // What comes through a pipe can be looked at once only: it is WAV.
        if std::fs::metadata(file).map_err(of_file)?.is_file() {
            let mut start = Vec::new();
            let handle = File::open(file).map_err(of_file)?;
            handle.take(4).read_to_end(&mut start).map_err(of_file)?;
            if start == flac::MAGIC {
                return Ok(Self::Flac(Box::new(flac::Reader::open(file)?)));
            }
        }
        Ok(Self::Wav(wav::Reader::open(file)?))
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
