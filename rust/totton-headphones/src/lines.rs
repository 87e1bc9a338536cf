//! The lines of a database, plain or gzipped, limited while they are unpacked.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::error::Error;
use crate::limits::{LINE_BYTES, PLAIN_BYTES};

/// Bytes that are unpacked at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// The first bytes of a gzipped file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads line by line; no more than one line is in memory.
pub struct Lines<'a> {
    reader: BufReader<Box<dyn Read + 'a>>,
    path: PathBuf,
    line: Vec<u8>,
    number: usize,
    total: u64,
}

impl<'a> Lines<'a> {
    /// The lines of `file`, whatever it is; `path` is for the errors.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read.
    pub fn new(file: impl Read + 'a, path: &Path) -> Result<Self, Error> {
        let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
        let begin = file.fill_buf().map_err(|source| io(path, source))?;
        let content: Box<dyn Read + 'a> = if begin.starts_with(&GZIP) {
            Box::new(MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        };
        Ok(Self {
            reader: BufReader::with_capacity(BUFFER_BYTES, content),
            path: path.to_owned(),
            line: Vec::new(),
            number: 0,
            total: 0,
        })
    }

    /// The next line that is not empty; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::TooLarge`] or [`Error::Line`] for a line that is too long.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, Error> {
        loop {
            self.line.clear();
            // One byte more than is accepted tells a line that is too long.
            let mut limited = (&mut self.reader).take(LINE_BYTES as u64 + 1);
            let count = limited
                .read_until(b'\n', &mut self.line)
                .map_err(|source| io(&self.path, source))?;
            if count == 0 {
                return Ok(None);
            }
            (self.number, self.total) = (self.number + 1, self.total + count as u64);
            if count > LINE_BYTES {
                return Err(self.fault(format!("it is longer than {LINE_BYTES} bytes")));
            }
            if self.total > PLAIN_BYTES {
                return Err(Error::TooLarge {
                    path: self.path.clone(),
                    line: self.number,
                    limit: PLAIN_BYTES,
                });
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        Ok(Some(&self.line))
    }

    /// What is wrong with the line that was read last.
    pub fn fault(&self, reason: String) -> Error {
        Error::Line { path: self.path.clone(), line: self.number, reason }
    }
}

fn io(path: &Path, source: std::io::Error) -> Error {
    Error::Io { path: path.to_owned(), action: "read", source }
}
