//! Machines made of folders and canned answers.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use totton_audio_check::answers::{Answers, Said, Unanswered};
use totton_audio_check::{Device, Report, Step, steps};
use totton_protocol::status::{Device as SoundDevice, Engine};
use totton_protocol::{RealTime, Telemetry};

const ID: &str = "0123456789abcdef0123456789abcdef";
const GADGET: &str = "/usr/local/bin/totton-audio-gadget-setup status --json";
const SLOT: &str = "/usr/local/bin/totton-audio-slot status --json";
const FAILED: &str = "systemctl list-units --failed --plain --no-legend --no-pager";

/// What stands where a real device would be.
pub struct Machine {
    folder: TempDir,
    programs: HashMap<String, Result<Said, Unanswered>>,
    pub telemetry: Result<Telemetry, Unanswered>,
    pub now: SystemTime,
}

struct Canned {
    programs: HashMap<String, Result<Said, Unanswered>>,
    telemetry: Result<Telemetry, Unanswered>,
}

impl Answers for Canned {
    fn run(&self, program: &str, arguments: &[&str]) -> Result<Said, Unanswered> {
        // `systemctl show` by whom it is asked about; the properties may grow.
        let shown = arguments.iter().filter(|word| !word.starts_with("--property"));
        let asked = [program].into_iter().chain(shown.copied()).collect::<Vec<_>>().join(" ");
        let absent = || Err(Unanswered::Absent(format!("{program} is not here")));
        self.programs.get(&asked).cloned().unwrap_or_else(absent)
    }

    fn telemetry(&self) -> Result<Telemetry, Unanswered> {
        self.telemetry.clone()
    }
}

impl Machine {
    fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            programs: HashMap::new(),
            telemetry: Err(Unanswered::Failed("the audio daemon did not answer".into())),
            now: SystemTime::now(),
        }
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, and the folders above it.
    pub fn file(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn link(&self, path: &str, to: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&path);
        symlink(to, path).unwrap();
    }

    pub fn remove(&self, path: &str) {
        let path = self.root().join(path);
        if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }

    /// Replaces a word in a file that is there.
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let path = self.root().join(path);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{}: no {from:?}", path.display());
        fs::write(path, text.replace(from, to)).unwrap();
    }

    pub fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.root().join(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub fn says(&mut self, command: &str, out: &str) {
        let said = Said { success: true, out: out.into(), err: String::new() };
        self.programs.insert(command.into(), Ok(said));
    }

    fn complains(&mut self, command: &str, err: &str) {
        let said = Said { success: false, out: String::new(), err: err.into() };
        self.programs.insert(command.into(), Ok(said));
    }

    /// Replaces a word in what a program says.
    pub fn resays(&mut self, command: &str, from: &str, to: &str) {
        let Some(Ok(said)) = self.programs.get_mut(command) else { panic!("no {command}") };
        assert!(said.out.contains(from), "{command}: no {from:?} in {}", said.out);
        said.out = said.out.replace(from, to);
    }

    pub fn units(&mut self, from: &str, to: &str) {
        self.resays(UNITS, from, to);
    }

    pub fn manager(&mut self, from: &str, to: &str) {
        self.resays("systemctl show", from, to);
    }

    pub fn gadget(&mut self, from: &str, to: &str) {
        self.resays(GADGET, from, to);
    }

    pub fn slot_says(&mut self, out: &str) {
        self.says(SLOT, out);
    }

    pub fn slot(&mut self, from: &str, to: &str) {
        self.resays(SLOT, from, to);
    }

    pub fn slot_complains(&mut self, err: &str) {
        self.complains(SLOT, err);
    }

    pub fn failed_unit(&mut self, name: &str) {
        self.says(FAILED, &format!("{name} loaded failed failed Something\n"));
    }

    pub fn daemon_is_away(&mut self) {
        self.telemetry = Err(Unanswered::Failed("the audio daemon did not answer".into()));
    }

    pub fn told(&mut self) -> &mut Telemetry {
        self.telemetry.as_mut().unwrap()
    }

    pub fn report(self) -> Report {
        let answers = Canned { programs: self.programs, telemetry: self.telemetry };
        steps::check(Device::new(self.folder.path(), self.now, Box::new(answers)))
    }

    pub fn step(self, id: &str) -> Step {
        let steps = self.report().steps;
        steps.into_iter().find(|step| step.id == id).unwrap_or_else(|| panic!("no step {id}"))
    }

    /// What both machines have: the services, a journal, a build.
    fn product(udc: &str) -> Self {
        let mut machine = Self::empty();
        machine.file("etc/machine-id", format!("{ID}\n"));
        machine.file(&format!("var/log/journal/{ID}/system.journal"), "");
        machine.file(&format!("var/log/journal/{ID}/system@1.journal"), "");
        machine.file("usr/lib/os-release", "PRETTY_NAME=\"Totton Audio\"\n");
        machine.file("usr/lib/clock-epoch", "");
        machine.now =
            fs::metadata(machine.root().join("usr/lib/clock-epoch")).unwrap().modified().unwrap()
                + Duration::from_secs(3 * 86400);
        machine.file(&format!("sys/class/udc/{udc}/state"), "configured\n");
        let source = "sys/devices/system/clocksource/clocksource0/current_clocksource";
        machine.file(source, "arch_sys_counter\n");
        machine.file(
            "proc/version",
            "Linux version 6.8.12-l4t-r39.2 (oe-user@oe-host) #1 SMP PREEMPT Mon\n",
        );
        machine.file(
            "proc/812/limits",
            "Limit                     Soft Limit           Hard Limit           Units     \n\
             Max locked memory         unlimited            unlimited            bytes     \n\
             Max realtime priority     99                   99                   \n",
        );
        machine.says(FAILED, "");
        machine.says(UNITS, &units());
        machine.says(
            "systemctl show",
            "UserspaceTimestampMonotonic=3100000\nFinishTimestampMonotonic=12000000\n\
             RuntimeWatchdogUSec=30s\nWatchdogDevice=/dev/watchdog0\n\
             WatchdogLastPingTimestampMonotonic=61000000\n",
        );
        machine.says(
            GADGET,
            &format!(
                r#"{{"state":"bound","udc":"{udc}","udc_state":"configured","functions":["uac2","ncm"],
                "network_interface":"usb0","sound_card":{{"index":0,"id":"UAC2Gadget"}},"serial":"1",
                "device_mac":"02:00:00:00:00:01","host_mac":"02:00:00:00:00:02","degraded":null,"problem":null}}"#
            ),
        );
        let mut telemetry = Telemetry::default();
        telemetry.status.message = "Sound flows from the input to the DAC.".into();
        telemetry.status.engine =
            Some(Engine { backend: "cuda".into(), load: 0.04, ..Engine::default() });
        telemetry.status.output =
            Some(SoundDevice { name: "hw:D90,0".into(), rate: 705_600, ..SoundDevice::default() });
        telemetry.status.real_time = RealTime {
            scheduling: "fifo".into(),
            priority: 80,
            memory_locked: true,
            ..RealTime::default()
        };
        machine.telemetry = Ok(telemetry);
        machine
    }

    /// An Orin Nano on its NVMe, with a DAC, all well.
    pub fn jetson() -> Self {
        let mut machine = Self::product("3550000.usb");
        machine.file(
            "proc/device-tree/compatible",
            "nvidia,p3768-0000+p3767-0005-super\0nvidia,p3767-0005\0nvidia,tegra234\0",
        );
        machine.file(
            "proc/device-tree/model",
            "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0",
        );
        machine.file(
            "proc/cmdline",
            "root=PARTUUID=1 rootwait rootfstype=ext4 ro systemd.machine_id=firmware panic=10 quiet\n",
        );
        machine.disk(
            "nvme0n1",
            "259",
            &[("1", "APP"), ("2", "APP_b"), ("10", "esp"), ("15", "UDA")],
        );
        machine.file(
            "proc/1/mountinfo",
            "21 1 259:1 / / ro,relatime shared:1 - ext4 /dev/root ro\n\
             30 21 0:25 / /proc rw - proc proc rw\n\
             31 21 259:15 / /opt/totton_audio/data rw,nosuid,nodev,noexec,noatime - ext4 /dev/nvme0n1p15 rw\n\
             32 21 259:15 /system/journal /var/log/journal rw,nosuid,nodev,noexec - ext4 /dev/nvme0n1p15 rw\n\
             33 21 259:10 / /boot/efi ro,noatime - vfat /dev/nvme0n1p10 ro,umask=0077\n",
        );
        machine.file("sys/class/watchdog/watchdog0/identity", "Tegra186 WDT\n");
        machine.gpu();
        machine.dac("1-2.1", "152a", "8750", "D90SE");
        machine.file("proc/asound/cards", " 0 [D90SE          ]: USB-Audio - D90SE\n");
        machine.file("sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "schedutil\n");
        machine.file("etc/hwrevision", "jetson-orin-nano-devkit-nvme 1\n");
        machine.file("sys/firmware/efi/esrt/entries/entry0/fw_version", "2556416\n");
        machine.file("sys/firmware/efi/esrt/entries/entry0/last_attempt_status", "0\n");
        machine.file("sys/class/dmi/id/bios_version", "39.2.0-gcid-1\n");
        machine.file("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
        machine.file("sys/class/thermal/thermal_zone0/temp", "48000\n");
        machine.file("sys/class/thermal/thermal_zone0/trip_point_0_type", "passive\n");
        machine.file("sys/class/thermal/thermal_zone0/trip_point_0_temp", "99000\n");
        machine.slot_says(
            r#"{"loader":"orin","on_trial":false,"running":"a","next":"a","a":{"is":"good"},
            "b":{"is":"not-good"},"lost":null,"recoveries":0}"#,
        );
        machine
    }

    /// A disk with partitions of these numbers and labels.
    pub fn disk(&self, disk: &str, major: &str, partitions: &[(&str, &str)]) {
        for (number, label) in partitions {
            let folder = format!("devices/pci/{disk}/{disk}p{number}");
            self.file(&format!("sys/{folder}/partition"), format!("{number}\n"));
            self.file(
                &format!("sys/{folder}/uevent"),
                format!("DEVTYPE=partition\nPARTNAME={label}\n"),
            );
            self.link(&format!("sys/dev/block/{major}:{number}"), &format!("../../{folder}"));
        }
    }

    fn gpu(&self) {
        const GPU: &str = "sys/bus/platform/devices/17000000.gpu";
        self.file(&format!("{GPU}/uevent"), "OF_NAME=gpu\nOF_COMPATIBLE_0=nvidia,ga10b\n");
        self.file(&format!("{GPU}/power/control"), "on\n");
        self.file("sys/bus/platform/drivers/gk20a/bind", "");
        self.link(&format!("{GPU}/driver"), "../../drivers/gk20a");
        // The files' group is the tester's; here it is called video.
        let group = fs::metadata(self.root()).unwrap().gid();
        self.file("etc/group", format!("root:x:4294967294:\nvideo:x:{group}:\n"));
        for node in ["nvgpu/igpu0/ctrl", "nvhost-gpu", "nvhost-ctrl-gpu", "nvmap"] {
            self.file(&format!("dev/{node}"), "");
            self.mode(&format!("dev/{node}"), 0o660);
        }
        self.file("etc/ld.so.conf.d/cuda-13-2.conf", "/usr/local/cuda-13.2/lib\n");
        self.file("usr/local/cuda-13.2/lib/libcufft.so.12", "");
        self.file("usr/lib/libcuda.so.1", "");
    }

    fn dac(&self, port: &str, vendor: &str, product: &str, name: &str) {
        let all = "sys/bus/usb/devices";
        for (file, text) in [
            ("idVendor", vendor),
            ("idProduct", product),
            ("product", name),
            ("power/control", "on"),
        ] {
            self.file(&format!("{all}/{port}/{file}"), format!("{text}\n"));
        }
        for (interface, subclass) in [("1.0", "01"), ("1.1", "02")] {
            self.file(&format!("{all}/{port}:{interface}/bInterfaceClass"), "01\n");
            self.file(
                &format!("{all}/{port}:{interface}/bInterfaceSubClass"),
                format!("{subclass}\n"),
            );
        }
    }

    /// QEMU's machine without slots, as the quick bench: the CPU engine, loopback cards.
    pub fn virtual_machine() -> Self {
        let mut machine = Self::product("usbip-vudc.0");
        machine.file("proc/device-tree/compatible", "linux,dummy-virt\0");
        machine.file("proc/device-tree/model", "linux,dummy-virt\0");
        machine.file("proc/cmdline", "root=/dev/vda rw console=ttyAMA0\n");
        machine.file("proc/1/mountinfo", "21 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n");
        machine.file("proc/asound/cards", " 1 [Input          ]: Loopback - Loopback\n");
        machine.told().status.engine = Some(Engine { backend: "cpu".into(), ..Engine::default() });
        machine.slot_complains(
            "totton-audio-slot: the root file system is on no partition called APP or APP_b: this system has no slots\n",
        );
        machine
    }
}

const UNITS: &str = "systemctl show totton-audio-gadget.service gpu-upsampler.service totton-audio-web.service nv_update_verifier.service";

fn units() -> String {
    let unit = |name: &str, sub: &str, ready: u64, pid: u32| {
        format!(
            "Id={name}.service\nLoadState=loaded\nActiveState=active\nSubState={sub}\nStatusText=\nResult=success\n\
             NRestarts=0\nActiveEnterTimestampMonotonic={ready}\nMainPID={pid}\nUnitFileState=enabled\n\n"
        )
    };
    [
        unit("totton-audio-gadget", "exited", 5_000_000, 0),
        unit("gpu-upsampler", "running", 11_000_000, 812),
        unit("totton-audio-web", "running", 11_500_000, 815),
        "Id=nv_update_verifier.service\nLoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\n".into(),
    ]
    .concat()
}
