//! The GPU, as the upsampler needs it.

use super::{Finding, Plan};
use crate::device::{Device, Unread};
use crate::report::Group;

pub const PLANS: &[Plan] = &[
    Plan {
        id: "gpu",
        group: Group::Gpu,
        title: "GPU",
        expected: "NVIDIA's, in the device tree, with a driver",
        jetson: true,
        look: gpu,
    },
    Plan {
        id: "gpu-nodes",
        group: Group::Gpu,
        title: "GPU's nodes",
        expected: "/dev/nvgpu/igpu0/ctrl, /dev/nvhost-gpu or the like, /dev/nvmap: group video, 0660",
        jetson: true,
        look: nodes,
    },
    Plan {
        id: "gpu-libraries",
        group: Group::Gpu,
        title: "CUDA's libraries",
        expected: "libcuda, libcufft",
        jetson: true,
        look: libraries,
    },
    Plan {
        id: "gpu-power",
        group: Group::Gpu,
        title: "GPU's power control",
        expected: "on: the GPU does not sleep between two blocks",
        jetson: true,
        look: power,
    },
    Plan {
        id: "engine",
        group: Group::Gpu,
        title: "Engine",
        expected: "the daemon names the CUDA engine",
        jetson: true,
        look: engine,
    },
];

/// The GPU's folder in sysfs: the device tree names it NVIDIA's.
fn folder(device: &Device) -> Option<String> {
    let folders = device.names("sys/bus/platform/devices");
    folders.into_iter().filter(|name| name.ends_with(".gpu")).find_map(|name| {
        let folder = format!("sys/bus/platform/devices/{name}");
        let uevent = device.text(&format!("{folder}/uevent")).ok()?;
        let nvidia = |line: &str| {
            let value = line.strip_prefix("OF_COMPATIBLE_").and_then(|rest| rest.split_once('='));
            value.is_some_and(|(number, name)| {
                number.bytes().all(|byte| byte.is_ascii_digit()) && name.starts_with("nvidia,")
            })
        };
        uevent.lines().any(nvidia).then_some(folder)
    })
}

fn no_gpu() -> Finding {
    Finding::failed(
        "/sys/bus/platform/devices has no *.gpu of NVIDIA's",
        "The daemon plays on the processor. Report the board, with ls /sys/bus/platform/devices.",
    )
}

/// The name of its driver, from the link in sysfs.
fn driver(device: &Device, folder: &str) -> Option<String> {
    let name = device.resolve(&format!("{folder}/driver"))?;
    Some(name.file_name()?.to_string_lossy().into_owned())
}

fn gpu(device: &Device) -> Result<Finding, Unread> {
    let Some(folder) = folder(device) else { return Ok(no_gpu()) };
    let name = folder.rsplit('/').next().unwrap_or_default();
    Ok(match driver(device, &folder) {
        Some(driver) => Finding::ok(format!("{name}, driver {driver}")),
        None => Finding::failed(
            format!("{name} without a driver"),
            "nvgpu is not loaded: see lsmod, /usr/lib/modules-load.d, and journalctl -b -k | grep -i nvgpu.",
        ),
    })
}

fn nodes(device: &Device) -> Result<Finding, Unread> {
    let mut nodes = vec!["dev/nvgpu/igpu0/ctrl".to_owned(), "dev/nvmap".to_owned()];
    let hosts = device.names("dev");
    let hosts: Vec<_> = hosts.iter().filter(|name| name.starts_with("nvhost-")).collect();
    nodes.extend(hosts.iter().map(|name| format!("dev/{name}")));
    let (mut missing, mut closed) = (Vec::new(), Vec::new());
    for path in &nodes {
        match device.node(path) {
            Ok(node) if node.group == "video" && node.mode == 0o660 => {}
            Ok(node) => closed.push(format!("/{path} {} {:04o}", node.group, node.mode)),
            Err(Unread::Missing(_)) => missing.push(format!("/{path}")),
            Err(unread) => return Err(unread),
        }
    }
    if hosts.is_empty() {
        missing.push("/dev/nvhost-*".to_owned());
    }
    Ok(if !missing.is_empty() {
        Finding::failed(
            format!("no {}", missing.join(", ")),
            "The driver is not loaded, or the nodes have other names (docs/decisions/0007): \
             send ls -lR /dev/nvgpu /dev/nvhost-* /dev/nvmap, and journalctl -b -k | grep -i nvgpu.",
        )
    } else if !closed.is_empty() {
        Finding::failed(
            closed.join(", "),
            "The rule of 80-totton-audio.rules did not meet them, so the daemon may not use them: \
             udevadm test /sys/class/... shows which rule comes later.",
        )
    } else {
        Finding::ok(format!("{} nodes, group video, 0660", nodes.len()))
    })
}

/// A library of NVIDIA's, in the places where the loader looks.
fn library(device: &Device, name: &str) -> Option<String> {
    let mut folders: Vec<String> =
        ["usr/lib", "usr/lib64", "usr/lib/aarch64-linux-gnu", "lib"].map(str::to_owned).into();
    for list in device.names("etc/ld.so.conf.d") {
        let text = device.text(&format!("etc/ld.so.conf.d/{list}")).unwrap_or_default();
        let lines = text.lines().map(str::trim).filter(|line| line.starts_with('/'));
        folders.extend(lines.map(|line| line.trim_start_matches('/').to_owned()));
    }
    folders.iter().find_map(|folder| {
        let names = device.names(folder);
        // libcuda.so.1, libcufft.so.12: without a version it is for compilers.
        let found = names
            .iter()
            .find(|one| one.strip_prefix(name).is_some_and(|rest| rest.starts_with(".so.")))?;
        device.path(folder).join(found).exists().then(|| format!("/{folder}/{found}"))
    })
}

fn libraries(device: &Device) -> Result<Finding, Unread> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for name in ["libcuda", "libcufft"] {
        match library(device, name) {
            Some(path) => found.push(path),
            None => missing.push(name),
        }
    }
    Ok(if missing.is_empty() {
        Finding::ok(found.join(", "))
    } else {
        Finding::failed(
            format!("no {}", missing.join(", ")),
            "packagegroup-totton-cuda is not in the image, or /etc/ld.so.conf.d lacks their folder: ldconfig -p | grep -i cu.",
        )
    })
}

fn power(device: &Device) -> Result<Finding, Unread> {
    let Some(folder) = folder(device) else { return Ok(no_gpu()) };
    let control = device.text(&format!("{folder}/power/control"))?;
    Ok(if control == "on" {
        Finding::ok(control)
    } else {
        let driver = driver(device, &folder).unwrap_or_else(|| "none".to_owned());
        Finding::failed(
            format!("{control}; driver {driver}"),
            "The rule of 80-totton-audio.rules names the drivers gk20a and nvgpu: report this driver's name. \
             Until then: echo on > the GPU's power/control.",
        )
    })
}

fn engine(device: &Device) -> Result<Finding, Unread> {
    let status = &device.telemetry()?.status;
    let Some(engine) = &status.engine else {
        return Ok(Finding::warning(
            format!("no engine yet: {}", status.message),
            "It is named once a stream is open: connect the DAC, play something, and look again.",
        ));
    };
    let reason =
        engine.backend_reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let found = format!("{}{reason}", engine.backend);
    Ok(if engine.backend != "cuda" {
        Finding::failed(
            found,
            "If upsampler-bench finds the GPU, the daemon's sandbox keeps something from CUDA: take away \
             SystemCallFilter=, NoExecPaths=, InaccessiblePaths= by drop-ins, one after the other, and report which it was.",
        )
    } else if status.counters.gpu_faults > 0 {
        Finding::warning(
            format!("{found}; the GPU failed or was late {} times", status.counters.gpu_faults),
            "See journalctl -b -u gpu-upsampler, and tegrastats while it plays.",
        )
    } else {
        Finding::ok(format!("{found}, load {:.0} %", engine.load * 100.0))
    })
}
