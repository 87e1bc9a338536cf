//! The ESP under systemd-boot: FAT, as a power cut leaves it.
//!
//! Each call is several writes to the directory; those of one epoch (up to the next fsync) may
//! reach the disk in any order, so a cut leaves any subset of them.

use std::io;

use totton_audio_slot::Slot;
use totton_audio_slot::systemd_boot::Esp;

/// `totton-a.conf`, `totton-b+2-1.conf`; `aside`: with `.new` after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    pub slot: Slot,
    pub left: Option<u8>,
    pub had: u8,
    pub aside: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Text {
    Empty,
    Whole { slot: Slot, version: u8 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    None,
    Whole,
    Part,
}

const MOST: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Files {
    /// In the order of their names.
    entries: [Option<(Name, Text)>; MOST],
    pub kernels: [Kernel; 2],
    /// An update's kernel is in `/run`.
    pub brought: bool,
}

impl Name {
    pub fn plain(slot: Slot) -> Name {
        Name { slot, left: None, had: 0, aside: false }
    }

    fn parse(name: &str) -> Name {
        let aside = name.ends_with(".new");
        let name = name.trim_end_matches(".new");
        let stem = name.strip_prefix("totton-").unwrap().strip_suffix(".conf").unwrap();
        let (slot, counter) = stem.split_once('+').map_or((stem, None), |(s, c)| (s, Some(c)));
        let (left, had) = match counter {
            None => (None, 0),
            Some(counter) => {
                let (left, had) = counter.split_once('-').unwrap_or((counter, "0"));
                (Some(left.parse().unwrap()), had.parse().unwrap())
            }
        };
        Name { slot: slot.parse().unwrap(), left, had, aside }
    }

    pub fn text(self) -> String {
        let counter = match (self.left, self.had) {
            (None, _) => String::new(),
            (Some(left), 0) => format!("+{left}"),
            (Some(left), had) => format!("+{left}-{had}"),
        };
        format!("totton-{}{counter}.conf{}", self.slot, if self.aside { ".new" } else { "" })
    }
}

fn name(path: &str) -> Name {
    Name::parse(path.strip_prefix("loader/entries/").expect("an entry"))
}

pub fn render(slot: Slot, version: u8) -> String {
    format!(
        "title Totton Audio (slot {slot})\nsort-key totton\nversion {version}\nlinux /totton/{slot}/Image\noptions root=PARTLABEL={} ro\n",
        slot.partition()
    )
}

fn parse(bytes: &[u8]) -> Text {
    let text = std::str::from_utf8(bytes).unwrap();
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim();
    let slot = value("linux /totton/").trim_end_matches("/Image").parse().unwrap();
    let version = value("version").parse().unwrap();
    assert_eq!(text, render(slot, version), "an entry written by the logic");
    Text::Whole { slot, version }
}

impl Files {
    pub fn new() -> Files {
        let mut files =
            Files { entries: [None; MOST], kernels: [Kernel::Whole; 2], brought: false };
        for (slot, version) in [(Slot::A, 2), (Slot::B, 1)] {
            files.put(Name::plain(slot), Text::Whole { slot, version });
        }
        files
    }

    pub fn entries(&self) -> impl Iterator<Item = (Name, Text)> {
        self.entries.into_iter().flatten()
    }

    pub fn get(&self, name: Name) -> Option<Text> {
        self.entries().find(|(known, _)| *known == name).map(|(_, text)| text)
    }

    pub fn put(&mut self, name: Name, text: Text) {
        self.delete(name);
        let free = self.entries.iter_mut().find(|entry| entry.is_none()).expect("room");
        *free = Some((name, text));
        self.sort();
    }

    pub fn delete(&mut self, name: Name) {
        for entry in &mut self.entries {
            if entry.is_some_and(|(known, _)| known == name) {
                *entry = None;
            }
        }
        self.sort();
    }

    fn sort(&mut self) {
        self.entries.sort_by_key(|entry| (entry.is_none(), entry.map(|(name, _)| name)));
    }

    /// Versions count by their order only: so few of them do.
    pub fn rank(&mut self) {
        let version = |text: Text| match text {
            Text::Whole { version, .. } => Some(version),
            Text::Empty => None,
        };
        let mut known: Vec<u8> = self.entries().filter_map(|(_, text)| version(text)).collect();
        known.sort_unstable();
        known.dedup();
        for (_, text) in self.entries.iter_mut().flatten() {
            if let Text::Whole { version, .. } = text {
                let rank = known.iter().position(|other| other == version).unwrap();
                *version = rank as u8 + 1;
            }
        }
    }

    /// systemd-boot's choice: no starts left comes last, then the higher version, then more
    /// starts left (`boot_entry_compare`). It ignores an entry that is empty.
    pub fn chosen(&self) -> Option<(Name, Slot)> {
        let rank = |name: Name, version: u8| {
            (name.left != Some(0), version, name.left.is_none(), name.left)
        };
        self.entries()
            .filter(|(name, _)| !name.aside)
            .filter_map(|(name, text)| match text {
                Text::Whole { slot, version } => Some((rank(name, version), name, slot)),
                Text::Empty => None,
            })
            .max_by_key(|(rank, ..)| *rank)
            .map(|(_, name, slot)| (name, slot))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Open,
    Try,
    Start,
    Confirm,
}

/// A fault put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Nothing is flushed before the command is over: its writes are one epoch.
    OneEpoch,
    /// A renamed file is not flushed itself, only its folder: its size comes later.
    RenameWithoutFile,
    /// `confirm` renames the counted entry.
    ConfirmsByRename,
}

#[derive(Clone, Copy, Debug)]
enum Low {
    Put(Name, Text),
    Delete(Name),
    Kernel(Slot, Kernel),
}

pub struct Session {
    pub files: Files,
    /// What the power cut may leave: in order, with whether it is between two calls.
    pub trail: Vec<(&'static str, Files, bool)>,
    word: Word,
    fault: Fault,
    /// The state at the last flush, and what was written since.
    flushed: Files,
    epoch: Vec<Low>,
    /// A renamed file whose size is not on the disk.
    unsized_yet: Option<(Name, Text, Low)>,
}

impl Session {
    pub fn new(files: Files, word: Word, fault: Fault) -> Session {
        Session {
            files,
            trail: Vec::new(),
            word,
            fault,
            flushed: files,
            epoch: Vec::new(),
            unsized_yet: None,
        }
    }

    fn low(files: &mut Files, low: Low) {
        match low {
            Low::Put(name, text) => files.put(name, text),
            Low::Delete(name) => files.delete(name),
            Low::Kernel(slot, kernel) => files.kernels[usize::from(slot.number())] = kernel,
        }
    }

    fn done(&mut self, what: &'static str, lows: &[Low]) {
        self.epoch.extend_from_slice(lows);
        for low in lows {
            Self::low(&mut self.files, *low);
        }
        for subset in 0..1_u32 << self.epoch.len() {
            let mut files = self.flushed;
            for (number, low) in self.epoch.iter().enumerate() {
                if subset & 1 << number != 0 {
                    Self::low(&mut files, *low);
                }
            }
            self.trail.push((what, files, false));
        }
        self.trail.push((what, self.files, true));
        if self.fault == Fault::OneEpoch {
            return;
        }
        self.flushed = self.files;
        self.epoch.clear();
        if self.fault == Fault::RenameWithoutFile
            && let [Low::Put(to, empty), size, Low::Delete(_)] = *lows
        {
            self.unsized_yet = Some((to, empty, size));
        }
        if let Some((to, empty, size)) = self.unsized_yet {
            self.flushed.put(to, empty);
            self.epoch.push(size);
        }
    }

    fn counted(&self, slot: Slot) -> Option<(Name, Text)> {
        self.files
            .entries()
            .find(|(name, _)| name.slot == slot && name.left.is_some() && !name.aside)
    }
}

impl Esp for &mut Session {
    fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        assert_eq!(folder, "loader/entries");
        Ok(self.files.entries().map(|(name, _)| name.text()).collect())
    }

    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.files.get(name(path)).map(|text| match text {
            Text::Empty => Vec::new(),
            Text::Whole { slot, version } => render(slot, version).into_bytes(),
        }))
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let name = name(path);
        if self.word == Word::Confirm && self.fault == Fault::ConfirmsByRename {
            return Ok(());
        }
        let lows = [Low::Put(name, Text::Empty), Low::Put(name, parse(bytes))];
        self.done("an entry written aside", &lows);
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let (mut from, to) = (name(from), name(to));
        if self.word == Word::Confirm && self.fault == Fault::ConfirmsByRename {
            from = self.counted(to.slot).expect("on trial").0;
        }
        let text = self.files.get(from).ok_or(io::ErrorKind::NotFound)?;
        // The new name has no bytes at first.
        let lows = [Low::Put(to, Text::Empty), Low::Put(to, text), Low::Delete(from)];
        self.done("an entry renamed", &lows);
        Ok(())
    }

    fn remove(&mut self, path: &str) -> io::Result<()> {
        let name = name(path);
        self.done("an entry removed", &[Low::Delete(name)]);
        Ok(())
    }

    fn kernel_brought(&self) -> bool {
        self.files.brought
    }

    fn place_kernel(&mut self, path: &str) -> io::Result<()> {
        let slot: Slot = path[7..8].parse().unwrap();
        let lows = [Low::Kernel(slot, Kernel::Part), Low::Kernel(slot, Kernel::Whole)];
        self.done("the kernel", &lows);
        Ok(())
    }

    fn filled(&self, path: &str) -> io::Result<bool> {
        let slot: Slot = path[7..8].parse().unwrap();
        Ok(self.files.kernels[usize::from(slot.number())] != Kernel::None)
    }
}
