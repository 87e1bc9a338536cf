//! A disk that loses its power, or a call, at any step: whatever it then holds,
//! the settings are the old ones or the new ones.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use totton_protocol::settings::{Foreign, Stored};
use totton_protocol::{Equaliser, Settings, Sound};

use super::disk::{Disk, RealDisk};
use super::file::{self, FileError};

/// A file's content: what is certain, and what was written since.
#[derive(Debug, Clone, Default)]
struct Node {
    durable: Vec<u8>,
    latest: Vec<u8>,
}

/// A change of a folder that is not certain yet.
#[derive(Debug, Clone)]
enum Change {
    Name(PathBuf, usize),
    Drop(PathBuf),
}

/// What breaks off at a step.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Break {
    /// The call fails with this error number and does half of its work.
    Error(i32),
    /// The power goes: this call and all later ones fail; half of the work may be done.
    Power,
}

#[derive(Debug, Clone, Default)]
struct FaultyDisk {
    nodes: Vec<Node>,
    durable: BTreeMap<PathBuf, usize>,
    latest: BTreeMap<PathBuf, usize>,
    pending: Vec<Change>,
    steps: usize,
    broken: Option<(usize, Break)>,
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl FaultyDisk {
    /// Whether this step breaks off, and with what.
    fn step(&mut self) -> Option<io::Error> {
        let step = self.steps;
        self.steps += 1;
        match self.broken? {
            (at, Break::Error(number)) if step == at => Some(io::Error::from_raw_os_error(number)),
            (at, Break::Power) if step >= at => Some(io::Error::other("no power")),
            _ => None,
        }
    }

    fn node(&mut self, file: &Path) -> io::Result<&mut Node> {
        let node = *self.latest.get(file).ok_or_else(missing)?;
        Ok(&mut self.nodes[node])
    }

    /// Every state that the disk may come back in. Of each file any part of what was written may
    /// be there, of the changes of the folder any of them: file systems write in any order.
    fn after_power_cut(&self) -> Vec<Self> {
        let mut states = vec![];
        for chosen in 0..1u32 << self.pending.len() {
            let mut names = self.durable.clone();
            for (bit, change) in self.pending.iter().enumerate() {
                match change {
                    _ if chosen & 1 << bit == 0 => {}
                    Change::Name(name, node) => drop(names.insert(name.clone(), *node)),
                    Change::Drop(name) => drop(names.remove(name)),
                }
            }
            for part in 0..=4 {
                let content = |node: &Node| {
                    let whole = node.latest == node.durable;
                    let cut = node.latest.len() * part / 4;
                    if whole { node.durable.clone() } else { node.latest[..cut].to_vec() }
                };
                let nodes = self.nodes.iter().map(|node| {
                    let content = content(node);
                    Node { durable: content.clone(), latest: content }
                });
                states.push(Self {
                    nodes: nodes.collect(),
                    durable: names.clone(),
                    latest: names.clone(),
                    ..Self::default()
                });
            }
        }
        states
    }
}

impl Disk for FaultyDisk {
    fn read(&mut self, file: &Path) -> io::Result<Vec<u8>> {
        self.node(file).map(|node| node.latest.clone())
    }

    fn write(&mut self, file: &Path, content: &[u8]) -> io::Result<()> {
        let error = self.step();
        let node = match self.latest.get(file) {
            Some(node) => *node,
            None => {
                self.nodes.push(Node::default());
                self.latest.insert(file.to_owned(), self.nodes.len() - 1);
                self.pending.push(Change::Name(file.to_owned(), self.nodes.len() - 1));
                self.nodes.len() - 1
            }
        };
        let done = if error.is_some() { content.len() / 2 } else { content.len() };
        self.nodes[node].latest = content[..done].to_vec();
        error.map_or(Ok(()), Err)
    }

    fn sync(&mut self, file: &Path) -> io::Result<()> {
        if let Some(error) = self.step() {
            return Err(error);
        }
        let node = self.node(file)?;
        node.durable = node.latest.clone();
        Ok(())
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        if let Some(error) = self.step() {
            return Err(error);
        }
        let node = self.latest.remove(from).ok_or_else(missing)?;
        self.latest.insert(to.to_owned(), node);
        self.pending.push(Change::Name(to.to_owned(), node));
        self.pending.push(Change::Drop(from.to_owned()));
        Ok(())
    }

    fn sync_folder(&mut self, _: &Path) -> io::Result<()> {
        if let Some(error) = self.step() {
            return Err(error);
        }
        self.durable = self.latest.clone();
        self.pending.clear();
        Ok(())
    }

    fn remove(&mut self, file: &Path) -> io::Result<()> {
        if let Some(error) = self.step() {
            return Err(error);
        }
        self.latest.remove(file).ok_or_else(missing)?;
        self.pending.push(Change::Drop(file.to_owned()));
        Ok(())
    }
}

fn place() -> &'static Path {
    Path::new("/data/settings.json")
}

fn old() -> Settings {
    Settings { sound: Sound { gain_db: -20.0, ..Sound::default() }, ..Settings::default() }
}

/// Longer than the old one, so that a mixture of both shows.
fn new() -> Settings {
    let equaliser = Equaliser {
        name: "new".parse().unwrap(),
        text: "Preamp: -1 dB\n".repeat(50).parse().unwrap(),
    };
    Settings { equaliser: Some(equaliser), ..Settings::default() }
}

/// How a change is written.
type Write = fn(&mut dyn Disk, &Path, &Settings) -> Result<(), FileError>;

/// A disk that holds the old settings for certain.
fn with_old_settings() -> FaultyDisk {
    let mut disk = FaultyDisk::default();
    write(&mut disk, place(), &old()).unwrap();
    FaultyDisk { steps: 0, ..disk }
}

fn write(disk: &mut dyn Disk, file: &Path, settings: &Settings) -> Result<(), FileError> {
    file::write(disk, file, settings, &Foreign::default())
}

/// Cuts the power at each step of `write`; gives every state in which the settings are neither
/// the old nor the new ones.
fn losses(write: Write) -> Vec<String> {
    let mut lost = vec![];
    for at in 0.. {
        let mut disk = FaultyDisk { broken: Some((at, Break::Power)), ..with_old_settings() };
        let done = write(&mut disk, place(), &new());
        let reached = disk.steps > at;
        for (number, mut state) in disk.after_power_cut().into_iter().enumerate() {
            match file::read(&mut state, place()) {
                Ok(Some(Stored { settings: found, .. }))
                    if found == new() || found == old() && done.is_err() => {}
                other => lost.push(format!("step {at}, state {number}: {other:?}")),
            }
        }
        if !reached {
            // Without a cut: the new ones are certain, whatever comes.
            done.unwrap();
            break;
        }
    }
    lost
}

#[test]
fn a_power_cut_at_any_step_leaves_the_old_or_the_new_settings() {
    assert_eq!(losses(write), Vec::<String>::new());
}

#[test]
fn the_disk_finds_the_loss_where_a_step_is_left_out() {
    fn bytes(settings: &Settings) -> Vec<u8> {
        serde_json::to_vec(settings).unwrap()
    }
    let in_place: Write = |disk, file, settings| {
        let failed = |source| FileError::Write { file: file.to_owned(), source };
        disk.write(file, &bytes(settings)).and_then(|()| disk.sync(file)).map_err(failed)
    };
    let without_sync: Write = |disk, file, settings| {
        let failed = |source| FileError::Write { file: file.to_owned(), source };
        let part = file.with_extension("new");
        disk.write(&part, &bytes(settings)).and_then(|()| disk.rename(&part, file)).map_err(failed)
    };
    let without_sync_of_the_folder: Write = |disk, file, settings| {
        let failed = |source| FileError::Write { file: file.to_owned(), source };
        let part = file.with_extension("new");
        disk.write(&part, &bytes(settings)).map_err(failed)?;
        disk.sync(&part).and_then(|()| disk.rename(&part, file)).map_err(failed)
    };
    for broken in [in_place, without_sync, without_sync_of_the_folder] {
        assert_ne!(losses(broken), Vec::<String>::new());
    }
}

#[test]
fn a_call_that_fails_at_any_step_leaves_the_old_or_the_new_settings_and_no_debris() {
    for error in [libc::ENOSPC, libc::EIO, libc::EROFS] {
        for at in 0..4 {
            let mut disk =
                FaultyDisk { broken: Some((at, Break::Error(error))), ..with_old_settings() };
            let failure = write(&mut disk, place(), &new()).unwrap_err();
            assert_eq!(failure.is_disk_full(), error == libc::ENOSPC);
            let found = file::read(&mut disk, place()).unwrap().unwrap();
            assert_eq!(found.settings, if at < 3 { old() } else { new() }, "step {at}");
            assert_eq!(disk.latest.len(), 1, "step {at}: {:?}", disk.latest);
            // And the next attempt gets there.
            write(&mut disk, place(), &new()).unwrap();
            for mut state in disk.after_power_cut() {
                assert_eq!(file::read(&mut state, place()).unwrap().unwrap().settings, new());
            }
        }
    }
}

#[test]
fn what_is_no_settings_is_kept_aside_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.json");
    assert_eq!(file::read(&mut RealDisk, &file).unwrap(), None);
    write(&mut RealDisk, &file, &new()).unwrap();
    assert_eq!(file::read(&mut RealDisk, &file).unwrap().unwrap().settings, new());
    for bad in [&b"{"[..], b"", b"[]"] {
        std::fs::write(&file, bad).unwrap();
        let told = file::read(&mut RealDisk, &file).unwrap_err().to_string();
        assert!(told.contains("settings.json are not used, the defaults are, muted: "), "{told}");
        assert_eq!(std::fs::read(folder.path().join("settings.bad")).unwrap(), bad);
        assert!(!file.exists());
    }
}
