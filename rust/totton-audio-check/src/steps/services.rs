//! What systemd runs.

use super::{Finding, Plan};
use crate::device::{Device, Machine, Unread};
use crate::report::Group;
use crate::systemd::{self, NVIDIA_VERIFIER, UNITS};

pub const PLANS: &[Plan] = &[
    Plan {
        id: "failed-units",
        group: Group::Services,
        title: "Failed units",
        expected: "none",
        jetson: false,
        look: failed_units,
    },
    Plan {
        id: "services",
        group: Group::Services,
        title: "The three services",
        expected: "gadget, daemon and page active, none started again",
        jetson: false,
        look: services,
    },
    Plan {
        id: "nvidia-verifier",
        group: Group::Services,
        title: "NVIDIA's confirmation",
        expected: "nv_update_verifier is disabled or not in the image: the health check confirms a start",
        jetson: true,
        look: nvidia_verifier,
    },
    Plan {
        id: "watchdog",
        group: Group::Services,
        title: "Hardware watchdog",
        expected: "systemd has it armed",
        jetson: false,
        look: watchdog,
    },
    Plan {
        id: "boot-time",
        group: Group::Services,
        title: "Time to start",
        expected: "gadget within 10 s, sound 30 s, page 35 s from the kernel's start",
        jetson: false,
        look: boot_time,
    },
];

fn failed_units(device: &Device) -> Result<Finding, Unread> {
    let arguments = ["list-units", "--failed", "--plain", "--no-legend", "--no-pager"];
    let text = systemd::ask(&|words| device.run("systemctl", words), &arguments)?;
    let units: Vec<_> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    Ok(if units.is_empty() {
        Finding::ok("none")
    } else {
        Finding::failed(units.join(", "), format!("See journalctl -b -u {}.", units.join(" -u ")))
    })
}

fn services(device: &Device) -> Result<Finding, Unread> {
    let services = systemd::services(device.units()?);
    let away: Vec<_> = UNITS
        .into_iter()
        .filter_map(|name| {
            let state =
                services.iter().find(|unit| unit.name == name).map(|unit| unit.state.as_str());
            (state != Some("active")).then(|| (name, state.unwrap_or("not known")))
        })
        .collect();
    if !away.is_empty() {
        let names: Vec<_> = away.iter().map(|(name, _)| *name).collect();
        let states: Vec<_> =
            away.iter().map(|(name, state)| format!("{name} is {state}")).collect();
        let action = format!(
            "See systemctl status {}, and journalctl -b -u {}.",
            names.join(" "),
            names.join(" -u ")
        );
        return Ok(Finding::failed(states.join(", "), action));
    }
    let restarted: Vec<_> = services
        .iter()
        .filter(|unit| unit.restarts > 0)
        .map(|unit| format!("{} {} times", unit.name, unit.restarts))
        .collect();
    Ok(if restarted.is_empty() {
        Finding::ok("active")
    } else {
        Finding::warning(
            format!("active; started again: {}", restarted.join(", ")),
            "See why it ended: journalctl -b -p warning, coredumpctl list.",
        )
    })
}

fn nvidia_verifier(device: &Device) -> Result<Finding, Unread> {
    let unit = device.unit(NVIDIA_VERIFIER)?;
    let has = |key: &str, value: &str| unit.get(key).is_some_and(|found| found == value);
    let enabled = has("UnitFileState", "enabled") || has("UnitFileState", "enabled-runtime");
    Ok(if enabled || has("ActiveState", "active") {
        Finding::failed(
            "it runs: every start is called good at once",
            "SYSTEMD_AUTO_ENABLE of tegra-redundant-boot is not in force: see the layer's bbappend.",
        )
    } else if unit.is_empty() || has("LoadState", "not-found") {
        Finding::ok("not in the image")
    } else {
        Finding::ok("disabled")
    })
}

fn watchdog(device: &Device) -> Result<Finding, Unread> {
    const HARDWARE: &str = "sys/class/watchdog/watchdog0";
    if !device.has(HARDWARE) {
        return Ok(if device.machine() == Machine::Jetson {
            Finding::failed(
                "the kernel knows of none",
                "A hang is not ended by itself: see journalctl -b -k | grep -i -e watchdog -e wdt for the driver (watchdog-tegra-t18x).",
            )
        } else {
            Finding::not_here("", "this machine has no hardware watchdog")
        });
    }
    let manager = device.manager()?;
    let of = |key: &str| manager.get(key).map_or("", String::as_str);
    let name =
        device.text(&format!("{HARDWARE}/identity")).unwrap_or_else(|_| "watchdog0".to_owned());
    // systemd sets the first only when it has opened the device; older ones have no second.
    let wanted = !matches!(of("RuntimeWatchdogUSec"), "" | "0" | "infinity");
    let pinged = !matches!(of("WatchdogLastPingTimestampMonotonic"), "" | "0");
    // The kernel's own word, where it was built with it (CONFIG_WATCHDOG_SYSFS).
    let state = device.text(&format!("{HARDWARE}/state")).ok();
    let armed = wanted && pinged && state.as_deref().is_none_or(|state| state == "active");
    Ok(if armed {
        Finding::ok(format!("{name}, {}", of("RuntimeWatchdogUSec")))
    } else {
        Finding::failed(
            format!(
                "{name}: not armed (systemd wants {:?}; the kernel says {})",
                of("RuntimeWatchdogUSec"),
                state.as_deref().unwrap_or("nothing")
            ),
            "See wdctl, RuntimeWatchdogSec= in system.conf.d, and journalctl -b _PID=1 | grep -i watchdog.",
        )
    })
}

fn boot_time(device: &Device) -> Result<Finding, Unread> {
    let boot = systemd::milestones(&systemd::services(device.units()?), device.manager()?);
    let timed: Vec<_> = boot.iter().filter(|point| point.budget_seconds.is_some()).collect();
    let told = |point: &&systemd::Milestone| {
        point
            .seconds
            .map_or(format!("{} not yet", point.name), |at| format!("{} {at:.1} s", point.name))
    };
    let found = timed.iter().map(told).collect::<Vec<_>>().join(", ");
    if device.machine() == Machine::Virtual {
        return Ok(Finding::not_here(
            found,
            "the times are meant for a board; this is a virtual machine",
        ));
    }
    let restarted = systemd::services(device.units()?).iter().any(|unit| unit.restarts > 0);
    let late = |point: &&&systemd::Milestone| {
        point.seconds.is_none_or(|at| point.budget_seconds.is_some_and(|most| at > most))
    };
    let late: Vec<_> = timed.iter().filter(late).map(|point| point.name).collect();
    Ok(if late.is_empty() {
        Finding::ok(found)
    } else if restarted {
        let action = "A service was started again, so this is not the start's time: look again after a restart of the box.";
        Finding::warning(found, action)
    } else {
        // A service that was restarted by hand, or by the page, counts from there.
        Finding::warning(
            format!("{found}: late: {}", late.join(", ")),
            "Look again after a restart of the box; if it stays so, send systemd-analyze critical-chain totton-audio-web.service.",
        )
    })
}
