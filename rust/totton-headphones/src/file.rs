//! The database as a file: lines of records, plain or gzipped.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::builder::Builder;
use crate::database::Database;
use crate::error::Error;
use crate::lines::Lines;
use crate::record::Record;

impl Database {
    /// Reads `database_v1.jsonl` as OPRA distributes it, plain or gzipped, line by line and within
    /// [`limits`](crate::limits).
    ///
    /// # Errors
    /// When it cannot be read, a line is not understood or exceeds a limit, or nothing is in it.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            action: "read",
            source,
        })?;
        Self::read(file, path)
    }

    /// The same from an open file; `path` is for the errors.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn read(file: impl Read, path: &Path) -> Result<Self, Error> {
        let mut lines = Lines::new(file, path)?;
        let mut builder = Builder::default();
        while let Some(line) = lines.next_line()? {
            let record = serde_json::from_slice(line).map_err(|error| error.to_string());
            record.and_then(|record| builder.add(record)).map_err(|reason| lines.fault(reason))?;
        }
        let entry = |reason| Error::Entry { path: path.to_owned(), reason };
        let database = builder.finish().map_err(entry)?;
        if database.products.is_empty() {
            return Err(Error::Empty { path: path.to_owned() });
        }
        Ok(database)
    }
}

/// Writes records as gzipped lines; the file appears under its name when it is whole.
///
/// # Errors
/// [`Error::Io`] naming the file.
pub fn save(records: &[Record], path: &Path) -> Result<(), Error> {
    let part = path.with_extension("part");
    let write = || {
        let mut file = GzEncoder::new(BufWriter::new(File::create(&part)?), Compression::best());
        for record in records {
            serde_json::to_writer(&mut file, record)?;
            file.write_all(b"\n")?;
        }
        file.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
        std::fs::rename(&part, path)
    };
    write().map_err(|source| {
        let _ = std::fs::remove_file(&part);
        Error::Io { path: path.to_owned(), action: "write", source }
    })
}
