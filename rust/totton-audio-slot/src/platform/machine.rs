//! Which slot runs, on which disk, under which boot loader.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::board::OrinBoard;
use super::efivars::EfiVars;
use super::esp::EspDisk;
use super::memory::Memory;
use crate::error::{Error, Result};
use crate::orin::Register;
use crate::slot::Slot;
use crate::systemd_boot::{ENTRIES, Esp};

/// Where SWUpdate leaves what has to go to the ESP, for `try` to copy.
pub const BROUGHT: &str = "/run/totton-audio-update";
/// For tests: a folder that stands before every path, and, with it only, another physical address
/// of the register. Who gives root's programs their environment is root.
const ROOT: &str = "TOTTON_SLOT_ROOT";
const REGISTER: &str = "TOTTON_SLOT_REGISTER";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoaderKind {
    Orin,
    SystemdBoot,
}

/// The device whose slots are meant.
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
    register: u64,
}

/// A partition as the kernel knows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Partition {
    pub label: String,
    /// Its node's name below /dev.
    pub node: String,
    /// "MAJOR:MINOR".
    pub number: String,
}

impl Partition {
    fn from_uevent(text: &str) -> Partition {
        let field = |key: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            found.unwrap_or_default().to_owned()
        };
        Partition {
            label: field("PARTNAME"),
            node: field("DEVNAME"),
            number: format!("{}:{}", field("MAJOR"), field("MINOR")),
        }
    }
}

impl Machine {
    /// The one that this program runs on.
    pub fn here() -> Result<Machine> {
        let Some(root) = std::env::var_os(ROOT) else {
            return Ok(Machine::at(Path::new("/"), Register::ADDRESS));
        };
        let register = match std::env::var(REGISTER) {
            Ok(text) => text
                .strip_prefix("0x")
                .and_then(|digits| u64::from_str_radix(digits, 16).ok())
                .ok_or_else(|| {
                    Error::Refused(format!(
                        "{REGISTER}={text}: give a physical address as 0x0c3903a8"
                    ))
                })?,
            Err(_) => Register::ADDRESS,
        };
        Ok(Machine::at(Path::new(&root), register))
    }

    /// The one whose files lie below `root`.
    pub fn at(root: &Path, register: u64) -> Machine {
        Machine { root: root.to_owned(), register }
    }

    pub fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    fn is_real(&self) -> bool {
        self.root == Path::new("/")
    }

    /// The slot whose partition is mounted as the root file system.
    pub fn running(&self) -> Result<Slot> {
        self.root_partition()
            .and_then(|number| self.partition(&number))
            .and_then(|partition| Slot::from_partition(&partition.label))
            .ok_or(Error::NoSlots)
    }

    /// "MAJOR:MINOR" of the root file system; of two mounts there the later one.
    fn root_partition(&self) -> Option<String> {
        let mounts = fs::read_to_string(self.path("/proc/self/mountinfo")).ok()?;
        let root = mounts.lines().rev().map(|line| line.split(' ').collect::<Vec<_>>());
        root.into_iter()
            .find(|fields| fields.get(4) == Some(&"/"))
            .map(|fields| fields[2].to_owned())
    }

    fn partition(&self, number: &str) -> Option<Partition> {
        let folder = self.path("/sys/dev/block").join(number);
        fs::read_to_string(folder.join("uevent")).ok().map(|text| Partition::from_uevent(&text))
    }

    /// The ESP of the disk that the root file system is on: another disk may have one, too.
    fn esp_partition(&self) -> Result<Partition> {
        let root = self.root_partition().ok_or(Error::NoSlots)?;
        let what = || format!("/sys/dev/block/{root}");
        let disk = fs::canonicalize(self.path("/sys/dev/block").join(&root))
            .and_then(|folder| fs::read_dir(folder.join("..")))
            .map_err(|source| Error::Read { what: what(), source })?;
        disk.flatten()
            .filter_map(|entry| fs::read_to_string(entry.path().join("uevent")).ok())
            .map(|text| Partition::from_uevent(&text))
            .find(|partition| partition.label == "esp")
            .ok_or_else(|| {
                Error::NoLoader(
                    "the disk of the root file system has no partition called esp".to_owned(),
                )
            })
    }

    pub fn esp(&self) -> Result<EspDisk> {
        let brought = self.path(BROUGHT);
        match self.esp_partition() {
            Ok(esp) => {
                let device = self.path("/dev").join(&esp.node);
                let mounts = fs::read_to_string(self.path("/proc/self/mountinfo"));
                Ok(EspDisk::partition(device, &esp.number, &mounts.unwrap_or_default(), brought))
            }
            // A machine that is made of folders.
            Err(_) if !self.is_real() => Ok(EspDisk::folder(self.path("/boot/efi"), brought)),
            Err(error) => Err(error),
        }
    }

    /// Which boot loader chooses the slot on this machine.
    pub fn loader(&self) -> Result<LoaderKind> {
        if self.is_orin() {
            return Ok(LoaderKind::Orin);
        }
        let entries = self
            .esp()?
            .names(ENTRIES)
            .map_err(|source| Error::Read { what: format!("{ENTRIES} on the ESP"), source })?;
        if entries.is_empty() {
            return Err(Error::NoLoader(format!(
                "this is no Jetson Orin, and {ENTRIES} on the ESP is empty"
            )));
        }
        Ok(LoaderKind::SystemdBoot)
    }

    fn is_orin(&self) -> bool {
        let compatible = fs::read(self.path("/proc/device-tree/compatible")).unwrap_or_default();
        compatible.split(|byte| *byte == 0).any(|name| name == b"nvidia,tegra234")
    }

    pub fn board(&self) -> Result<OrinBoard> {
        let folder = self.path("/sys/firmware/efi/efivars");
        if fs::read_dir(&folder).map_or(true, |mut names| names.next().is_none()) {
            return Err(Error::NoLoader(format!(
                "{} has no EFI variables; is efivarfs mounted?",
                folder.display()
            )));
        }
        Ok(OrinBoard {
            running: self.running()?,
            variables: EfiVars::new(folder),
            memory: Memory::new(self.path("/dev/mem"), self.register),
            esp: self.esp()?,
            versions: self.path("/sys/firmware/efi/esrt/entries/entry0/fw_version"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two disks with the same labels, as sysfs has them: the one of the root file system first or last.
    fn two_disks(root: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "proc/self/mountinfo",
            &format!(
                "21 1 {root} / / ro,relatime shared:1 - ext4 /dev/root ro\n30 21 0:25 / /proc rw - proc proc rw\n"
            ),
        );
        for (disk, major) in [("mmcblk0", 179), ("nvme0n1", 259)] {
            for (minor, label) in [(1, "APP"), (2, "APP_b"), (10, "esp")] {
                let node = format!("{disk}p{minor}");
                let partition = format!("sys/devices/{disk}/{node}");
                write(
                    &format!("{partition}/uevent"),
                    &format!(
                        "MAJOR={major}\nMINOR={minor}\nDEVNAME={node}\nDEVTYPE=partition\nPARTNAME={label}\n"
                    ),
                );
                let links = folder.path().join("sys/dev/block");
                fs::create_dir_all(&links).unwrap();
                std::os::unix::fs::symlink(
                    folder.path().join(partition),
                    links.join(format!("{major}:{minor}")),
                )
                .unwrap();
            }
        }
        folder
    }

    #[test]
    fn slot_and_esp_are_those_of_the_disk_of_the_root_file_system() {
        for (root, slot, node) in
            [("179:1", Slot::A, "mmcblk0p10"), ("259:2", Slot::B, "nvme0n1p10")]
        {
            let folder = two_disks(root);
            let machine = Machine::at(folder.path(), 0);
            assert_eq!(machine.running().unwrap(), slot);
            assert_eq!(machine.esp_partition().unwrap().node, node);
        }
    }

    #[test]
    fn a_root_on_another_partition_is_no_slot() {
        let folder = two_disks("259:10");
        assert!(matches!(Machine::at(folder.path(), 0).running(), Err(Error::NoSlots)));
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Machine::at(folder.path(), 0).running(), Err(Error::NoSlots)));
    }
}
