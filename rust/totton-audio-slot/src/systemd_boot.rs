//! systemd-boot, on the QEMU machine: it counts the starts in the names of the slots' entries.
//!
//! `totton-b+3.conf` has three starts left, `totton-b+2-1.conf` two after one; at `+0-3` the
//! slot comes last of all. `totton-b.conf` is good. Of the others the highest version is
//! started. ([Boot Loader Specification](https://uapi-group.org/specifications/specs/boot_loader_specification/),
//! "Boot counting".)
//!
//! On a FAT file system a rename is several writes, and a new name has no bytes at first: an
//! entry is empty for a moment, which systemd-boot ignores. So no step takes away the only
//! entry of a slot that is good; where two entries of one slot are found, the one of the higher
//! version tells, and of two as new the plain one, which `confirm` has just written.
//!
//! Left to chance is one thing: systemd-boot counts by a rename, for which UEFI's FAT driver
//! removes the old name before it makes the new one. With the power cut between the two, the slot on
//! trial has no entry: the trial is over, the slot before stays, `status` says "not good".

use std::io;

use crate::error::{Error, Result};
use crate::loader::{BootLoader, Outcome, Reason, Start, Status, TRIES, Tries};
use crate::slot::Slot;

pub const ENTRIES: &str = "loader/entries";

/// The ESP.
///
/// Each call that changes something is on the disk when it returns: what is written after it must
/// not reach the disk before it. With the power cut within a call, its own writes may be there in
/// any part and any order. On Linux' vfat that takes:
///
/// - `write`: create or truncate, write everything, `fsync` of the file, `fsync` of its folder;
/// - `rename`: `rename`, `fsync` of the file by its new name (its size and first cluster are written
///   after the name), `fsync` of the folder;
/// - `remove`: `unlink`, `fsync` of the folder;
/// - `place_kernel`: as `write`, into the kernel's own name: no entry names it at that moment;
/// - never `sync`, which does not flush the drive's cache for vfat. `fsync` of a file or of a
///   folder does.
///
/// No call needs another name to be kept: `write` is only asked for names that no boot loader reads,
/// and `rename` may lose both names.
pub trait Esp {
    /// Names in a folder; none if there is no such folder.
    fn names(&self, folder: &str) -> io::Result<Vec<String>>;
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>>;
    fn write(&mut self, path: &str, bytes: &[u8]) -> io::Result<()>;
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&mut self, path: &str) -> io::Result<()>;

    /// An update has brought a kernel, which is not on the ESP yet.
    fn kernel_brought(&self) -> bool;
    /// Copies it to the ESP.
    fn place_kernel(&mut self, path: &str) -> io::Result<()>;
    /// Whether a file has any bytes.
    fn filled(&self, path: &str) -> io::Result<bool>;
}

/// An entry of a slot, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    path: String,
    slot: Slot,
    /// Starts left; None: not counted.
    left: Option<u8>,
    /// Starts had.
    had: u8,
}

impl Entry {
    fn parse(name: &str) -> Option<Entry> {
        let stem = name.strip_prefix("totton-")?.strip_suffix(".conf")?;
        let (slot, counter) = match stem.split_once('+') {
            Some((slot, counter)) => (slot, Some(counter)),
            None => (stem, None),
        };
        let (left, had) = match counter {
            None => (None, 0),
            Some(counter) => {
                let (left, had) = counter.split_once('-').unwrap_or((counter, "0"));
                (Some(left.parse().ok()?), had.parse().ok()?)
            }
        };
        Some(Entry { path: format!("{ENTRIES}/{name}"), slot: slot.parse().ok()?, left, had })
    }
}

#[derive(Clone, Debug)]
pub struct SystemdBoot<E> {
    esp: E,
    running: Slot,
}

fn good_path(slot: Slot) -> String {
    format!("{ENTRIES}/totton-{slot}.conf")
}

fn kernel_path(slot: Slot) -> String {
    format!("totton/{slot}/Image")
}

fn version(entry: &str) -> u32 {
    entry.lines().find_map(|line| line.strip_prefix("version")?.trim().parse().ok()).unwrap_or(0)
}

/// The entry of `slot`, with the kernel's options as `from` has them.
fn entry_for(slot: Slot, version: u32, from: &str) -> String {
    let root = |word: &str| match word.strip_prefix("root=PARTLABEL=") {
        Some(_) => format!("root=PARTLABEL={}", slot.partition()),
        None => word.to_owned(),
    };
    let line = |line: &str| match line.split_once(char::is_whitespace) {
        Some(("title", _)) => format!("title Totton Audio (slot {slot})"),
        Some(("version", _)) => format!("version {version}"),
        Some(("linux", _)) => format!("linux /{}", kernel_path(slot)),
        Some(("options", words)) => {
            format!("options {}", words.split_whitespace().map(root).collect::<Vec<_>>().join(" "))
        }
        _ => line.to_owned(),
    };
    from.lines().map(|text| line(text) + "\n").collect()
}

impl<E: Esp> SystemdBoot<E> {
    pub fn new(esp: E, running: Slot) -> Self {
        SystemdBoot { esp, running }
    }

    pub fn esp(&self) -> &E {
        &self.esp
    }

    pub fn into_esp(self) -> E {
        self.esp
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        self.esp
            .read(path)
            .map_err(|source| Error::Read { what: format!("{path} on the ESP"), source })
    }

    fn text(&self, path: &str) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.read(path)?.unwrap_or_default()).into_owned())
    }

    fn remove(&mut self, path: &str) -> Result<()> {
        self.esp
            .remove(path)
            .map_err(|source| Error::Write { what: format!("{path} on the ESP"), source })
    }

    /// The entries of both slots that are not empty: an empty one is what a power cut left.
    fn entries(&self) -> Result<Vec<Entry>> {
        let names = self
            .esp
            .names(ENTRIES)
            .map_err(|source| Error::Read { what: format!("{ENTRIES} on the ESP"), source })?;
        let mut entries = Vec::new();
        for entry in names.iter().filter_map(|name| Entry::parse(name)) {
            if self.read(&entry.path)?.is_some_and(|bytes| !bytes.is_empty()) {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// The entry that tells of a slot: of two, the newer one; of two as new, the plain one, for
    /// then the slot was confirmed.
    fn entry(&self, slot: Slot) -> Result<Option<Entry>> {
        let mut newest: Option<(u32, Entry)> = None;
        for entry in self.entries()?.into_iter().filter(|entry| entry.slot == slot) {
            let rank = (version(&self.text(&entry.path)?), entry.left.is_none());
            if newest.as_ref().is_none_or(|(than, known)| rank > (*than, known.left.is_none())) {
                newest = Some((rank.0, entry));
            }
        }
        Ok(newest.map(|(_, entry)| entry))
    }

    /// All of a slot, the empty ones too.
    fn remove_entries(&mut self, slot: Slot) -> Result<()> {
        let names = self
            .esp
            .names(ENTRIES)
            .map_err(|source| Error::Read { what: format!("{ENTRIES} on the ESP"), source })?;
        for entry in
            names.iter().filter_map(|name| Entry::parse(name)).filter(|entry| entry.slot == slot)
        {
            self.remove(&entry.path)?;
        }
        Ok(())
    }

    fn may_change(&self, slot: Slot) -> Result<()> {
        if slot == self.running {
            return Err(Error::Running(slot));
        }
        if self.entry(self.running)?.is_some_and(|entry| entry.left.is_some()) {
            return Err(Error::OnTrial(self.running));
        }
        Ok(())
    }

    /// Written aside and renamed.
    fn write_entry(&mut self, path: &str, text: &str) -> Result<()> {
        let aside = format!("{path}.new");
        self.esp
            .write(&aside, text.as_bytes())
            .and_then(|()| self.esp.rename(&aside, path))
            .map_err(|source| Error::Write { what: format!("{path} on the ESP"), source })?;
        let found = self.text(path)?;
        if found == text {
            return Ok(());
        }
        Err(Error::NotKept { what: format!("{path} on the ESP"), wanted: text.to_owned(), found })
    }

    /// A slot that was confirmed has the plain entry only.
    fn settle(&mut self) -> Result<()> {
        let Some(Entry { left: None, .. }) = self.entry(self.running)? else { return Ok(()) };
        let counted = self
            .entries()?
            .into_iter()
            .filter(|entry| entry.slot == self.running && entry.left.is_some());
        for entry in counted.collect::<Vec<_>>() {
            self.remove(&entry.path)?;
        }
        Ok(())
    }
}

impl<E: Esp> BootLoader for SystemdBoot<E> {
    fn running(&self) -> Slot {
        self.running
    }

    fn status(&self) -> Result<Status> {
        let tries = |entry: &Option<Entry>| match entry {
            Some(Entry { left: None, .. }) => Tries::Good,
            Some(Entry { left: Some(left @ 1..), .. }) => Tries::Trial(*left),
            // Its last start may be the one that runs.
            Some(Entry { slot, left: Some(0), .. }) if *slot == self.running => Tries::Trial(0),
            _ => Tries::NotGood,
        };
        let (a, b) = (self.entry(Slot::A)?, self.entry(Slot::B)?);
        let other = if self.running == Slot::A { &b } else { &a };
        let lost = other.as_ref().filter(|entry| entry.left == Some(0)).map(|entry| Outcome {
            slot: entry.slot,
            reason: Reason::Starts,
            reached: 0,
        });
        let mut next = self.running;
        let mut best = (false, 0);
        for entry in [&a, &b].into_iter().flatten() {
            let rank = (entry.left != Some(0), version(&self.text(&entry.path)?));
            if rank > best {
                (best, next) = (rank, entry.slot);
            }
        }
        Ok(Status { running: self.running, next, a: tries(&a), b: tries(&b), lost, recoveries: 0 })
    }

    fn open(&mut self, slot: Slot) -> Result<()> {
        self.may_change(slot)?;
        self.remove_entries(slot)
    }

    fn try_slot(&mut self, slot: Slot) -> Result<()> {
        self.may_change(slot)?;
        let from = self.entry(self.running)?.ok_or_else(|| {
            Error::Refused(format!(
                "{ENTRIES}: no entry totton-{}.conf to take the kernel's options from",
                self.running
            ))
        })?;
        let from = self.text(&from.path)?;
        let kernel = kernel_path(slot);
        let there = self
            .esp
            .filled(&kernel)
            .map_err(|source| Error::Read { what: format!("{kernel} on the ESP"), source })?;
        if !there && !self.esp.kernel_brought() {
            return Err(Error::Refused(format!(
                "{kernel}: no kernel for slot {slot}; install an update first"
            )));
        }
        let newest = self
            .entries()?
            .iter()
            .map(|entry| self.text(&entry.path).map(|text| version(&text)))
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .max()
            .unwrap_or(0);
        self.remove_entries(slot)?;
        if self.esp.kernel_brought() {
            self.esp
                .place_kernel(&kernel)
                .map_err(|source| Error::Write { what: format!("{kernel} on the ESP"), source })?;
        }
        let path = format!("{ENTRIES}/totton-{slot}+{TRIES}.conf");
        self.write_entry(&path, &entry_for(slot, newest + 1, &from))
    }

    fn start(&mut self) -> Result<Start> {
        self.settle()?;
        match self.entry(self.running)? {
            Some(Entry { left: Some(_), .. }) => Ok(Start::OnTrial),
            _ => Ok(Start::Good),
        }
    }

    fn confirm(&mut self) -> Result<()> {
        let running = self.running;
        let entry = self.entry(running)?.ok_or_else(|| {
            Error::Refused(format!(
                "{ENTRIES}: no entry totton-{running}*.conf of the slot that runs"
            ))
        })?;
        if entry.left.is_some() {
            let text = self.text(&entry.path)?;
            self.write_entry(&good_path(running), &text)?;
        }
        self.settle()
    }

    fn versions(&self) -> Result<Vec<(&'static str, String)>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_entries() {
        let entry =
            |name: &str| Entry::parse(name).map(|entry| (entry.slot, entry.left, entry.had));
        assert_eq!(entry("totton-a.conf"), Some((Slot::A, None, 0)));
        assert_eq!(entry("totton-b+3.conf"), Some((Slot::B, Some(3), 0)));
        assert_eq!(entry("totton-b+0-3.conf"), Some((Slot::B, Some(0), 3)));
        for other in [
            "totton-c.conf",
            "totton-b.conf.new",
            "totton-b+x.conf",
            "linux.conf",
            "totton-b+3-.conf",
        ] {
            assert_eq!(entry(other), None, "{other}");
        }
    }

    #[test]
    fn an_entry_keeps_the_kernels_options() {
        let a = "title Totton Audio (slot a)\nsort-key totton\nversion 2\nlinux /totton/a/Image\noptions root=PARTLABEL=APP ro rootwait console=ttyAMA0\n";
        assert_eq!(
            entry_for(Slot::B, 3, a),
            "title Totton Audio (slot b)\nsort-key totton\nversion 3\nlinux /totton/b/Image\noptions root=PARTLABEL=APP_b ro rootwait console=ttyAMA0\n"
        );
    }
}
