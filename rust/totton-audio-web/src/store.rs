//! The data folder: JSON documents that outlive an update, written whole or not at all.
//!
//! A client never names a path: a document's [`Id`] is lower-case letters,
//! digits and hyphens, and every folder is ours.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use actix_web::web;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Problem;

/// The longest id.
const ID_LENGTH: usize = 48;

/// The most documents of one kind.
const MOST: usize = 500;

/// The name of a document: 1 to 48 of the letters a to z, digits and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^[a-z0-9-]{1,48}$")]
pub struct Id(String);

impl TryFrom<String> for Id {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if (1..=ID_LENGTH).contains(&text.len()) && text.chars().all(known) {
            Ok(Self(text))
        } else {
            Err(format!("found {text:?}; accepted: 1 to {ID_LENGTH} of a to z, 0 to 9 and -"))
        }
    }
}

impl Id {
    /// An id that reads like `name`.
    pub fn like(name: &str) -> Self {
        let mut text = String::new();
        for c in name.to_lowercase().chars() {
            if c.is_ascii_alphanumeric() {
                text.push(c);
            } else if !text.is_empty() && !text.ends_with('-') {
                text.push('-');
            }
            if text.len() >= ID_LENGTH - 6 {
                break;
            }
        }
        let text = text.trim_end_matches('-');
        Self(if text.is_empty() { "item".to_owned() } else { text.to_owned() })
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The data folder.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store in `folder`, which need not be there yet.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// A path inside: `name` is ours, never a client's.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Reads one document; `None` when it was never written.
    ///
    /// # Errors
    /// 500 naming the file when it cannot be read or understood.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Problem> {
        let path = self.path(name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path, &error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| failed("understand", &path, &error))
    }

    /// Writes one document: after a power cut the old or the new one is there.
    ///
    /// # Errors
    /// 500 naming the file; the old document stays.
    pub fn write<T: Serialize>(&self, name: &str, document: &T) -> Result<(), Problem> {
        let path = self.path(name);
        let text =
            serde_json::to_vec_pretty(document).map_err(|error| failed("write", &path, &error))?;
        place(&path, &text).map_err(|error| failed("write", &path, &error))
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

    /// A new, empty file for an upload, that is gone when it is dropped.
    ///
    /// # Errors
    /// 500 naming the folder.
    pub fn upload(&self) -> Result<PartialFile, Problem> {
        let path = self.path("upload.part");
        let open = || {
            fs::create_dir_all(&self.folder)?;
            File::options().create(true).truncate(true).read(true).write(true).open(&path)
        };
        let file = open().map_err(|error| failed("write", &path, &error))?;
        Ok(PartialFile { path, file })
    }

    /// The documents of one kind, in a folder of their own.
    pub fn shelf(&self, kind: &'static str) -> Shelf {
        Shelf { store: self.clone(), kind }
    }
}

/// A file that is being uploaded.
#[must_use = "the file is removed when this is dropped"]
pub struct PartialFile {
    path: PathBuf,
    /// Open for reading and writing.
    pub file: File,
}

impl PartialFile {
    /// Where it is meanwhile.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the whole file its name.
    ///
    /// # Errors
    /// 500 naming the file.
    pub fn keep(self, target: &Path) -> Result<(), Problem> {
        let keep = || {
            self.file.sync_all()?;
            if let Some(folder) = target.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::rename(&self.path, target)?;
            sync_folder(target)
        };
        keep().map_err(|error: std::io::Error| failed("write", target, &error))
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        // Once kept it has another name, and nothing is here.
        let _ = fs::remove_file(&self.path);
    }
}

/// The documents of one kind.
pub struct Shelf {
    store: Store,
    kind: &'static str,
}

impl Shelf {
    fn name(&self, id: &Id) -> String {
        format!("{}/{}.json", self.kind, id.as_str())
    }

    /// All documents that can be read, by id. One that cannot is told in the
    /// journal and left alone: it must not hide the others.
    ///
    /// # Errors
    /// 500 when the folder cannot be read.
    pub fn list<T: DeserializeOwned>(&self) -> Result<Vec<(Id, T)>, Problem> {
        let folder = self.store.path(self.kind);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| failed("read", &folder, &error))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| failed("read", &folder, &error))?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".json"));
            let Some(Ok(id)) = id.map(|id| Id::try_from(id.to_owned())) else { continue };
            match self.get(&id) {
                Ok(Some(document)) => found.push((id, document)),
                Ok(None) => {}
                Err(problem) => log::error!("left out of the list: {problem}"),
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found)
    }

    /// One document.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn get<T: DeserializeOwned>(&self, id: &Id) -> Result<Option<T>, Problem> {
        self.store.read(&self.name(id))
    }

    /// Writes one document.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn put<T: Serialize>(&self, id: &Id, document: &T) -> Result<(), Problem> {
        self.store.write(&self.name(id), document)
    }

    /// Writes a new document under an id that reads like `name` and is free.
    ///
    /// # Errors
    /// As [`Store::write`]; 409 when there are too many.
    pub fn add<T: Serialize>(&self, name: &str, document: &T) -> Result<Id, Problem> {
        let stem = Id::like(name);
        let free = std::iter::once(stem.clone())
            .chain((2..=MOST).map(|number| Id(format!("{}-{number}", stem.as_str()))))
            .find(|id| !self.store.path(&self.name(id)).exists());
        let Some(id) = free else {
            return Err(Problem::new(
                actix_web::http::StatusCode::CONFLICT,
                "too-many",
                "There are too many of them",
                format!("{MOST} of this kind are kept"),
                "Delete some first.",
            ));
        };
        self.put(&id, document)?;
        Ok(id)
    }

    /// Removes one document.
    ///
    /// # Errors
    /// 404 when it is not there, else as [`Store::remove`].
    pub fn remove(&self, id: &Id) -> Result<(), Problem> {
        match self.store.remove(&self.name(id))? {
            true => Ok(()),
            false => Err(Problem::no_such(self.kind, id.as_str())),
        }
    }
}

/// Writes a file under a temporary name, and gives it its own when it is on the disk.
fn place(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let part = path.with_extension("part");
    let mut file = File::create(&part)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    sync_folder(path)
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
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_of_any_name_and_never_leaves_its_folder() {
        assert_eq!(Id::like("Sennheiser HD 650 (Harman)").as_str(), "sennheiser-hd-650-harman");
        assert_eq!(Id::like("夜").as_str(), "item");
        assert!(Id::like(&"x".repeat(200)).as_str().len() <= ID_LENGTH);
        for bad in ["", "../x", "a/b", "a.b", "A", "a b", &"x".repeat(49)] {
            assert!(Id::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn documents_come_back_and_equal_names_get_ids_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Store::new(folder.path()).shelf("things");
        assert_eq!(shelf.list::<u32>().unwrap(), []);
        let (first, second) =
            (shelf.add("My Thing", &1).unwrap(), shelf.add("my thing", &2).unwrap());
        assert_eq!((first.as_str(), second.as_str()), ("my-thing", "my-thing-2"));
        shelf.put(&first, &3).unwrap();
        assert_eq!(shelf.list::<u32>().unwrap(), [(first.clone(), 3), (second, 2)]);
        shelf.remove(&first).unwrap();
        assert_eq!(shelf.remove(&first).unwrap_err().kind(), "no-such-thing");
    }

    #[test]
    fn a_document_that_is_broken_does_not_hide_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let shelf = store.shelf("things");
        let good = shelf.add("good", &1).unwrap();
        std::fs::write(store.path("things/bad.json"), "{").unwrap();
        std::fs::write(store.path("things/good.part"), "half").unwrap();
        assert_eq!(shelf.list::<u32>().unwrap(), [(good, 1)]);
    }

    #[test]
    fn an_upload_that_is_not_kept_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        drop(store.upload().unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        store.upload().unwrap().keep(&store.path("kept")).unwrap();
        assert!(store.path("kept").exists() && !store.path("upload.part").exists());
    }
}
