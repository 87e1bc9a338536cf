//! What can go wrong with filters and engines; each variant says what to do about it.

use std::path::PathBuf;

/// The errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused to read or write a file.
    #[error("{path}: cannot {action}: {source}", path = path.display())]
    Io { path: PathBuf, action: &'static str, source: std::io::Error },

    /// The file does not start with the magic of a filter file.
    #[error(
        "{path}: not a filter file (it does not begin with `TOTTONFI`); \
         make one with `totton-filter design` or `totton-filter convert`",
        path = path.display()
    )]
    NotAFilter { path: PathBuf },

    /// The file is of a format version that this build cannot read.
    #[error(
        "{path}: filter format version {found}, but this build reads version {supported}; \
         make the filter again with this build's `totton-filter`",
        path = path.display()
    )]
    Version { path: PathBuf, found: u32, supported: u32 },

    /// The file is shorter or longer than its header says.
    #[error(
        "{path}: {found} bytes, but its header asks for {expected}; the file was cut short \
         or added to, copy it again",
        path = path.display()
    )]
    Length { path: PathBuf, expected: u64, found: u64 },

    /// The checksum does not fit the content.
    #[error(
        "{path}: checksum {stored:08x} in the file, {computed:08x} computed; the file is damaged, \
         copy it again",
        path = path.display()
    )]
    Checksum { path: PathBuf, stored: u32, computed: u32 },

    /// The header cannot be understood.
    #[error("{path}: bad header: {reason}", path = path.display())]
    Header { path: PathBuf, reason: String },

    /// A file of taps cannot be used.
    #[error("{path}: {reason}", path = path.display())]
    Import { path: PathBuf, reason: String },

    /// A line of an equaliser text cannot be understood.
    #[error("{name}: line {line}: {reason}")]
    Equaliser { name: String, line: usize, reason: String },

    /// A value of a filter or a design is out of its range.
    #[error("{name} = {found}: {accepted}")]
    Invalid { name: &'static str, found: String, accepted: String },

    /// The work was stopped before its end, by whoever had asked for it.
    #[error("stopped before the end, on request")]
    Stopped,

    /// A filter's taps cannot be used.
    #[error("tap {index} is {value}; every tap must be a finite number")]
    Tap { index: usize, value: f64 },
}

impl Error {
    /// Shorthand for [`Error::Invalid`].
    pub(crate) fn invalid(
        name: &'static str,
        found: impl ToString,
        accepted: impl Into<String>,
    ) -> Self {
        Self::Invalid { name, found: found.to_string(), accepted: accepted.into() }
    }
}
