//! How the system was started.

use super::{Finding, Plan};
use crate::device::{Device, Machine, Unread};
use crate::report::Group;

pub const PLANS: &[Plan] = &[
    Plan {
        id: "board",
        group: Group::Start,
        title: "Board",
        expected: "a Jetson Orin, by the device tree (nvidia,tegra234)",
        jetson: false,
        look: board,
    },
    Plan {
        id: "command-line",
        group: Group::Start,
        title: "Kernel command line",
        expected: "has ro, systemd.machine_id=firmware and panic=10",
        jetson: true,
        look: command_line,
    },
    Plan {
        id: "machine-id",
        group: Group::Start,
        title: "Machine number",
        expected: "the firmware's, the same at each start",
        jetson: true,
        look: machine_id,
    },
];

fn board(device: &Device) -> Result<Finding, Unread> {
    let model = device.model();
    Ok(match device.machine() {
        Machine::Jetson => Finding::ok(model),
        Machine::Virtual => Finding::not_here(model, "this is a virtual machine"),
        Machine::Other => {
            Finding::not_here(model.clone(), format!("the device tree names no Orin: {model}"))
        }
    })
}

fn command_line(device: &Device) -> Result<Finding, Unread> {
    let line = device.text("proc/cmdline")?;
    let words: Vec<_> = line.split_whitespace().collect();
    let lacks: Vec<_> = ["ro", "systemd.machine_id=firmware", "panic=10"]
        .into_iter()
        .filter(|wanted| !words.contains(wanted))
        .collect();
    if lacks.is_empty() {
        return Ok(Finding::ok("has all three"));
    }
    Ok(Finding::failed(
        format!("lacks {}: {line}", lacks.join(", ")),
        "KERNEL_ARGS of distro/totton.conf did not reach extlinux.conf: see /boot/extlinux/extlinux.conf and APPEND there.",
    ))
}

/// Each start with a number of its own makes a folder of its own in the journal.
fn machine_id(device: &Device) -> Result<Finding, Unread> {
    let id = device.text("etc/machine-id")?;
    let journals = device.listed("var/log/journal")?;
    let others = journals.iter().filter(|name| name.len() == 32 && **name != id).count();
    if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let found = format!("/etc/machine-id says {id:?}");
        let action =
            "The firmware gave no machine number (SMBIOS or device tree): report the board's name.";
        return Ok(Finding::failed(found, action));
    }
    if others > 0 {
        return Ok(Finding::failed(
            format!("the journal has {others} other numbers"),
            "The number changes from start to start, so old logs are not found: report the board's name. \
             If the root's image was made anew on purpose, remove the old folders in /var/log/journal.",
        ));
    }
    Ok(Finding::ok("one, and the journal knows no other"))
}
