//! How much is kept: limits of number and bytes for each kind, over everything, and
//! the room on the disk that stays free for the journal and the settings.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use actix_web::http::StatusCode;

use crate::problem::Problem;

const MIB: u64 = 1024 * 1024;

/// The limits.
///
/// The data partition has 4 GiB on a Jetson and 1 GiB in QEMU. systemd's own limits on it are
/// 100 MB for the journal and 1 GB for core dumps, which end where 512 MB are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most documents of one kind: presets, equalisers.
    pub documents: usize,
    /// The most bytes of all documents of one kind. A backup holds both kinds in memory.
    pub document_bytes: u64,
    /// The most filter files.
    pub filters: usize,
    /// The most bytes of all filter files.
    pub filter_bytes: u64,
    /// The most bytes of the headphone database's file.
    pub headphones_bytes: u64,
    /// The most bytes of everything that was sent to the page, uploads under way included.
    pub total_bytes: u64,
    /// Bytes that stay free on the disk whatever is uploaded.
    pub free_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            documents: 500,
            document_bytes: 4 * MIB,
            filters: 64,
            filter_bytes: 1024 * MIB,
            headphones_bytes: 64 * MIB,
            total_bytes: 1536 * MIB,
            // All of the journal, and some for the settings.
            free_bytes: 128 * MIB,
        }
    }
}

/// What is kept in a number that the user chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Equalisers,
    Presets,
    Filters,
    Headphones,
}

impl Kind {
    /// Those that have a folder of their own in the data folder, and its name.
    const FOLDERS: [(Self, &'static str); 3] =
        [(Self::Equalisers, "equalisers"), (Self::Presets, "presets"), (Self::Filters, "filters")];

    /// Its folder in the data folder; the headphone database lies beside them.
    pub fn folder(self) -> &'static str {
        Self::FOLDERS.iter().find(|(kind, _)| *kind == self).map_or("", |(_, folder)| folder)
    }

    /// One of them, in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Equalisers => "equaliser",
            Self::Presets => "preset",
            Self::Filters => "filter",
            Self::Headphones => "headphone database",
        }
    }

    /// The most of them, and the most bytes together.
    pub fn limit(self, limits: &Limits) -> (usize, u64) {
        match self {
            Self::Equalisers | Self::Presets => (limits.documents, limits.document_bytes),
            Self::Filters => (limits.filters, limits.filter_bytes),
            Self::Headphones => (1, limits.headphones_bytes),
        }
    }
}

/// How much there is of something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    pub files: usize,
    pub bytes: u64,
}

/// What lies in one folder. A look at 500 files takes a millisecond or two: nothing is remembered
/// that could become wrong.
pub(super) fn used(folder: &Path) -> std::io::Result<Used> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Used::default()),
        entries => entries?,
    };
    let mut used = Used::default();
    for entry in entries {
        // Not followed: a link has only its own few bytes.
        match entry?.metadata() {
            Ok(metadata) if metadata.is_file() => {
                used.files += 1;
                used.bytes += metadata.len();
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(used)
}

/// Bytes that are free for this service on the disk of `folder`, by statvfs(3).
pub(super) fn free(folder: &Path) -> std::io::Result<u64> {
    let disk = nix::sys::statvfs::statvfs(folder)?;
    // The types differ among the architectures.
    #[allow(clippy::unnecessary_cast)]
    Ok((disk.blocks_available() as u64).saturating_mul(disk.fragment_size() as u64))
}

/// A look at the room in a data folder.
pub(super) struct Room<'a> {
    pub folder: &'a Path,
    /// Where uploads lie while they arrive.
    pub incoming: PathBuf,
    pub limits: &'a Limits,
    pub free: fn(&Path) -> std::io::Result<u64>,
}

impl Room<'_> {
    /// Whether a file of `size` bytes may be kept, where `before` bytes are replaced by it;
    /// `None` when it is a new one.
    ///
    /// # Errors
    /// 409 when there are too many, 507 when they are too large together.
    pub fn admit(&self, kind: Kind, before: Option<u64>, size: u64) -> Result<(), Problem> {
        let (most, most_bytes) = kind.limit(self.limits);
        // The database is one file, which is replaced.
        let used = match kind {
            Kind::Headphones => {
                Used { files: usize::from(before.is_some()), bytes: before.unwrap_or(0) }
            }
            kind => self.used(&self.folder.join(kind.folder()))?,
        };
        if before.is_none() && used.files >= most {
            return Err(too_many(kind, most));
        }
        // What replaces something larger is always taken: it makes room.
        let before = before.unwrap_or(0);
        if size > before && used.bytes - before.min(used.bytes) + size > most_bytes {
            return Err(full(
                format!(
                    "{} bytes of kind {} are kept, {size} more are sent; accepted are {most_bytes}",
                    used.bytes - before.min(used.bytes),
                    kind.name()
                ),
                format!("Delete a {} first.", kind.name()),
            ));
        }
        Ok(())
    }

    /// Whether `size` more bytes may be written.
    ///
    /// # Errors
    /// 507 when everything together is too large, or the disk too full.
    pub fn write(&self, size: u64) -> Result<(), Problem> {
        // The files beside the folders are the headphone database and a few small ones.
        let mut total = self.used(&self.incoming)?.bytes + self.used(self.folder)?.bytes;
        for (_, folder) in Kind::FOLDERS {
            total += self.used(&self.folder.join(folder))?.bytes;
        }
        let most = self.limits.total_bytes;
        if total + size > most {
            return Err(full(
                format!("{total} bytes are kept in all, {size} more are sent; accepted are {most}"),
                "Delete filters, presets or equalisers that are not used.",
            ));
        }
        self.floor(size)
    }

    /// Whether `size` more bytes leave enough room on the disk.
    ///
    /// # Errors
    /// 507 when they do not.
    pub fn floor(&self, size: u64) -> Result<(), Problem> {
        let free = (self.free)(self.folder).map_err(|error| {
            Problem::failed(format!("cannot ask for the room on the disk: {error}"))
        })?;
        let floor = self.limits.free_bytes;
        if free < floor.saturating_add(size) {
            return Err(full(
                format!(
                    "the disk has {free} bytes free; {floor} stay free for the journal and the settings"
                ),
                "Delete filters that are not used. Core dumps fill the disk, too: coredumpctl list.",
            ));
        }
        Ok(())
    }

    fn used(&self, folder: &Path) -> Result<Used, Problem> {
        used(folder).map_err(|error| super::failed("look into", folder, &error))
    }
}

/// There are as many as are kept.
pub(super) fn too_many(kind: Kind, most: usize) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "too-many",
        "There are too many of them",
        format!("{most} of kind {} are kept, and no more are accepted", kind.name()),
        "Delete some first.",
    )
}

/// There is no room.
pub(super) fn full(detail: String, action: impl Into<String>) -> Problem {
    Problem::new(
        StatusCode::INSUFFICIENT_STORAGE,
        "storage-full",
        "There is no room for it",
        detail,
        action,
    )
}
