//! Clocks.

use std::time::Duration;

use super::{Finding, Plan};
use crate::device::{Device, Machine, Unread};
use crate::report::Group;

/// A clock that is so much ahead of the build is wrong.
const FUTURE: Duration = Duration::from_secs(20 * 365 * 86400);

pub const PLANS: &[Plan] = &[
    Plan {
        id: "clocksource",
        group: Group::Time,
        title: "Clock source",
        expected: "the processor's own counter (Arm: arch_sys_counter)",
        jetson: false,
        look: clocksource,
    },
    Plan {
        id: "clock",
        group: Group::Time,
        title: "System clock",
        expected: "not before the day on which the system was built",
        jetson: false,
        look: clock,
    },
];

fn clocksource(device: &Device) -> Result<Finding, Unread> {
    let name = device.text("sys/devices/system/clocksource/clocksource0/current_clocksource")?;
    let known = match device.machine() {
        Machine::Jetson => name == "arch_sys_counter",
        _ => matches!(name.as_str(), "arch_sys_counter" | "tsc" | "kvm-clock"),
    };
    Ok(if known {
        Finding::ok(name)
    } else {
        Finding::warning(
            name,
            "The kernel has given the processor's counter up, so drift is measured less well: \
             see journalctl -b -k | grep -i clocksource.",
        )
    })
}

/// The build's date is when these were last written; the first says it on purpose.
fn clock(device: &Device) -> Result<Finding, Unread> {
    let built = match device.written("usr/lib/clock-epoch") {
        Err(Unread::Missing(_)) => device.written("usr/lib/os-release")?,
        other => other?,
    };
    Ok(match device.now().duration_since(built) {
        Err(before) => Finding::failed(
            format!("{} days before the build", days(before.duration())),
            "The dates of the log are wrong. Set it: open the page (it tells the box the computer's time), or date -s.",
        ),
        Ok(after) if after > FUTURE => Finding::failed(
            format!("{} days after the build", days(after)),
            "The battery-backed clock is wrong, or a computer with a wrong clock has set it: set that right, then open the page.",
        ),
        Ok(after) => Finding::ok(format!("{} days after the build", days(after))),
    })
}

fn days(time: Duration) -> u64 {
    time.as_secs() / 86400
}
