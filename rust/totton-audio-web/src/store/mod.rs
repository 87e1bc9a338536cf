//! The data folder: what a user keeps, written whole or not at all, within limits.
//!
//! A client never names a path: a document's [`Id`] is lower-case letters,
//! digits and hyphens, and every folder is ours. Every file that is written has
//! a random name of its own in `incoming/` first and is renamed when it is on the
//! disk: after a power cut the old or the new one is there. What a power cut
//! leaves in `incoming/` is removed at the next start.
//!
//! - [`id`]: names of documents
//! - [`quota`]: limits of number and bytes, and the room that stays free
//! - [`shelf`]: the documents of one kind
//! - [`stored`]: documents of other versions

pub mod id;
pub mod quota;
pub mod shelf;
mod stored;

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::http::StatusCode;
use actix_web::web;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;
pub use id::Id;
pub use quota::{Kind, Limits, Used};
pub use shelf::Shelf;

/// Where files lie while they are written.
const INCOMING: &str = "incoming";

/// The most bytes of one document.
pub const LARGEST_DOCUMENT: u64 = 4 * 1024 * 1024;

/// Uploads at the same time.
const UPLOADS: usize = 4;

/// The data folder.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    limits: Limits,
    free: fn(&Path) -> std::io::Result<u64>,
    /// Held from the look at the room until what fits is there: two at once could
    /// both find the last place.
    turn: Arc<Mutex<()>>,
    uploads: Arc<Semaphore>,
}

impl Store {
    /// The store in `folder`, which need not be there yet, with the limits built in.
    pub fn new(folder: &Path) -> Self {
        Self::with_limits(folder, Limits::default())
    }

    /// The store in `folder` with these limits.
    pub fn with_limits(folder: &Path, limits: Limits) -> Self {
        Self {
            folder: folder.to_owned(),
            limits,
            free: quota::free,
            turn: Arc::default(),
            uploads: Arc::new(Semaphore::new(UPLOADS)),
        }
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A path inside: `name` is ours, never a client's.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Removes what a power cut or a crash left half-written; called once, at the start. Earlier
    /// versions wrote `NAME.part` beside the file.
    pub fn clear_leftovers(&self) {
        let incoming = self.path(INCOMING);
        for folder in ["", "equalisers", "presets", "filters"].map(|name| self.path(name)) {
            for path in files_in(&folder) {
                if path.extension().is_some_and(|extension| extension == "part") {
                    remove_leftover(&path);
                }
            }
        }
        files_in(&incoming).for_each(|path| remove_leftover(&path));
    }

    /// Whether `size` more bytes leave enough room on the disk, for a file that the store does not
    /// keep itself.
    ///
    /// # Errors
    /// 507 when they do not.
    pub fn leaves_room(&self, size: u64) -> Result<(), Problem> {
        self.room().floor(size)
    }

    /// Reads one document; `None` when it was never written. What a newer version has written besides
    /// is passed over.
    ///
    /// # Errors
    /// 500 naming the file when it cannot be read or understood.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Problem> {
        let path = self.path(name);
        let Some(text) = self.text(name)? else { return Ok(None) };
        let (document, passed_over) =
            stored::read(&text).map_err(|reason| failed("understand", &path, &reason))?;
        for field in passed_over {
            log::debug!("{}: passed over: {field}", path.display());
        }
        Ok(Some(document))
    }

    /// The same for a document in which nothing may be passed over.
    ///
    /// # Errors
    /// As [`read`](Self::read), and when it says something that is not known.
    pub fn read_exactly<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let understood = serde_json::from_slice(&text);
        understood.map(Some).map_err(|error| failed("understand", &self.path(name), &error))
    }

    /// What is in a document's file.
    fn text(&self, name: &str) -> Result<Option<Vec<u8>>, Problem> {
        let path = self.path(name);
        let read = || {
            let mut text = Vec::new();
            File::open(&path)?.take(LARGEST_DOCUMENT + 1).read_to_end(&mut text)?;
            Ok::<_, std::io::Error>(text)
        };
        let text = match read() {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path, &error)),
        };
        if text.len() as u64 > LARGEST_DOCUMENT {
            let reason = format!("it is larger than {LARGEST_DOCUMENT} bytes");
            return Err(failed("understand", &path, &reason));
        }
        Ok(Some(text))
    }

    /// Writes one document of the device's own, of which there is one: the two sides of the
    /// equaliser, the password, the last update. They may use the room that uploads must leave.
    ///
    /// # Errors
    /// 500 naming the file; the old document stays.
    pub fn write<T: Serialize>(&self, name: &str, document: &T) -> Result<(), Problem> {
        let path = self.path(name);
        let text = serde_json::to_vec(document).map_err(|error| failed("write", &path, &error))?;
        self.place(&path, &text)
    }

    /// Removes one document; whether it was there.
    ///
    /// # Errors
    /// 500 naming the file.
    pub fn remove(&self, name: &str) -> Result<bool, Problem> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("remove", &path, &error)),
        }
    }

    /// A new, empty file for an upload of `announced` bytes (0 when the sender does not tell). It
    /// is gone when it is dropped.
    ///
    /// # Errors
    /// 503 when there are too many uploads, 507 when there is no room, 500 naming the folder.
    pub fn upload(&self, announced: u64) -> Result<PartialFile, Problem> {
        let Ok(place) = Arc::clone(&self.uploads).try_acquire_owned() else {
            return Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "Too many files are being uploaded",
                format!("{UPLOADS} uploads are under way"),
                "Wait until one of them has ended.",
            )
            .retry_after(std::time::Duration::from_secs(5)));
        };
        let file = self.temporary()?;
        let _turn = self.turn();
        self.room().write(announced)?;
        Ok(PartialFile { store: self.clone(), file, _place: Some(place) })
    }

    /// The same for a file that the service itself unpacks from an upload.
    ///
    /// # Errors
    /// As [`upload`](Self::upload).
    pub fn unpack(&self, size: u64) -> Result<PartialFile, Problem> {
        let file = self.temporary()?;
        let _turn = self.turn();
        self.room().write(size)?;
        Ok(PartialFile { store: self.clone(), file, _place: None })
    }

    /// The documents of one kind, in a folder of their own.
    pub fn shelf(&self, kind: Kind) -> Shelf {
        Shelf::new(self.clone(), kind)
    }

    /// How much there is of one kind that has a folder.
    ///
    /// # Errors
    /// 500 when the folder cannot be read.
    pub fn used(&self, kind: Kind) -> Result<Used, Problem> {
        let folder = self.path(kind.folder());
        quota::used(&folder).map_err(|error| failed("look into", &folder, &error))
    }

    /// The names and sizes of the files of one kind.
    ///
    /// # Errors
    /// 500 when one cannot be looked into.
    pub fn files(&self, kind: Kind) -> Result<Vec<(String, u64)>, Problem> {
        let mut found = Vec::new();
        for path in files_in(&self.path(kind.folder())) {
            let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
            if let (Some(name), Some(size)) = (name, size_of(&path)?) {
                found.push((name, size));
            }
        }
        Ok(found)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self) -> quota::Room<'_> {
        // statvfs(3) wants a folder that is there; one that cannot be made is told by it.
        let _ = fs::create_dir_all(&self.folder);
        quota::Room {
            folder: &self.folder,
            incoming: self.path(INCOMING),
            limits: &self.limits,
            free: self.free,
        }
    }

    /// A file of a random name that nobody else has open, on the disk of the others.
    ///
    /// It has a name, unlike one of O_TMPFILE: such a file can be linked to a new name only, and
    /// what replaces another in one step has to have a name before.
    fn temporary(&self) -> Result<NamedTempFile, Problem> {
        let folder = self.path(INCOMING);
        fs::create_dir_all(&folder)
            .and_then(|()| NamedTempFile::new_in(&folder))
            .map_err(|error| failed("write", &folder, &error))
    }

    /// Writes a file under a name of its own, and gives it `path` when it is on the disk.
    fn place(&self, path: &Path, content: &[u8]) -> Result<(), Problem> {
        let mut file = self.temporary()?;
        let place = || {
            file.write_all(content)?;
            keep(file, path, true).map(drop)
        };
        place().map_err(|error: std::io::Error| failed("write", path, &error))
    }
}

/// A file that is being uploaded.
#[must_use = "the file is removed when this is dropped"]
#[derive(Debug)]
pub struct PartialFile {
    store: Store,
    file: NamedTempFile,
    _place: Option<OwnedSemaphorePermit>,
}

impl PartialFile {
    /// Appends bytes.
    ///
    /// # Errors
    /// 507 when there is no room for them, 500 when they cannot be written.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        let _turn = self.store.turn();
        self.store.room().write(bytes.len() as u64)?;
        self.file.write_all(bytes).map_err(|error| failed("write", self.file.path(), &error))
    }

    /// The file, at its beginning: what is read here is what is kept.
    ///
    /// # Errors
    /// 500 when it cannot be read.
    pub fn rewound(&mut self) -> Result<&mut File, Problem> {
        let file = self.file.as_file_mut();
        let rewound = file.rewind();
        rewound.map_err(|error| failed("read", self.file.path(), &error))?;
        Ok(self.file.as_file_mut())
    }

    /// Gives the whole file a name in the data folder; `replace` says whether it may take the
    /// place of another. Whether it was kept: it is not where it must not replace.
    ///
    /// # Errors
    /// 409 or 507 when the limits are reached, 500 naming the file.
    pub fn keep(self, kind: Kind, name: &str, replace: bool) -> Result<bool, Problem> {
        let Self { store, file, _place } = self;
        let target = store.path(kind.folder()).join(name);
        let _turn = store.turn();
        let fault = |error: std::io::Error| failed("write", &target, &error);
        let size = file.as_file().metadata().map_err(fault)?.len();
        let before = size_of(&target)?;
        if before.is_some() && !replace {
            return Ok(false);
        }
        store.room().admit(kind, before, size)?;
        if kind == Kind::Filters {
            // The daemon reads it, who is another user and in no group of ours.
            let mode = fs::Permissions::from_mode(0o644);
            file.as_file().set_permissions(mode).map_err(fault)?;
        }
        keep(file, &target, replace).map_err(fault)
    }
}

/// Gives a file its name when it is on the disk; false when the name is taken and `replace` is
/// not wanted.
fn keep(file: NamedTempFile, target: &Path, replace: bool) -> std::io::Result<bool> {
    file.as_file().sync_all()?;
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    let kept = if replace { file.persist(target) } else { file.persist_noclobber(target) };
    match kept {
        Ok(_) => sync_folder(target).map(|()| true),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}

/// Bytes of a file; `None` when there is none.
fn size_of(path: &Path) -> Result<Option<u64>, Problem> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("look into", path, &error)),
    }
}

fn files_in(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file())).map(|e| e.path())
}

fn remove_leftover(path: &Path) {
    match fs::remove_file(path) {
        Ok(()) => log::info!("removed {}, which was never whole", path.display()),
        Err(error) => log::warn!("cannot remove {}: {error}", path.display()),
    }
}

/// The new name is on the disk only when its folder is.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn failed(action: &str, path: &Path, error: &dyn std::fmt::Display) -> Problem {
    Problem::failed(format!("cannot {action} {}: {error}", path.display()))
}

/// Runs what waits for the disk or a program on a thread that may wait.
///
/// # Errors
/// Those of `work`; 503 when the service ends meanwhile.
pub async fn waiting<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    web::block(work).await.map_err(Problem::stopping)?
}

#[cfg(test)]
mod tests;
