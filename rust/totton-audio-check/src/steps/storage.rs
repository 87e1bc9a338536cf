//! Where things are mounted.

use super::{Finding, Plan};
use crate::device::{Device, Machine, Unread};
use crate::mounts::Mount;
use crate::report::Group;

/// Where the data partition is mounted.
const DATA: &str = "/opt/totton_audio/data";

pub const PLANS: &[Plan] = &[
    Plan {
        id: "root",
        group: Group::Storage,
        title: "Root file system",
        expected: "read-only, on the partition APP or APP_b",
        jetson: false,
        look: root,
    },
    Plan {
        id: "data",
        group: Group::Storage,
        title: "Data partition",
        expected: "UDA of the root's disk, writable, nodev, nosuid, noexec",
        jetson: false,
        look: data,
    },
    Plan {
        id: "journal-mount",
        group: Group::Storage,
        title: "Journal's place",
        expected: "/var/log/journal is bound to the data partition",
        jetson: false,
        look: journal_mount,
    },
    Plan {
        id: "journal",
        group: Group::Storage,
        title: "Journal",
        expected: "kept on the disk",
        jetson: false,
        look: journal,
    },
    Plan {
        id: "esp",
        group: Group::Storage,
        title: "EFI partition",
        expected: "/boot/efi: vfat of the root's disk, read-only but while it is written",
        jetson: false,
        look: esp,
    },
];

/// The root, where it is one of two slots; otherwise the step's end.
fn slot(device: &Device) -> Result<Result<Mount, Finding>, Unread> {
    let Some(root) = Mount::at(device, "/")? else {
        let action = "/proc/1/mountinfo names no root: report it with that file.";
        return Ok(Err(Finding::failed("no root file system", action)));
    };
    let label = root.label(device).unwrap_or_default();
    if matches!(label.as_str(), "APP" | "APP_b") {
        return Ok(Ok(root));
    }
    let found = format!("{} on {}", root.kind, root.source);
    Ok(Err(if device.machine() == Machine::Jetson {
        Finding::failed(
            format!("{found}, partition {label:?}"),
            "Flash the image anew with scripts/flash: the partitions are not those of the A/B layout.",
        )
    } else {
        Finding::not_here(
            found,
            "this system has no slots: its root is on no partition APP or APP_b",
        )
    }))
}

fn root(device: &Device) -> Result<Finding, Unread> {
    let root = match slot(device)? {
        Ok(root) => root,
        Err(finding) => return Ok(finding),
    };
    let label = root.label(device).unwrap_or_default();
    Ok(if root.read_only() {
        Finding::ok(format!("read-only on {label}"))
    } else {
        Finding::failed(
            format!("writable on {label}"),
            "Something has remounted it (mount -o remount,rw /), or the kernel's command line lacks ro: restart the box.",
        )
    })
}

fn data(device: &Device) -> Result<Finding, Unread> {
    let root = match slot(device)? {
        Ok(root) => root,
        Err(finding) => return Ok(finding),
    };
    let Some(data) = Mount::at(device, DATA)? else {
        return Ok(Finding::failed(
            "not mounted: nothing that is set outlives a restart",
            "See journalctl -b -u opt-totton_audio-data.mount -u totton-audio-data-format.",
        ));
    };
    let label = data.label(device).unwrap_or_default();
    let (disk, wanted) = (data.disk(device), root.disk(device));
    let found = format!("{label} on {}", disk.as_deref().unwrap_or(&data.source));
    if label != "UDA" {
        let action =
            "The data partition has to be called UDA: flash the image anew with scripts/flash.";
        return Ok(Finding::failed(found, action));
    }
    if disk != wanted {
        return Ok(Finding::failed(
            format!("{found}, the root on {}", wanted.as_deref().unwrap_or("another disk")),
            "Two disks have partitions of these names: take the other one out (an SD card with JetPack?), then restart.",
        ));
    }
    if data.read_only() {
        return Ok(Finding::failed(
            format!("{found}, read-only"),
            "The kernel found a fault of its file system or disk: see journalctl -b -k | grep -i ext4.",
        ));
    }
    let lacks: Vec<_> =
        ["nodev", "nosuid", "noexec"].into_iter().filter(|option| !data.has(option)).collect();
    Ok(if lacks.is_empty() {
        Finding::ok(format!("{found}, writable"))
    } else {
        let action = "opt-totton_audio-data.mount is not what has mounted it: systemctl status opt-totton_audio-data.mount.";
        Finding::failed(format!("{found}, without {}", lacks.join(", ")), action)
    })
}

fn journal_mount(device: &Device) -> Result<Finding, Unread> {
    if let Err(finding) = slot(device)? {
        return Ok(finding);
    }
    let (data, journal) = (Mount::at(device, DATA)?, Mount::at(device, "/var/log/journal")?);
    Ok(match (data, journal) {
        (Some(data), Some(journal)) if data.device == journal.device => {
            Finding::ok(format!("bound to {DATA}{}", journal.folder))
        }
        (_, journal) => Finding::failed(
            journal.map_or("not mounted".to_owned(), |journal| {
                format!("{} is mounted there", journal.source)
            }),
            "The log ends with each restart: see journalctl -b -u var-log-journal.mount.",
        ),
    })
}

/// journald writes to `/run/log/journal` until it may write to the disk.
fn journal(device: &Device) -> Result<Finding, Unread> {
    let id = device.text("etc/machine-id")?;
    let kept = device.listed(&format!("var/log/journal/{id}"));
    match kept {
        Ok(files) if files.iter().any(|name| name == "system.journal") => {
            Ok(Finding::ok(format!("{} files", files.len())))
        }
        Ok(_) | Err(Unread::Missing(_)) => Ok(Finding::failed(
            "only in memory: it ends with each restart",
            "See journalctl -b -u systemd-journal-flush -u var-log-journal.mount, and whether the data partition is full.",
        )),
        Err(unread) => Err(unread),
    }
}

fn esp(device: &Device) -> Result<Finding, Unread> {
    let root = match slot(device)? {
        Ok(root) => root,
        Err(finding) => return Ok(finding),
    };
    let Some(esp) = Mount::at(device, "/boot/efi")? else {
        return Ok(Finding::failed(
            "not mounted: no update can be started",
            "See journalctl -b -u boot-efi.mount.",
        ));
    };
    let found = format!("{} on {}", esp.kind, esp.disk(device).as_deref().unwrap_or(&esp.source));
    Ok(if esp.kind != "vfat" {
        Finding::failed(
            found,
            "The partition esp has another file system: flash the image anew with scripts/flash.",
        )
    } else if esp.disk(device) != root.disk(device) {
        Finding::failed(
            format!(
                "{found}, the root on {}",
                root.disk(device).as_deref().unwrap_or("another disk")
            ),
            "Two disks have an EFI partition: take the other one out, then restart.",
        )
    } else if esp.read_only() {
        Finding::ok(format!("{found}, read-only"))
    } else {
        Finding::warning(
            format!("{found}, writable"),
            "Right only while an update is installed; at other times a power cut may harm it: systemctl restart boot-efi.mount.",
        )
    })
}
