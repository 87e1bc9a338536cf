//! Where a rendered file goes. It appears under its name when it is whole; until then it is
//! `.NAME.….part` beside it. Dropped before that, it leaves nothing behind.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, IsTerminal, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::error::Error;
use crate::is_standard;

/// A file being written.
#[must_use]
pub(crate) struct Output {
    file: PathBuf,
    sink: BufWriter<File>,
    /// The unfinished file; `None` for a device or a pipe, which has its own name only.
    part: Option<TempPath>,
    replace: bool,
}

/// Whether a file can begin in that place: before the work is done.
///
/// # Errors
/// [`Error::Exists`] when a file is there that shall not be replaced, [`Error::Write`] when
/// there is no such folder.
pub fn check(file: &Path, replace: bool) -> Result<(), Error> {
    if is_standard(file) {
        return Ok(());
    }
    let wrong = |reason| {
        let source = io::Error::new(io::ErrorKind::InvalidInput, reason);
        Err(Error::Write { file: file.to_owned(), source })
    };
    match fs::metadata(file) {
        Ok(meta) if meta.is_dir() => wrong("it is a folder; name a file in it"),
        Ok(meta) if meta.is_file() && !replace => Err(Error::Exists { file: file.to_owned() }),
        Ok(_) => Ok(()),
        Err(_) if folder(file).is_dir() => Ok(()),
        Err(_) => wrong("its folder is not there"),
    }
}

fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

impl Output {
    /// Begins a file; `-` is standard output.
    ///
    /// # Errors
    /// As [`check`]; [`Error::Write`] when it cannot be written.
    pub(crate) fn create(file: &Path, replace: bool) -> Result<Self, Error> {
        check(file, replace)?;
        let open = || {
            if is_standard(file) {
                return Ok((standard()?, None));
            }
            if fs::metadata(file).is_ok_and(|meta| !meta.is_file()) {
                return Ok((File::options().write(true).open(file)?, None));
            }
            let mut name = OsString::from(".");
            name.push(file.file_name().unwrap_or(file.as_os_str()));
            name.push(".");
            // As any new file's: less what the umask takes.
            let permissions = Permissions::from_mode(0o666);
            let part = tempfile::Builder::new()
                .prefix(&name)
                .suffix(".part")
                .permissions(permissions)
                .tempfile_in(folder(file))?;
            let (sink, part) = part.into_parts();
            Ok((sink, Some(part)))
        };
        let (sink, part) =
            open().map_err(|source| Error::Write { file: file.to_owned(), source })?;
        Ok(Self { file: file.to_owned(), sink: BufWriter::new(sink), part, replace })
    }

    /// Whether what was written can be written again.
    pub(crate) fn is_file(&self) -> bool {
        self.part.is_some()
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// [`Error::Write`] naming the file.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.sink
            .write_all(bytes)
            .map_err(|source| Error::Write { file: self.file.clone(), source })
    }

    /// Puts the file in its place, on the disk; with another beginning where `head` is given.
    ///
    /// # Errors
    /// As [`check`], when it changed meanwhile; [`Error::Write`].
    pub(crate) fn finish(self, head: Option<&[u8]>) -> Result<(), Error> {
        let Self { file, mut sink, part, replace } = self;
        let finish = || {
            if let Some(head) = head {
                sink.seek(SeekFrom::Start(0))?;
                sink.write_all(head)?;
            }
            sink.flush()?;
            let Some(part) = part else { return Ok(()) };
            // Otherwise a power cut could leave the name without the content.
            sink.get_ref().sync_all()?;
            let placed = if replace { part.persist(&file) } else { part.persist_noclobber(&file) };
            placed.map_err(|refused| refused.error)
        };
        finish().map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists { file: file.clone() },
            _ => Error::Write { file: file.clone(), source },
        })
    }
}

fn standard() -> io::Result<File> {
    let output = io::stdout();
    if output.is_terminal() {
        return Err(io::Error::other("it is the terminal: send it into a file or a pipe"));
    }
    Ok(output.as_fd().try_clone_to_owned()?.into())
}
