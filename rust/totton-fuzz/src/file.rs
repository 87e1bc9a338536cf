//! Files that are only in memory, for readers that take a path.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use nix::sys::memfd::{MFdFlags, memfd_create};

/// A file in memory; it is gone when this is dropped.
pub struct MemoryFile {
    file: File,
}

impl MemoryFile {
    /// A file that holds `bytes`.
    ///
    /// # Panics
    /// When the kernel gives none.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let made = memfd_create(c"fuzz", MFdFlags::MFD_CLOEXEC).map(File::from);
        let mut file = made.unwrap_or_else(|error| panic!("no file in memory: {error}"));
        file.write_all(bytes).unwrap_or_else(|error| panic!("a file in memory: {error}"));
        Self { file }
    }

    /// Where it can be opened, from its start.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }
}

/// A folder for files that have to have a name. `tests/fuzz` has it in memory, and removes it.
///
/// # Panics
/// When there is no such place.
#[must_use]
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap_or_else(|error| panic!("no folder for files: {error}"))
}
