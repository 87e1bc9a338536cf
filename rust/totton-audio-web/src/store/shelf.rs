//! The documents of one kind, each a JSON file in the kind's folder.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::quota::{full, too_many};
use super::{Id, Kind, LARGEST_DOCUMENT, Store, failed, size_of};
use crate::problem::Problem;

/// The documents of one kind.
pub struct Shelf {
    store: Store,
    kind: Kind,
}

impl Shelf {
    pub(super) fn new(store: Store, kind: Kind) -> Self {
        Self { store, kind }
    }

    fn name(&self, id: &Id) -> String {
        format!("{}/{}.json", self.kind.folder(), id.as_str())
    }

    /// The ids of all documents, in order.
    ///
    /// # Errors
    /// 500 when the folder cannot be read.
    pub fn ids(&self) -> Result<Vec<Id>, Problem> {
        let folder = self.store.path(self.kind.folder());
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| failed("read", &folder, &error))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| failed("read", &folder, &error))?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".json"));
            if let Some(Ok(id)) = id.map(|id| Id::try_from(id.to_owned())) {
                found.push(id);
            }
        }
        found.sort();
        Ok(found)
    }

    /// All documents that can be read, by id. One that cannot is told in the
    /// journal and left alone: it must not hide the others.
    ///
    /// # Errors
    /// 500 when the folder cannot be read.
    pub fn list<T: DeserializeOwned>(&self) -> Result<Vec<(Id, T)>, Problem> {
        let mut found = Vec::new();
        for id in self.ids()? {
            match self.get(&id) {
                Ok(Some(document)) => found.push((id, document)),
                Ok(None) => {}
                Err(problem) => log::error!("left out of the list: {problem}"),
            }
        }
        Ok(found)
    }

    /// One document.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn get<T: DeserializeOwned>(&self, id: &Id) -> Result<Option<T>, Problem> {
        self.store.read(&self.name(id))
    }

    /// Bytes of one document.
    ///
    /// # Errors
    /// 500 naming the file.
    pub fn size(&self, id: &Id) -> Result<u64, Problem> {
        size_of(&self.store.path(&self.name(id))).map(|size| size.unwrap_or(0))
    }

    /// Writes a document in place of one that is there.
    ///
    /// # Errors
    /// 404 when it is not there, else as [`add`](Self::add).
    pub fn replace<T: Serialize>(&self, id: &Id, document: &T) -> Result<(), Problem> {
        let text = text(document)?;
        let _turn = self.store.turn();
        let path = self.store.path(&self.name(id));
        let Some(before) = size_of(&path)? else {
            return Err(Problem::no_such(self.kind.name(), id.as_str()));
        };
        let room = self.store.room();
        room.admit(self.kind, Some(before), text.len() as u64)?;
        room.write(text.len() as u64)?;
        self.store.place(&path, &text)
    }

    /// Writes a new document under an id that reads like `name` and is free.
    ///
    /// # Errors
    /// 409 when there are too many, 507 when there is no room, else as [`Store::write`].
    pub fn add<T: Serialize>(&self, name: &str, document: &T) -> Result<Id, Problem> {
        let text = text(document)?;
        let _turn = self.store.turn();
        let room = self.store.room();
        room.admit(self.kind, None, text.len() as u64)?;
        room.write(text.len() as u64)?;
        let stem = Id::like(name);
        let (most, _) = self.kind.limit(&self.store.limits);
        // Fewer than `most` are there: one of so many names is free.
        let free = std::iter::once(stem.clone())
            .chain((2..=most).map(|number| stem.numbered(number)))
            .find(|id| !self.store.path(&self.name(id)).exists());
        let id = free.ok_or_else(|| too_many(self.kind, most))?;
        self.store.place(&self.store.path(&self.name(&id)), &text)?;
        Ok(id)
    }

    /// Puts `wanted` in place and removes all others but those in `spared`. What is there
    /// afterwards is within the limits if `wanted` and what is spared are: see [`fits`](Self::fits).
    /// The documents are written first, and removed only when all are on the disk.
    ///
    /// # Errors
    /// 507 when the disk is too full, 500 naming the file; nothing is removed then.
    pub fn replace_all<T: Serialize>(
        &self,
        wanted: &[(Id, T)],
        spared: &BTreeSet<Id>,
    ) -> Result<(), Problem> {
        let _turn = self.store.turn();
        let mut stay = spared.clone();
        for (id, document) in wanted {
            let text = text(document)?;
            self.store.room().floor(text.len() as u64)?;
            self.store.place(&self.store.path(&self.name(id)), &text)?;
            stay.insert(id.clone());
        }
        for id in self.ids()?.iter().filter(|id| !stay.contains(id)) {
            self.store.remove(&self.name(id))?;
        }
        Ok(())
    }

    /// Removes one document.
    ///
    /// # Errors
    /// 404 when it is not there, else as [`Store::remove`].
    pub fn remove(&self, id: &Id) -> Result<(), Problem> {
        match self.store.remove(&self.name(id))? {
            true => Ok(()),
            false => Err(Problem::no_such(self.kind.name(), id.as_str())),
        }
    }
}

/// A document as it lies on the disk: a backup holds the same bytes.
fn text<T: Serialize>(document: &T) -> Result<Vec<u8>, Problem> {
    let text = serde_json::to_vec(document).map_err(|error| Problem::failed(error.to_string()))?;
    if text.len() as u64 > LARGEST_DOCUMENT {
        let detail = format!("{} bytes; a document has at most {LARGEST_DOCUMENT}", text.len());
        return Err(full(detail, "Keep something shorter."));
    }
    Ok(text)
}
