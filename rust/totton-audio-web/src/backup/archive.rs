//! A backup with the uploaded filters: a tar file of `backup.json` and `filters/NAME.filter`.
//!
//! Read as a stream: no more than one filter is unpacked at a time, to a file of its own that is
//! checked before it counts. Only plain files with names as this box makes them are looked at.
//! Links, folders, long names and other extensions of tar are left out, and not even read.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use tar::{Archive, Builder, EntryType, Header};

use super::report::{Part, Report, Why};
use super::{form, unusable};
use crate::filter_file::{self, Checked, Kept};
use crate::problem::Problem;
use crate::store::{Id, Kind, PartialFile, Store};

/// The name of the document in the archive.
const DOCUMENT: &str = "backup.json";

/// The folder of the filters in the archive.
const FILTERS: &str = "filters/";

/// tar's unit: a header, and what a file is filled up to.
const BLOCK: u64 = 512;

/// Bytes that are unpacked at once.
const CHUNK: usize = 1024 * 1024;

/// The most entries that are looked at.
const ENTRIES: usize = 4096;

/// What a file had in it.
#[derive(Default)]
pub struct Contents {
    /// The document.
    pub document: Vec<u8>,
    /// The filters that can be kept, with the names of their files; none after a mere look.
    pub filters: Vec<(String, Checked)>,
    /// The names by which the daemon will list them, with those of files that are there already.
    pub templates: Vec<String>,
}

/// How a file is looked at.
pub struct Look<'a> {
    pub store: &'a Store,
    /// The largest filter.
    pub largest_filter: u64,
    /// Nothing is kept afterwards.
    pub check: bool,
}

impl Look<'_> {
    /// The most bytes of a whole file.
    pub fn largest(store: &Store) -> u64 {
        let limits = store.limits();
        let headers = (limits.filters as u64 + 8) * 2 * BLOCK;
        form::largest(limits) + limits.filter_bytes + headers
    }

    /// Reads a whole file: the document alone, or an archive.
    ///
    /// # Errors
    /// 422 when it is no backup at all or was cut short. What is wrong with a part of it is in
    /// `report`.
    pub fn read(&self, file: impl Read, report: &mut Report) -> Result<Contents, Problem> {
        let mut file = BufReader::new(file);
        let begin = file.fill_buf().map_err(|error| broken(&error))?;
        if begin.trim_ascii_start().first() == Some(&b'{') {
            let document = self.document(file)?;
            return Ok(Contents { document, ..Contents::default() });
        }
        let mut ended = Ended { inner: file, zeros: 0 };
        let contents = self.entries(&mut ended, report)?;
        if ended.zeros < BLOCK {
            return Err(unusable("the archive was cut short"));
        }
        Ok(contents)
    }

    fn document(&self, reader: impl Read) -> Result<Vec<u8>, Problem> {
        let largest = form::largest(self.store.limits());
        let mut text = Vec::new();
        reader.take(largest + 1).read_to_end(&mut text).map_err(|error| broken(&error))?;
        if text.len() as u64 > largest {
            return Err(unusable(format!(
                "its document is larger than {largest} bytes, which is all that this box may keep"
            )));
        }
        Ok(text)
    }

    fn entries(&self, reader: impl Read, report: &mut Report) -> Result<Contents, Problem> {
        let mut archive = Archive::new(reader);
        let mut contents = Contents::default();
        let (mut names, mut document) = (std::collections::BTreeSet::new(), None);
        let mut room = Remaining::of(self.store)?;
        // Raw: long names and other extensions would be read into memory, however long they are.
        let entries = archive.entries().map_err(|error| broken(&error))?.raw(true);
        for (number, entry) in entries.enumerate() {
            let mut entry = entry.map_err(|error| broken(&error))?;
            if number >= ENTRIES {
                return Err(unusable(format!("it has more than {ENTRIES} entries")));
            }
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            if entry.header().entry_type() != EntryType::Regular {
                report.leave_out(Part::Other, &name, Why::Unknown, "it is no plain file");
            } else if name == DOCUMENT {
                if document.is_some() {
                    report.leave_out(Part::Other, &name, Why::Duplicate, "it is there twice");
                } else {
                    document = Some(self.document(&mut entry)?);
                }
            } else if let Some(file) = name.strip_prefix(FILTERS).filter(|name| named(name)) {
                if !names.insert(file.to_owned()) {
                    report.leave_out(Part::Filters, file, Why::Duplicate, "it is there twice");
                    continue;
                }
                if let Err((why, detail)) =
                    self.filter(file, &mut entry, &mut room, &mut contents, report)
                {
                    report.leave_out(Part::Filters, file, why, detail);
                }
            } else {
                let detail = "accepted are backup.json and filters/NAME-FAMILY-xRATIO.filter";
                report.leave_out(Part::Other, &name, Why::Unknown, detail);
            }
        }
        contents.document = document.ok_or_else(|| unusable("it has no backup.json"))?;
        Ok(contents)
    }

    /// Unpacks and checks one filter.
    fn filter(
        &self,
        name: &str,
        entry: &mut tar::Entry<'_, impl Read>,
        room: &mut Remaining,
        contents: &mut Contents,
        report: &mut Report,
    ) -> Result<(), (Why, String)> {
        let size = entry.header().entry_size().map_err(|e| (Why::NotAccepted, e.to_string()))?;
        if size > self.largest_filter {
            let detail = format!("{size} bytes; accepted are {}", self.largest_filter);
            return Err((Why::NoRoom, detail));
        }
        let no_room = |problem: Problem| (Why::NoRoom, problem.detail().to_owned());
        let mut part = self.store.unpack(size).map_err(no_room)?;
        copy(entry, &mut part).map_err(no_room)?;
        let mut checked = Checked::new(part)
            .map_err(|problem| (Why::NotAccepted, problem.detail().to_owned()))?;
        let told = Id::try_from(stem(name).to_owned()).map(|stem| checked.file_name(&stem));
        if told.as_deref() != Ok(name) {
            return Err((Why::NotAccepted, "its name does not fit what it is made for".into()));
        }
        let template = filter_file::template(name, &checked.header);
        match checked.compare(self.store, name) {
            Kept::Same => {}
            Kept::Other => {
                let detail = "another filter has this name on the box";
                return Err((Why::OtherFilter, detail.into()));
            }
            Kept::New => {
                room.take(size)?;
                report.filters += 1;
                if !self.check {
                    contents.filters.push((name.to_owned(), checked));
                }
            }
        }
        contents.templates.push(template);
        Ok(())
    }
}

/// What of the limits for filters is left.
struct Remaining {
    files: usize,
    bytes: u64,
}

impl Remaining {
    fn of(store: &Store) -> Result<Self, Problem> {
        let (files, bytes) = Kind::Filters.limit(store.limits());
        let used = store.used(Kind::Filters)?;
        Ok(Self {
            files: files.saturating_sub(used.files),
            bytes: bytes.saturating_sub(used.bytes),
        })
    }

    fn take(&mut self, size: u64) -> Result<(), (Why, String)> {
        if self.files == 0 || self.bytes < size {
            return Err((Why::NoRoom, "as many filters are kept as this box may keep".into()));
        }
        self.files -= 1;
        self.bytes -= size;
        Ok(())
    }
}

/// Whether a file has a name as [`Checked::file_name`] makes it.
fn named(name: &str) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let stem = name.strip_suffix(".filter");
    stem.is_some_and(|stem| stem.len() <= 80 && stem.chars().all(known))
}

/// `STEM-FAMILY-xRATIO.filter` → `STEM`.
fn stem(name: &str) -> &str {
    name.rsplitn(3, '-').nth(2).unwrap_or_default()
}

fn copy(entry: &mut impl Read, part: &mut PartialFile) -> Result<(), Problem> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let mut filled = 0;
        while filled < CHUNK {
            match entry.read(&mut chunk[filled..]).map_err(|error| broken(&error))? {
                0 => break,
                count => filled += count,
            }
        }
        if filled == 0 {
            return Ok(());
        }
        part.append(&chunk[..filled])?;
    }
}

fn broken(error: &std::io::Error) -> Problem {
    unusable(error.to_string())
}

/// Counts the zero bytes at the end of what was read: an archive ends with a block of them.
struct Ended<R> {
    inner: R,
    zeros: u64,
}

impl<R: Read> Read for Ended<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let zeros = buffer[..count].iter().rev().take_while(|byte| **byte == 0).count();
        self.zeros = if zeros == count { self.zeros } else { 0 } + zeros as u64;
        Ok(count)
    }
}

/// The uploaded filters that go into an archive, with their sizes.
///
/// # Errors
/// 500 when the folder cannot be read.
pub fn filters(store: &Store) -> Result<Vec<(String, u64)>, Problem> {
    let mut found = store.files(Kind::Filters)?;
    found.retain(|(name, _)| named(name));
    found.sort();
    Ok(found)
}

/// How many bytes an archive of these files has.
pub fn length(document: &[u8], filters: &[(String, u64)]) -> u64 {
    let sizes = filters.iter().map(|(_, size)| *size).chain([document.len() as u64]);
    sizes.map(|size| BLOCK + size.next_multiple_of(BLOCK)).sum::<u64>() + 2 * BLOCK
}

/// Writes an archive.
///
/// # Errors
/// When a filter cannot be read, is not as long as it was, or nobody takes what is written.
pub fn write(
    to: impl Write,
    document: &[u8],
    folder: &Path,
    filters: &[(String, u64)],
) -> std::io::Result<()> {
    let header = |size| {
        let mut header = Header::new_ustar();
        header.set_size(size);
        header.set_mode(0o644);
        header
    };
    let mut archive = Builder::new(to);
    archive.append_data(&mut header(document.len() as u64), DOCUMENT, document)?;
    for (name, size) in filters {
        let file = File::open(folder.join(name))?;
        if file.metadata()?.len() != *size {
            return Err(std::io::Error::other(format!("{name} changed meanwhile")));
        }
        let name = format!("{FILTERS}{name}");
        archive.append_data(&mut header(*size), name, file.take(*size))?;
    }
    archive.into_inner()?.flush()
}
