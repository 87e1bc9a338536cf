//! Slots, firmware, temperatures.

use super::{Finding, Plan};
use crate::device::{Device, Machine, Unread};
use crate::report::Group;
use crate::{slots, thermal};

pub const PLANS: &[Plan] = &[
    Plan {
        id: "slots",
        group: Group::Slots,
        title: "Slots",
        expected: "a or b runs, not on trial; the other did not fail",
        jetson: false,
        look: slots,
    },
    Plan {
        id: "hardware-revision",
        group: Group::Slots,
        title: "Name for updates",
        expected: "/etc/hwrevision: the machine's name and 1",
        jetson: true,
        look: hardware_revision,
    },
    Plan {
        id: "firmware",
        group: Group::Slots,
        title: "Firmware",
        expected: "its version, by the ESRT",
        jetson: true,
        look: firmware,
    },
    Plan {
        id: "temperature",
        group: Group::Board,
        title: "Temperature",
        expected: "below the lowest limit of each zone",
        jetson: false,
        look: temperature,
    },
];

fn slots(device: &Device) -> Result<Finding, Unread> {
    let slots = match slots::read(device) {
        Ok(slots) => slots,
        Err(slots::Unknown::NoSlots(words)) if device.machine() != Machine::Jetson => {
            return Ok(Finding::not_here("", words));
        }
        Err(slots::Unknown::NoSlots(words)) => {
            let action = "Flash the image anew with scripts/flash: an Orin has slots a and b.";
            return Ok(Finding::failed(words, action));
        }
        Err(slots::Unknown::Unread(unread)) => return Err(unread),
    };
    Ok(if slots.lost {
        Finding::warning(
            slots.words,
            "An update did not come up and was left: see journalctl -t totton-audio-slot -t totton-audio-health, then install it again or another.",
        )
    } else if slots.trial {
        Finding::warning(
            slots.words,
            "It is confirmed after a healthy minute: look again, then journalctl -b -u totton-audio-health.",
        )
    } else {
        Finding::ok(slots.words)
    })
}

fn hardware_revision(device: &Device) -> Result<Finding, Unread> {
    let text = device.text("etc/hwrevision")?;
    Ok(match text.split_whitespace().collect::<Vec<_>>().as_slice() {
        [_, "1"] => Finding::ok(text),
        _ => Finding::failed(
            format!("{text:?}"),
            "SWUpdate will refuse every update: the recipe totton-audio-update writes the machine's name and 1.",
        ),
    })
}

/// The ESRT is for those with CAP_SYS_ADMIN; the SMBIOS tells a version to everybody.
fn firmware(device: &Device) -> Result<Finding, Unread> {
    let bios = device.text("sys/class/dmi/id/bios_version").ok();
    let bios = bios.map(|version| format!("UEFI {version}"));
    match device.text("sys/firmware/efi/esrt/entries/entry0/fw_version") {
        Ok(version) => {
            let bios = bios.map(|bios| format!(", {bios}")).unwrap_or_default();
            let status = device.text("sys/firmware/efi/esrt/entries/entry0/last_attempt_status");
            Ok(match status.as_deref() {
                Ok("0") | Err(_) => Finding::ok(format!("{version}{bios}")),
                Ok(code) => Finding::warning(
                    format!("{version}{bios}; its last update ended with status {code}"),
                    "1 unsuccessful, 2 no resources, 3 wrong version, 4 wrong format, 5 not authentic, 6 and 7 power: \
                     install the update again.",
                ),
            })
        }
        Err(Unread::NeedsRoot(words)) => Ok(match bios {
            Some(bios) => Finding::ok(format!("{bios} (the ESRT needs root)")),
            None => Finding::from(Unread::NeedsRoot(words)),
        }),
        Err(Unread::Missing(words)) => Ok(Finding::failed(
            words,
            "Updates of the firmware cannot be told: the kernel was not started by UEFI, or the firmware has no ESRT; report it.",
        )),
        Err(unread) => Err(unread),
    }
}

fn temperature(device: &Device) -> Result<Finding, Unread> {
    let zones = thermal::zones(&device.path("sys/class/thermal"));
    let Some(warmest) =
        zones.iter().max_by(|a, b| a.temperature.celsius.total_cmp(&b.temperature.celsius))
    else {
        return Ok(if device.machine() == Machine::Jetson {
            Finding::warning(
                "no thermometer",
                "The driver of the thermal zones is not loaded (tegra-bpmp-thermal): report it.",
            )
        } else {
            Finding::not_here("", "this machine has no thermometer")
        });
    };
    let told = |zone: &thermal::Zone| {
        format!("{} {:.1} °C", zone.temperature.name, zone.temperature.celsius)
    };
    let hot: Vec<_> = zones
        .iter()
        .filter(|zone| zone.limit.is_some_and(|limit| zone.temperature.celsius >= limit))
        .map(told)
        .collect();
    Ok(if hot.is_empty() {
        Finding::ok(format!("warmest of {}: {}", zones.len(), told(warmest)))
    } else {
        Finding::failed(
            format!("the board is slowed down or about to switch off: {}", hot.join(", ")),
            "See whether the fan turns and the vents are free; note the power model (nvpmodel -q).",
        )
    })
}
