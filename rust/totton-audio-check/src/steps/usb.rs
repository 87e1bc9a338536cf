//! The USB port at which the box is a device.

use totton_audio_gadget::status::{State, Status};

use super::{Finding, Plan};
use crate::device::{Device, Machine, Unread};
use crate::report::Group;

/// The program that sets the gadget up; `status` only reads.
pub const GADGET: &str = "/usr/local/bin/totton-audio-gadget-setup";

/// The port's controller on an Orin, by reports.
const ORIN: &str = "3550000.usb";

pub const PLANS: &[Plan] = &[
    Plan {
        id: "udc",
        group: Group::Usb,
        title: "Device controller",
        expected: "one in /sys/class/udc; on an Orin 3550000.usb",
        jetson: false,
        look: udc,
    },
    Plan {
        id: "gadget",
        group: Group::Usb,
        title: "Gadget",
        expected: "bound, with sound card (UAC2) and network (NCM)",
        jetson: false,
        look: gadget,
    },
    Plan {
        id: "isochronous",
        group: Group::Usb,
        title: "Isochronous endpoints",
        expected: "UAC2 is bound to tegra-xudc: the layer's kernel patch is in force",
        jetson: true,
        look: isochronous,
    },
];

fn udc(device: &Device) -> Result<Finding, Unread> {
    let names = device.names("sys/class/udc");
    let orin = device.machine() == Machine::Jetson;
    Ok(match names.as_slice() {
        [] => Finding::failed(
            "none",
            "The driver of the port is not loaded (Orin: tegra-xudc), or the port is a host now: \
             see journalctl -b -k | grep -i -e xudc -e usb-role, and plug a computer in.",
        ),
        [name] if orin && name != ORIN => Finding::warning(
            name.clone(),
            format!(
                "Reports name {ORIN}; if the gadget is bound, all is well: report the name with the board's."
            ),
        ),
        [name] => Finding::ok(name.clone()),
        several => Finding::warning(
            several.join(", "),
            "Say in /etc/totton-audio/gadget.d which one leads to the computer (udc).",
        ),
    })
}

/// What the gadget's own program says of it.
fn status(device: &Device) -> Result<Status, Unread> {
    // Its exit status says the same as the text.
    let said = device.run(GADGET, &["status", "--json"])?;
    serde_json::from_str(&said.out).map_err(|error| {
        Unread::Failed(format!("{GADGET} status --json: {error}; {}", said.err.trim()))
    })
}

fn gadget(device: &Device) -> Result<Finding, Unread> {
    let status = status(device)?;
    let cable = status.udc_state.as_deref().unwrap_or("cable not known");
    let found = match (&status.udc, status.state) {
        (Some(udc), State::Bound) => format!("{} on {udc}, {cable}", status.functions.join(" + ")),
        (_, State::Bound | State::Unbound) => "there, but not bound".to_owned(),
        (_, State::Absent) => "absent".to_owned(),
    };
    if let Some(reason) = &status.degraded {
        return Ok(Finding::failed(
            format!("{found}; no sound card: {reason}"),
            "On an Orin the kernel patch 0001-usb-gadget-tegra-xudc-declare-isochronous-endpoints is not in the kernel, \
             or not enough: see journalctl -b -k | grep -i -e xudc -e uac2 -e configfs.",
        ));
    }
    if status.state != State::Bound {
        let reason = status.problem.map(|reason| format!(": {reason}")).unwrap_or_default();
        return Ok(Finding::failed(
            format!("{found}{reason}"),
            "See journalctl -b -u totton-audio-gadget; then systemctl restart totton-audio-gadget.",
        ));
    }
    let lacks: Vec<_> = ["uac2", "ncm"]
        .into_iter()
        .filter(|wanted| !status.functions.iter().any(|one| one == wanted))
        .collect();
    Ok(match (&status.network_interface, lacks.as_slice()) {
        (Some(interface), []) => Finding::ok(format!("{found}, {interface}")),
        (None, []) => Finding::failed(
            format!("{found}, no network interface"),
            "See journalctl -b -k | grep -i ncm.",
        ),
        (_, lacks) => Finding::failed(
            format!("{found}, without {}", lacks.join(", ")),
            "The configuration asks for less (/etc/totton-audio/gadget.d), or another gadget stands there: \
             totton-audio-gadget-setup status.",
        ),
    })
}

fn isochronous(device: &Device) -> Result<Finding, Unread> {
    let status = status(device)?;
    let uac2 = status.functions.iter().any(|function| function == "uac2");
    Ok(match (&status.udc, status.state) {
        (Some(udc), State::Bound) if uac2 => Finding::ok(format!("UAC2 is bound to {udc}")),
        (Some(udc), State::Bound) => Finding::failed(
            format!("UAC2 is not bound to {udc}"),
            "The kernel patch 0001-usb-gadget-tegra-xudc-declare-isochronous-endpoints is not in the kernel, or not \
             enough: send journalctl -b -k | grep -i -e xudc -e uac2 -e configfs.",
        ),
        _ => Finding::failed("not known: no gadget is bound", "Mend the step \"Gadget\" first."),
    })
}
