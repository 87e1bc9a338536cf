//! The settings' file: read at the start, replaced as a whole at each change.
//!
//! The new content goes into a file of another name, is synchronised, and takes
//! the name of the old one; then the folder is synchronised. A power cut at any
//! moment leaves the old file or the new one: `power_cuts` tries them all.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use totton_protocol::Settings;
use totton_protocol::settings::{Foreign, Stored, from_stored};

use super::disk::Disk;

/// Why settings could not be read or written.
#[derive(Debug, Error)]
pub enum FileError {
    #[error("cannot read the settings {}: {source}", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("the settings {} are not used, the defaults are, muted: {reason}", file.display())]
    Content { file: PathBuf, reason: String },
    #[error("cannot write the settings {}: {source}", file.display())]
    Write { file: PathBuf, source: io::Error },
}

impl FileError {
    /// Whether the disk, or the owner's share of it, is full.
    pub fn is_disk_full(&self) -> bool {
        let Self::Write { source, .. } = self else { return false };
        matches!(source.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT))
    }
}

/// Reads the settings; `None` when there is no file yet. They are as little trusted as what a page
/// sends: of what this daemon does not accept, see [`from_stored`]. The file as it was is then kept
/// beside it, as `.bad`.
///
/// # Errors
/// When the file cannot be read, or holds no settings. It then has the name `.bad`: the next change
/// would overwrite it.
pub fn read(disk: &mut dyn Disk, file: &Path) -> Result<Option<Stored>, FileError> {
    let bytes = match disk.read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(FileError::Read { file: file.to_owned(), source }),
    };
    let aside = file.with_extension("bad");
    match from_stored(&bytes) {
        Ok(stored) => {
            if !stored.left_out.is_empty() {
                // A copy: until other settings are written, these are better than none. Without
                // the copy nothing is lost but a look at what was there.
                let _ = disk.write(&aside, &bytes);
            }
            Ok(Some(stored))
        }
        Err(reason) => {
            // As above.
            let _ = disk.rename(file, &aside);
            Err(FileError::Content { file: file.to_owned(), reason: reason.to_string() })
        }
    }
}

/// Replaces the settings; `foreign` is what another version has written into the file.
///
/// # Errors
/// When the disk refuses; the file is then the old one or, where only the last step failed, the
/// new one.
pub fn write(
    disk: &mut dyn Disk,
    file: &Path,
    settings: &Settings,
    foreign: &Foreign,
) -> Result<(), FileError> {
    let failed = |source| FileError::Write { file: file.to_owned(), source };
    let bytes = foreign
        .with(settings)
        .and_then(|value| serde_json::to_vec_pretty(&value))
        .map_err(|error| failed(error.into()))?;
    let new = file.with_extension("new");
    let mut replace = || {
        disk.write(&new, &bytes)?;
        disk.sync(&new)?;
        disk.rename(&new, file)
    };
    if let Err(source) = replace() {
        // On a full disk the part that was written takes room; the first error is the one to tell.
        let _ = disk.remove(&new);
        return Err(failed(source));
    }
    let folder = file.parent().unwrap_or(Path::new("/"));
    disk.sync_folder(folder).map_err(failed)
}
