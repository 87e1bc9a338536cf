//! The DAC, and how the audio threads are favoured.

use super::{Finding, Plan};
use crate::device::{Device, Machine, Unread};
use crate::report::Group;

pub const PLANS: &[Plan] = &[
    Plan {
        id: "dac",
        group: Group::Sound,
        title: "DAC",
        expected: "a USB sound card that plays",
        jetson: false,
        look: dac,
    },
    Plan {
        id: "dac-power",
        group: Group::Sound,
        title: "DAC's power control",
        expected: "on: the DAC stays awake between two pieces",
        jetson: false,
        look: dac_power,
    },
    Plan {
        id: "preemption",
        group: Group::RealTime,
        title: "Kernel",
        expected: "preemptible (PREEMPT or PREEMPT_RT)",
        jetson: false,
        look: preemption,
    },
    Plan {
        id: "limits",
        group: Group::RealTime,
        title: "Daemon's limits",
        expected: "real-time priority 99, locked memory without limit",
        jetson: false,
        look: limits,
    },
    Plan {
        id: "scheduling",
        group: Group::RealTime,
        title: "Audio threads",
        expected: "SCHED_FIFO, memory locked, nothing refused",
        jetson: false,
        look: scheduling,
    },
    Plan {
        id: "governor",
        group: Group::RealTime,
        title: "Processor's clock",
        expected: "a governor that follows the load, or performance",
        jetson: false,
        look: governor,
    },
];

/// A USB device that plays sound.
struct Card {
    name: String,
    /// Its folder in sysfs.
    folder: String,
}

/// USB devices with an audio streaming interface (class 01, subclass 02), but our own gadget,
/// where the box is plugged into itself.
fn cards(device: &Device) -> Vec<Card> {
    const ALL: &str = "sys/bus/usb/devices";
    let all = device.names(ALL);
    let streams = |interface: &str| {
        let of = |file: &str| device.text(&format!("{ALL}/{interface}/{file}")).unwrap_or_default();
        of("bInterfaceClass") == "01" && of("bInterfaceSubClass") == "02"
    };
    all.iter()
        .filter(|name| !name.contains(':'))
        .filter(|name| {
            all.iter().any(|one| {
                one.strip_prefix(*name).is_some_and(|rest| rest.starts_with(':')) && streams(one)
            })
        })
        .filter_map(|name| {
            let folder = format!("{ALL}/{name}");
            let of = |file: &str| device.text(&format!("{folder}/{file}")).unwrap_or_default();
            let id = format!("{}:{}", of("idVendor"), of("idProduct"));
            let name = format!("{} ({id})", of("product"));
            (id != "1d6b:0104").then_some(Card { name, folder })
        })
        .collect()
}

/// The step's end where there is no DAC.
fn no_card(device: &Device) -> Finding {
    if device.machine() == Machine::Virtual {
        return Finding::not_here("", "this is a virtual machine, without a USB DAC");
    }
    Finding::warning("none", "Connect a DAC to a USB-A port, switch it on, and look again.")
}

fn dac(device: &Device) -> Result<Finding, Unread> {
    let cards = cards(device);
    if cards.is_empty() {
        return Ok(no_card(device));
    }
    let names: Vec<_> = cards.iter().map(|card| card.name.as_str()).collect();
    let names = names.join(", ");
    let known = device.text("proc/asound/cards").unwrap_or_default();
    if !known.contains("USB-Audio") {
        return Ok(Finding::failed(
            format!("{names}, but ALSA has no card of it"),
            "snd-usb-audio is not loaded, or does not know the DAC: see journalctl -b -k | grep -i usb-audio, and send lsusb -v.",
        ));
    }
    Ok(match device.telemetry() {
        Ok(telemetry) => match &telemetry.status.output {
            Some(output) => {
                Finding::ok(format!("{names}; plays at {} Hz by {}", output.rate, output.name))
            }
            None => Finding::ok(format!("{names}; {}", telemetry.status.message)),
        },
        Err(_) => Finding::ok(names),
    })
}

fn dac_power(device: &Device) -> Result<Finding, Unread> {
    let cards = cards(device);
    if cards.is_empty() {
        return Ok(no_card(device));
    }
    let mut asleep = Vec::new();
    for card in &cards {
        if device.text(&format!("{}/power/control", card.folder))? != "on" {
            asleep.push(card.name.as_str());
        }
    }
    Ok(if asleep.is_empty() {
        Finding::ok("on")
    } else {
        Finding::failed(
            format!("auto: {}", asleep.join(", ")),
            "The rule of 80-totton-audio.rules did not meet it: send udevadm info of it (ID_USB_INTERFACES).",
        )
    })
}

fn preemption(device: &Device) -> Result<Finding, Unread> {
    let version = device.text("proc/version")?;
    if device.text("sys/kernel/realtime").is_ok_and(|word| word == "1") {
        return Ok(Finding::ok("PREEMPT_RT"));
    }
    // `#1 SMP PREEMPT_DYNAMIC ...`
    let word = version.split_whitespace().find(|word| word.starts_with("PREEMPT"));
    let release = version.split_whitespace().nth(2).unwrap_or_default();
    Ok(match word {
        Some(word) => Finding::ok(format!("{release}, {word}")),
        None => Finding::warning(
            format!("{release}, not preemptible"),
            "Measure with cyclictest -m -p 80 -t 4 -D 10m while it plays; report the maximum.",
        ),
    })
}

fn limits(device: &Device) -> Result<Finding, Unread> {
    let unit = device.unit("gpu-upsampler.service")?;
    let pid: u32 = unit.get("MainPID").and_then(|pid| pid.parse().ok()).unwrap_or(0);
    if pid == 0 {
        let action = "See systemctl status gpu-upsampler.";
        return Ok(Finding::failed("the daemon does not run", action));
    }
    let text = device.text(&format!("proc/{pid}/limits"))?;
    // "Max locked memory         unlimited            unlimited            bytes"
    let soft = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()
    };
    let (priority, memory) = (soft("Max realtime priority"), soft("Max locked memory"));
    let found = format!(
        "real-time priority {}, locked memory {}",
        priority.unwrap_or("not told"),
        memory.unwrap_or("not told")
    );
    Ok(if priority == Some("99") && memory == Some("unlimited") {
        Finding::ok(found)
    } else {
        Finding::failed(
            found,
            "A drop-in takes LimitRTPRIO= or LimitMEMLOCK= away: systemctl cat gpu-upsampler.",
        )
    })
}

fn scheduling(device: &Device) -> Result<Finding, Unread> {
    let real_time = &device.telemetry()?.status.real_time;
    let found = format!(
        "{} {}, memory {}",
        real_time.scheduling,
        real_time.priority,
        if real_time.memory_locked { "locked" } else { "not locked" }
    );
    Ok(if !real_time.refused.is_empty() {
        Finding::failed(
            format!("{found}; refused: {}", real_time.refused.join("; ")),
            "See systemctl cat gpu-upsampler (LimitRTPRIO=, CAP_SYS_NICE), and whether the kernel has RT_GROUP_SCHED.",
        )
    } else if real_time.scheduling == "fifo" && real_time.memory_locked {
        Finding::ok(found)
    } else {
        Finding::warning(
            found,
            "The configuration asks for less: see [real_time] in /etc/totton-audio/upsampler.d.",
        )
    })
}

fn governor(device: &Device) -> Result<Finding, Unread> {
    const FOLDER: &str = "sys/devices/system/cpu/cpufreq";
    let mut found = Vec::new();
    for policy in device.names(FOLDER).iter().filter(|name| name.starts_with("policy")) {
        found.push(device.text(&format!("{FOLDER}/{policy}/scaling_governor"))?);
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        return Ok(if device.machine() == Machine::Jetson {
            Finding::warning(
                "the kernel does not set the processor's clock",
                "The driver tegra194-cpufreq is not loaded: report it.",
            )
        } else {
            Finding::not_here("", "this machine's kernel does not set the processor's clock")
        });
    }
    let slow = found.iter().any(|name| matches!(name.as_str(), "powersave" | "userspace"));
    let found = found.join(", ");
    Ok(if slow {
        Finding::warning(
            found,
            "The processor may stay slow while it has to render: see what has set it, and nvpmodel -q.",
        )
    } else {
        Finding::ok(found)
    })
}
