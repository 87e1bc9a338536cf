//! What can be wrong with a database.

use std::path::PathBuf;

use thiserror::Error;

/// Each message names the file, and the line where there is one.
#[derive(Debug, Error)]
pub enum Error {
    #[error("cannot {action} {}: {source}", path.display())]
    Io { path: PathBuf, action: &'static str, source: std::io::Error },
    #[error("{}, line {line}: {reason}; expected is OPRA's database_v1.jsonl, plain or gzipped", path.display())]
    Line { path: PathBuf, line: usize, reason: String },
    #[error("{}: {reason}", path.display())]
    Entry { path: PathBuf, reason: String },
    #[error("{} has no folder database/vendors: it is no checkout of OPRA", path.display())]
    NotARepository { path: PathBuf },
    #[error("{} has no equaliser in it", path.display())]
    Empty { path: PathBuf },
    #[error("{}, line {line}: up to here it has more than {limit} bytes when unpacked", path.display())]
    TooLarge { path: PathBuf, line: usize, limit: u64 },
}
