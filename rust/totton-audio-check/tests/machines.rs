//! The steps on whole machines: an Orin with all well, each fault by itself, a virtual machine.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

mod machine;

use std::time::Duration;

use machine::Machine;
use totton_audio_check::answers::Unanswered;
use totton_audio_check::steps::plans;
use totton_audio_check::{Report, Verdict};

#[test]
fn on_an_orin_with_all_well_every_step_is_ok() {
    let report = Machine::jetson().report();
    for step in &report.steps {
        assert_eq!(step.verdict, Verdict::Ok, "{step:?}");
        assert_eq!((&step.why, &step.action), (&None, &None), "{step:?}");
    }
    assert_eq!(report.steps.len(), plans().count());
    assert_eq!((report.failed, report.exit_code()), (false, 0));
}

#[test]
fn on_a_virtual_machine_each_step_of_a_jetson_is_not_here_and_says_why() {
    let report = Machine::virtual_machine().report();
    for (plan, step) in plans().zip(&report.steps) {
        assert_eq!(plan.id, step.id);
        if plan.jetson {
            assert_eq!(step.verdict, Verdict::NotHere, "{step:?}");
            let why = step.why.as_deref().unwrap();
            assert_eq!(why, "only a Jetson has this; this is linux,dummy-virt");
        }
        assert_ne!(step.verdict, Verdict::Failed, "{step:?}");
    }
    let not_here: Vec<_> = report
        .steps
        .iter()
        .zip(plans())
        .filter(|(step, plan)| step.verdict == Verdict::NotHere && !plan.jetson)
        .map(|(step, _)| step.id.as_str())
        .collect();
    let wanted = [
        "board",
        "root",
        "data",
        "journal-mount",
        "esp",
        "watchdog",
        "boot-time",
        "dac",
        "dac-power",
        "governor",
        "slots",
        "temperature",
    ];
    assert_eq!(not_here, wanted);
    assert_eq!(report.exit_code(), 0);
}

type Break = fn(&mut Machine);

/// One fault of an Orin: the step that shows it, how it ends, what it finds, what broke it.
type Fault = (&'static str, Verdict, &'static str, Break);

const GPU: &str = "sys/bus/platform/devices/17000000.gpu";
const MOUNTS: &str = "proc/1/mountinfo";

#[rustfmt::skip]
const FAULTS: &[Fault] = &[
    ("command-line", Verdict::Failed, "lacks ro:", |m| m.edit("proc/cmdline", " ro ", " rw ")),
    ("command-line", Verdict::Failed, "lacks systemd.machine_id=firmware, panic=10", |m| m.edit("proc/cmdline", " systemd.machine_id=firmware panic=10", "")),
    ("machine-id", Verdict::Failed, "1 other numbers", |m| m.file("var/log/journal/fedcba9876543210fedcba9876543210/system.journal", "")),
    ("machine-id", Verdict::Failed, "uninitialized", |m| m.file("etc/machine-id", "uninitialized\n")),
    ("root", Verdict::Failed, "writable on APP", |m| m.edit(MOUNTS, "/ / ro,relatime shared:1 - ext4 /dev/root ro", "/ / rw,relatime shared:1 - ext4 /dev/root rw")),
    ("root", Verdict::Failed, "partition \"rootfs\"", |m| m.disk("nvme0n1", "259", &[("1", "rootfs")])),
    ("data", Verdict::Failed, "not mounted", |m| m.edit(MOUNTS, "/opt/totton_audio/data", "/mnt")),
    ("data", Verdict::Failed, "read-only", |m| m.edit(MOUNTS, "/dev/nvme0n1p15 rw", "/dev/nvme0n1p15 ro")),
    ("data", Verdict::Failed, "without noexec", |m| m.edit(MOUNTS, "nodev,noexec,noatime", "nodev,noatime")),
    ("data", Verdict::Failed, "on mmcblk0, the root on nvme0n1", |m| {
        m.disk("mmcblk0", "179", &[("15", "UDA")]);
        m.edit(MOUNTS, "259:15", "179:15");
    }),
    ("data", Verdict::Failed, "OTHER on nvme0n1", |m| m.disk("nvme0n1", "259", &[("15", "OTHER")])),
    ("journal-mount", Verdict::Failed, "not mounted", |m| m.edit(MOUNTS, "/var/log/journal", "/mnt")),
    ("journal-mount", Verdict::Failed, "tmpfs is mounted there", |m| m.edit(MOUNTS, "32 21 259:15 /system/journal /var/log/journal rw,nosuid,nodev,noexec - ext4 /dev/nvme0n1p15", "32 21 0:40 / /var/log/journal rw - tmpfs tmpfs")),
    ("journal", Verdict::Failed, "only in memory", |m| m.remove("var/log/journal/0123456789abcdef0123456789abcdef")),
    ("esp", Verdict::Failed, "not mounted", |m| m.edit(MOUNTS, "/boot/efi", "/mnt")),
    ("esp", Verdict::Failed, "ext4 on nvme0n1", |m| m.edit(MOUNTS, "vfat", "ext4")),
    ("esp", Verdict::Warning, "writable", |m| m.edit(MOUNTS, "/boot/efi ro,noatime - vfat /dev/nvme0n1p10 ro", "/boot/efi rw,noatime - vfat /dev/nvme0n1p10 rw")),
    ("esp", Verdict::Failed, "the root on nvme0n1", |m| {
        m.disk("mmcblk0", "179", &[("10", "esp")]);
        m.edit(MOUNTS, "259:10", "179:10");
    }),
    ("failed-units", Verdict::Failed, "boot-efi.mount", |m| m.failed_unit("boot-efi.mount")),
    ("services", Verdict::Failed, "gpu-upsampler is failed", |m| m.units("Id=gpu-upsampler.service\nLoadState=loaded\nActiveState=active", "Id=gpu-upsampler.service\nLoadState=loaded\nActiveState=failed")),
    ("services", Verdict::Failed, "totton-audio-web is not known", |m| m.units("Id=totton-audio-web.service", "Id=other.service")),
    ("services", Verdict::Warning, "gpu-upsampler 3 times", |m| m.units("SubState=running\nStatusText=\nResult=success\nNRestarts=0\nActiveEnterTimestampMonotonic=11000000", "SubState=running\nStatusText=\nResult=success\nNRestarts=3\nActiveEnterTimestampMonotonic=11000000")),
    ("nvidia-verifier", Verdict::Failed, "called good at once", |m| m.units("UnitFileState=disabled", "UnitFileState=enabled")),
    ("watchdog", Verdict::Failed, "knows of none", |m| m.remove("sys/class/watchdog/watchdog0")),
    ("watchdog", Verdict::Failed, "not armed", |m| m.manager("RuntimeWatchdogUSec=30s", "RuntimeWatchdogUSec=0")),
    ("watchdog", Verdict::Failed, "not armed", |m| m.manager("WatchdogLastPingTimestampMonotonic=61000000", "WatchdogLastPingTimestampMonotonic=0")),
    ("watchdog", Verdict::Failed, "the kernel says inactive", |m| m.file("sys/class/watchdog/watchdog0/state", "inactive\n")),
    ("boot-time", Verdict::Warning, "late: audio", |m| m.units("ActiveEnterTimestampMonotonic=11000000", "ActiveEnterTimestampMonotonic=31000000")),
    ("udc", Verdict::Failed, "none", |m| m.remove("sys/class/udc/3550000.usb")),
    ("udc", Verdict::Warning, "3551000.usb", |m| {
        m.remove("sys/class/udc/3550000.usb");
        m.file("sys/class/udc/3551000.usb/state", "");
    }),
    ("udc", Verdict::Warning, "3550000.usb, dummy_udc.0", |m| m.file("sys/class/udc/dummy_udc.0/state", "")),
    ("gadget", Verdict::Failed, "no sound card: UAC2 did not bind", |m| {
        m.gadget(r#""uac2","#, "");
        m.gadget(r#""degraded":null"#, r#""degraded":"UAC2 did not bind""#);
    }),
    ("gadget", Verdict::Failed, "absent: ConfigFS is not mounted", |m| {
        m.gadget(r#""state":"bound","udc":"3550000.usb""#, r#""state":"absent","udc":null"#);
        m.gadget(r#""problem":null"#, r#""problem":"ConfigFS is not mounted""#);
    }),
    ("gadget", Verdict::Failed, "without ncm", |m| m.gadget(r#","ncm""#, "")),
    ("gadget", Verdict::Failed, "no network interface", |m| m.gadget(r#""network_interface":"usb0""#, r#""network_interface":null"#)),
    ("isochronous", Verdict::Failed, "UAC2 is not bound", |m| m.gadget(r#""uac2","#, "")),
    ("gpu", Verdict::Failed, "has no *.gpu", |m| m.edit(&format!("{GPU}/uevent"), "nvidia,", "other,")),
    ("gpu", Verdict::Failed, "without a driver", |m| m.remove(&format!("{GPU}/driver"))),
    ("gpu-nodes", Verdict::Failed, "no /dev/nvmap", |m| m.remove("dev/nvmap")),
    ("gpu-nodes", Verdict::Failed, "/dev/nvhost-*", |m| {
        m.remove("dev/nvhost-gpu");
        m.remove("dev/nvhost-ctrl-gpu");
    }),
    ("gpu-nodes", Verdict::Failed, "/dev/nvmap video 0600", |m| m.mode("dev/nvmap", 0o600)),
    ("gpu-nodes", Verdict::Failed, "/dev/nvgpu/igpu0/ctrl", |m| m.edit("etc/group", "video", "wheel")),
    ("gpu-libraries", Verdict::Failed, "no libcufft", |m| m.remove("etc/ld.so.conf.d/cuda-13-2.conf")),
    ("gpu-libraries", Verdict::Failed, "no libcuda", |m| m.remove("usr/lib/libcuda.so.1")),
    ("gpu-power", Verdict::Failed, "auto; driver gk20a", |m| m.file(&format!("{GPU}/power/control"), "auto\n")),
    ("engine", Verdict::Failed, "cpu: no GPU", |m| {
        let engine = m.told().status.engine.as_mut().unwrap();
        engine.backend = "cpu".into();
        engine.backend_reason = Some("no GPU".into());
    }),
    ("engine", Verdict::Warning, "no engine yet", |m| m.told().status.engine = None),
    ("engine", Verdict::Warning, "late 2 times", |m| m.told().status.counters.gpu_faults = 2),
    ("engine", Verdict::Failed, "did not answer", Machine::daemon_is_away),
    ("dac", Verdict::Warning, "none", |m| m.remove("sys/bus/usb/devices/1-2.1:1.1")),
    ("dac", Verdict::Failed, "ALSA has no card", |m| m.file("proc/asound/cards", "--- no soundcards ---\n")),
    ("dac-power", Verdict::Failed, "auto: D90SE (152a:8750)", |m| m.file("sys/bus/usb/devices/1-2.1/power/control", "auto\n")),
    ("preemption", Verdict::Warning, "not preemptible", |m| m.edit("proc/version", "PREEMPT ", "")),
    ("limits", Verdict::Failed, "real-time priority 0", |m| m.edit("proc/812/limits", "Max realtime priority     99", "Max realtime priority     0 ")),
    ("limits", Verdict::Failed, "locked memory 65536", |m| m.edit("proc/812/limits", "Max locked memory         unlimited", "Max locked memory         65536    ")),
    ("limits", Verdict::Failed, "does not run", |m| m.units("MainPID=812", "MainPID=0")),
    ("scheduling", Verdict::Failed, "refused: SCHED_FIFO", |m| m.told().status.real_time.refused.push("SCHED_FIFO: not permitted".into())),
    ("scheduling", Verdict::Warning, "normal", |m| m.told().status.real_time.scheduling = "normal".into()),
    ("governor", Verdict::Warning, "powersave", |m| m.file("sys/devices/system/cpu/cpufreq/policy4/scaling_governor", "powersave\n")),
    ("governor", Verdict::Warning, "does not set", |m| m.remove("sys/devices/system/cpu/cpufreq")),
    ("clocksource", Verdict::Warning, "jiffies", |m| m.file("sys/devices/system/clocksource/clocksource0/current_clocksource", "jiffies\n")),
    ("clock", Verdict::Failed, "before the build", |m| m.now -= Duration::from_secs(10 * 86400)),
    ("clock", Verdict::Failed, "after the build", |m| m.now += Duration::from_secs(30 * 365 * 86400)),
    ("slots", Verdict::Warning, "on trial: yes", |m| m.slot_says("running slot: b\non trial: yes\n")),
    ("slots", Verdict::Warning, "did not come up", |m| m.slot_says("running slot: a\non trial: no\nslot b did not come up in three starts; this is the slot before it\n")),
    ("slots", Verdict::Warning, "a runs, on trial", |m| m.slot(r#""on_trial":false"#, r#""on_trial":true"#)),
    ("slots", Verdict::Warning, "b did not come up", |m| m.slot(r#""lost":null"#, r#""lost":{"slot":"b","reason":"starts","reached":1}"#)),
    ("slots", Verdict::Warning, "recovery mode 2 times", |m| m.slot(r#""recoveries":0"#, r#""recoveries":2"#)),
    ("slots", Verdict::Failed, "missing field", |m| m.slot(r#""running":"a","#, "")),
    ("slots", Verdict::Failed, "has no slots", |m| m.slot_complains("totton-audio-slot: the root is on no partition: this system has no slots\n")),
    ("slots", Verdict::Failed, "no boot loader", |m| m.slot_complains("totton-audio-slot: no boot loader that counts tries\n")),
    ("hardware-revision", Verdict::Failed, "no /etc/hwrevision", |m| m.remove("etc/hwrevision")),
    ("hardware-revision", Verdict::Failed, "jetson 2", |m| m.file("etc/hwrevision", "jetson 2\n")),
    ("firmware", Verdict::Failed, "no /sys/firmware/efi", |m| m.remove("sys/firmware/efi")),
    ("firmware", Verdict::Warning, "status 6", |m| m.file("sys/firmware/efi/esrt/entries/entry0/last_attempt_status", "6\n")),
    ("temperature", Verdict::Failed, "cpu-thermal 101.0", |m| m.file("sys/class/thermal/thermal_zone0/temp", "101000\n")),
    ("temperature", Verdict::Warning, "no thermometer", |m| m.remove("sys/class/thermal")),
];

#[test]
fn each_fault_by_itself_is_found_and_says_what_to_do() {
    for (id, verdict, found, fault) in FAULTS {
        let mut machine = Machine::jetson();
        fault(&mut machine);
        let report = machine.report();
        let step = report.steps.iter().find(|step| step.id == *id).unwrap();
        assert_eq!(step.verdict, *verdict, "{id}, {found}: {step:?}");
        assert!(step.found.contains(found), "{id}: {found:?} is not in {step:?}");
        assert!(step.action.as_deref().is_some_and(|action| action.len() > 20), "{step:?}");
        assert_eq!(report.exit_code(), u8::from(*verdict == Verdict::Failed || report.failed));
        if *verdict == Verdict::Failed {
            assert!(report.failed && report.to_string().contains("FAILED"), "{report}");
        }
    }
}

#[test]
fn every_step_has_a_fault_that_it_finds() {
    let found: Vec<_> = FAULTS.iter().map(|(id, ..)| *id).collect();
    let never: Vec<_> =
        plans().map(|plan| plan.id).filter(|id| *id != "board" && !found.contains(id)).collect();
    assert!(never.is_empty(), "{never:?}");
}

#[test]
fn what_only_root_may_read_is_not_here_and_says_so() {
    let mut machine = Machine::jetson();
    machine.telemetry =
        Err(Unanswered::Denied("/run/totton-audio/telemetry.sock: Permission denied".into()));
    let report = machine.report();
    for id in ["engine", "scheduling"] {
        let step = report.steps.iter().find(|step| step.id == id).unwrap();
        assert_eq!(step.verdict, Verdict::NotHere, "{step:?}");
        assert!(step.why.as_deref().unwrap().contains("needs root"), "{step:?}");
    }
    // The DAC is known without it.
    assert_eq!(report.exit_code(), 0);
}

#[test]
fn the_box_plugged_into_itself_is_no_dac() {
    let machine = Machine::jetson();
    machine.file("sys/bus/usb/devices/1-2.1/idVendor", "1d6b\n");
    machine.file("sys/bus/usb/devices/1-2.1/idProduct", "0104\n");
    assert_eq!(machine.step("dac").found, "none");
}

#[test]
fn the_report_is_the_same_as_words_and_as_json() {
    let mut machine = Machine::jetson();
    machine.failed_unit("boot-efi.mount");
    let report = machine.report();
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    assert!(json.contains(r#""verdict":"failed""#) && json.contains(r#""group":"real-time""#));
    let text = report.to_string();
    for step in &report.steps {
        assert!(text.contains(&step.title) && text.contains(&step.found), "{step:?}");
    }
    assert!(text.contains("do: See journalctl -b -u boot-efi.mount."), "{text}");
    assert!(text.ends_with("1 failed, 0 not here"), "{text}");
    assert!(text.lines().all(|line| line.len() < 320), "{text}");
}
