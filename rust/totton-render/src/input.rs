//! The bytes of a sound file, from its start: a file, a pipe or standard input.

use std::fs::File;
use std::io::{self, Cursor, IsTerminal, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::is_standard;

/// An open file, and what was read of it to tell its kind.
pub(crate) struct Input {
    pub(crate) file: PathBuf,
    start: Vec<u8>,
    rest: File,
    /// Bytes in all; `None` for a pipe, which tells only at its end.
    pub(crate) length: Option<u64>,
}

/// The bytes that tell a file's kind.
const START_BYTES: u64 = 4;

/// Its bytes, from the first on.
pub(crate) type Bytes = io::Chain<Cursor<Vec<u8>>, File>;

impl Input {
    /// Opens `file`; `-` is standard input.
    ///
    /// # Errors
    /// [`Error::Read`] when that does not succeed.
    pub(crate) fn open(file: &Path) -> Result<Self, Error> {
        let open = || {
            let mut rest = if is_standard(file) { standard()? } else { File::open(file)? };
            let meta = rest.metadata()?;
            let length = meta.is_file().then_some(meta.len());
            let mut start = Vec::new();
            (&mut rest).take(START_BYTES).read_to_end(&mut start)?;
            Ok(Self { file: file.to_owned(), start, rest, length })
        };
        open().map_err(|source| Error::Read { file: file.to_owned(), source })
    }

    pub(crate) fn begins_with(&self, magic: [u8; 4]) -> bool {
        self.start == magic
    }

    pub(crate) fn bytes(self) -> Bytes {
        Cursor::new(self.start).chain(self.rest)
    }
}

fn standard() -> io::Result<File> {
    let input = io::stdin();
    if input.is_terminal() {
        return Err(io::Error::other("it is the terminal: send a WAV or FLAC file through a pipe"));
    }
    Ok(input.as_fd().try_clone_to_owned()?.into())
}
