//! The device, read below a root prefix: tests lay out a folder.

use std::ffi::CStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use totton_protocol::Telemetry;

use crate::answers::{Answers, Said, Unanswered};
use crate::systemd::{self, Properties};

/// The most that is read of a file.
const MOST: u64 = 1 << 20;

/// What kind of machine this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// An Orin, by the device tree.
    Jetson,
    /// A virtual machine.
    Virtual,
    /// Any other.
    Other,
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    Missing(String),
    NeedsRoot(String),
    Failed(String),
}

impl Unread {
    fn of(path: &str, error: &io::Error) -> Self {
        let words = format!("/{path}: {error}");
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                Self::Missing(format!("no /{path}"))
            }
            io::ErrorKind::PermissionDenied => Self::NeedsRoot(words),
            _ => Self::Failed(words),
        }
    }
}

impl From<Unanswered> for Unread {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Absent(words) => Self::Missing(words),
            Unanswered::Denied(words) => Self::NeedsRoot(words),
            Unanswered::Failed(words) => Self::Failed(words),
        }
    }
}

/// Who may use a file of `/dev`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub group: String,
    /// Permission bits.
    pub mode: u32,
}

/// The device under test.
pub struct Device {
    root: PathBuf,
    now: SystemTime,
    answers: Box<dyn Answers>,
    // Asked once, whichever steps want to know.
    units: OnceLock<Result<Vec<Properties>, Unanswered>>,
    manager: OnceLock<Result<Properties, Unanswered>>,
    telemetry: OnceLock<Result<Telemetry, Unanswered>>,
}

impl Device {
    /// The device whose files are below `root`, at this moment.
    pub fn new(root: impl Into<PathBuf>, now: SystemTime, answers: Box<dyn Answers>) -> Self {
        Self {
            root: root.into(),
            now,
            answers,
            units: OnceLock::new(),
            manager: OnceLock::new(),
            telemetry: OnceLock::new(),
        }
    }

    /// The system clock.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.now
    }

    /// A path from the root, without its first `/`, as it is to be opened.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Whether there is something at this path.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        fs::symlink_metadata(self.path(path)).is_ok()
    }

    /// A file's text, without white space and zero bytes around it.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn text(&self, path: &str) -> Result<String, Unread> {
        let read = || {
            let mut bytes = Vec::new();
            let file = File::open(self.path(path))?;
            // What is waited for when it is opened or read (a pipe) holds the step only.
            file.take(MOST).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text: String = read().map_err(|error| Unread::of(path, &error))?;
        Ok(text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).to_owned())
    }

    /// Names in a folder, sorted; none where there is no such folder.
    #[must_use]
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// A folder's names.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn listed(&self, folder: &str) -> Result<Vec<String>, Unread> {
        fs::read_dir(self.path(folder)).map_err(|error| Unread::of(folder, &error))?;
        Ok(self.names(folder))
    }

    /// When a file was last written.
    ///
    /// # Errors
    /// Why it cannot be told.
    pub fn written(&self, path: &str) -> Result<SystemTime, Unread> {
        fs::metadata(self.path(path))
            .and_then(|metadata| metadata.modified())
            .map_err(|error| Unread::of(path, &error))
    }

    /// Where a link leads, to the end.
    #[must_use]
    pub fn resolve(&self, path: &str) -> Option<PathBuf> {
        fs::canonicalize(self.path(path)).ok()
    }

    /// Who may use a node of `/dev`.
    ///
    /// # Errors
    /// Why it cannot be told.
    pub fn node(&self, path: &str) -> Result<Node, Unread> {
        let metadata =
            fs::symlink_metadata(self.path(path)).map_err(|error| Unread::of(path, &error))?;
        let group = self.group(metadata.gid());
        // Below a prefix a file stands for a node.
        if self.root == Path::new("/") && !metadata.file_type().is_char_device() {
            return Err(Unread::Failed(format!("/{path} is no device")));
        }
        Ok(Node { group, mode: metadata.mode() & 0o777 })
    }

    fn group(&self, number: u32) -> String {
        let groups = self.text("etc/group").unwrap_or_default();
        let name = groups.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(number)).then(|| name.to_owned())
        });
        name.unwrap_or_else(|| number.to_string())
    }

    /// The board's name for itself.
    #[must_use]
    pub fn model(&self) -> String {
        ["proc/device-tree/model", "sys/class/dmi/id/product_name"]
            .iter()
            .find_map(|path| self.text(path).ok().filter(|text| !text.is_empty()))
            .unwrap_or_else(|| "unknown".to_owned())
    }

    /// What kind of machine this is.
    #[must_use]
    pub fn machine(&self) -> Machine {
        let tree = fs::read(self.path("proc/device-tree/compatible")).unwrap_or_default();
        let is = |wanted: &CStr| {
            tree.split_inclusive(|byte| *byte == 0).any(|one| one == wanted.to_bytes_with_nul())
        };
        if is(c"nvidia,tegra234") {
            return Machine::Jetson;
        }
        let vendor = self.text("sys/class/dmi/id/sys_vendor").unwrap_or_default();
        if is(c"linux,dummy-virt") || vendor == "QEMU" { Machine::Virtual } else { Machine::Other }
    }

    /// Runs a program that only reads.
    ///
    /// # Errors
    /// As [`Answers::run`].
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<Said, Unanswered> {
        self.answers.run(program, arguments)
    }

    /// systemd's properties of a unit, by its whole name.
    ///
    /// # Errors
    /// When systemd cannot be asked.
    pub fn unit(&self, name: &str) -> Result<Properties, Unanswered> {
        let units = self.units()?;
        Ok(units
            .iter()
            .find(|unit| unit.get("Id").is_some_and(|id| id == name))
            .cloned()
            .unwrap_or_default())
    }

    /// systemd's properties of the product's units.
    ///
    /// # Errors
    /// When systemd cannot be asked.
    pub fn units(&self) -> Result<&[Properties], Unanswered> {
        let asked =
            self.units.get_or_init(|| systemd::properties(&|words| self.run("systemctl", words)));
        asked.as_deref().map_err(Clone::clone)
    }

    /// systemd's own properties.
    ///
    /// # Errors
    /// When systemd cannot be asked.
    pub fn manager(&self) -> Result<&Properties, Unanswered> {
        let asked =
            self.manager.get_or_init(|| systemd::manager(&|words| self.run("systemctl", words)));
        asked.as_ref().map_err(Clone::clone)
    }

    /// What the audio daemon publishes.
    ///
    /// # Errors
    /// When it does not.
    pub fn telemetry(&self) -> Result<&Telemetry, Unanswered> {
        self.telemetry.get_or_init(|| self.answers.telemetry()).as_ref().map_err(Clone::clone)
    }
}
