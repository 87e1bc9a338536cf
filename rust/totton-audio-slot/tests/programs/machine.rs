//! A machine made of folders, and what its boot loader does at a start.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

pub const SLOT: &str = env!("CARGO_BIN_EXE_totton-audio-slot");
const NVIDIA: &str = "781e084c-a330-417c-b678-38e696380cb9";
/// Where the tests have the register.
const REGISTER: u64 = 0x13A8;
const MAGIC: u32 = 0xFACE;

pub struct Machine {
    pub folder: TempDir,
}

/// What a start is: the power stayed on, or it was off.
#[derive(Clone, Copy, PartialEq)]
pub enum Power {
    On,
    Cut,
}

pub fn entry(slot: &str, version: u32, label: &str) -> String {
    format!(
        "title Totton Audio (slot {slot})\nsort-key totton\nversion {version}\nlinux /totton/{slot}/Image\noptions root=PARTLABEL={label} ro rootwait console=ttyAMA0\n"
    )
}

impl Machine {
    fn new() -> Machine {
        let machine = Machine { folder: tempfile::tempdir().unwrap() };
        machine.mounted("APP");
        machine
    }

    pub fn systemd_boot() -> Machine {
        let machine = Machine::new();
        for (slot, version, label) in [("a", 2, "APP"), ("b", 1, "APP_b")] {
            machine.write(
                &format!("boot/efi/loader/entries/totton-{slot}.conf"),
                entry(slot, version, label),
            );
            machine.write(&format!("boot/efi/totton/{slot}/Image"), "kernel");
        }
        machine
    }

    pub fn orin() -> Machine {
        let machine = Machine::new();
        machine.write(
            "proc/device-tree/compatible",
            "nvidia,p3768-0000+p3767-0005\0nvidia,p3767\0nvidia,tegra234\0",
        );
        machine.write("boot/efi/empty", "");
        machine.write("dev/mem", "");
        fs::File::options()
            .write(true)
            .open(machine.path("dev/mem"))
            .unwrap()
            .set_len(0x2000)
            .unwrap();
        for (name, value) in
            [("RootfsStatusSlotA", 0), ("RootfsStatusSlotB", 0), ("BootChainFwCurrent", 0)]
        {
            machine.set(name, value);
        }
        machine
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The root file system is on the partition `label`; other mounts beside it do not matter.
    pub fn mounted(&self, label: &str) {
        self.write(
            "proc/self/mountinfo",
            "21 1 254:2 / / ro,relatime shared:1 - ext4 /dev/root ro\n30 21 0:25 / /proc rw - proc proc rw\n31 21 254:4 / /opt/totton_audio/data rw - ext4 /dev/vda4 rw\n",
        );
        for (number, name) in [("254:2", label), ("254:4", "UDA")] {
            self.write(
                &format!("sys/dev/block/{number}/uevent"),
                format!("MAJOR=254\nDEVNAME=vda\nDEVTYPE=partition\nPARTNAME={name}\n"),
            );
        }
    }

    /// A program of ours on this machine; its stand-ins for other programs come first.
    pub fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let stand_ins = self.path("bin");
        command.env("PATH", format!("{}:/usr/bin:/bin", stand_ins.display()));
        command.env("TOTTON_SLOT_ROOT", self.folder.path());
        command.env("TOTTON_SLOT_REGISTER", format!("{REGISTER:#x}"));
        command
    }

    pub fn attempt(&self, words: &str) -> Output {
        self.program(SLOT).args(words.split_whitespace()).output().unwrap()
    }

    /// The output of totton-audio-slot with `words`, which has to succeed.
    pub fn slot(&self, words: &str) -> String {
        let output = self.attempt(words);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words}: {}: {complaint}", output.status);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// What it complains of: it has to fail, with status 1.
    pub fn refusal(&self, words: &str) -> String {
        let output = self.attempt(words);
        assert_eq!(output.status.code(), Some(1), "{words}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    pub fn on_trial(&self) -> bool {
        match self.attempt("trial").status.code() {
            Some(0) => true,
            Some(1) => false,
            other => panic!("trial ended with {other:?}"),
        }
    }

    /// systemctl writes down what it is asked for, and confirms as the unit would.
    pub fn stand_in_systemctl(&self, more: &str) {
        let script = format!(
            "#!/bin/sh\necho \"$*\" >> {calls}\ncase \"$*\" in\n    'start totton-audio-slot-confirm.service') exec {SLOT} confirm ;;\n    reboot | '--no-block reboot') exit 0 ;;\n{more}\nesac\n",
            calls = self.path("calls").display(),
        );
        self.write("bin/systemctl", script);
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(self.path("bin/systemctl"), permissions).unwrap();
        self.write("calls", "");
    }

    pub fn restart_was_asked_for(&self) -> bool {
        self.read("calls").lines().any(|line| line.ends_with("reboot"))
    }

    // ---- systemd-boot

    /// Names of the entries on the ESP.
    pub fn entries(&self) -> Vec<String> {
        let folder = fs::read_dir(self.path("boot/efi/loader/entries")).unwrap();
        let mut names: Vec<_> =
            folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// What systemd-boot does at a start: takes the best entry, and counts; the slot that runs.
    pub fn loader_starts(&self) -> String {
        let counters = |name: &str| -> Option<(u32, u32)> {
            let counter = name.strip_suffix(".conf")?.split_once('+')?.1;
            let (left, had) = counter.split_once('-').unwrap_or((counter, "0"));
            Some((left.parse().ok()?, had.parse().ok()?))
        };
        let field = |name: &str, before: &str| -> String {
            let text = self.read(&format!("boot/efi/loader/entries/{name}"));
            let rest = text.split_once(before).unwrap().1;
            rest.split_whitespace().next().unwrap().to_owned()
        };
        let rank = |name: &String| {
            let version: u32 = field(name, "\nversion ").parse().unwrap();
            (counters(name).is_none_or(|(left, _)| left > 0), version)
        };
        let best = self.entries().into_iter().max_by_key(rank).unwrap();
        self.mounted(&field(&best, "root=PARTLABEL="));
        if let Some((left @ 1.., had)) = counters(&best) {
            let stem = best.split_once('+').unwrap().0;
            let folder = self.path("boot/efi/loader/entries");
            let counted = format!("{stem}+{}-{}.conf", left - 1, had + 1);
            fs::rename(folder.join(best), folder.join(counted)).unwrap();
        }
        self.slot("current")
    }

    // ---- an Orin's firmware

    fn variable(&self, name: &str) -> PathBuf {
        self.path(&format!("sys/firmware/efi/efivars/{name}-{NVIDIA}"))
    }

    pub fn get(&self, name: &str) -> Option<u32> {
        let bytes = fs::read(self.variable(name)).ok()?;
        Some(u32::from_le_bytes(bytes[4..].try_into().unwrap()))
    }

    pub fn set(&self, name: &str, value: u32) {
        let bytes = [[7, 0, 0, 0], value.to_le_bytes()].concat();
        self.write(self.variable(name).to_str().unwrap(), bytes);
    }

    fn delete(&self, name: &str) {
        let _ = fs::remove_file(self.variable(name));
    }

    pub fn register(&self) -> u32 {
        let mut bytes = [0; 4];
        fs::File::open(self.path("dev/mem")).unwrap().read_exact_at(&mut bytes, REGISTER).unwrap();
        u32::from_le_bytes(bytes)
    }

    fn set_register(&self, bits: u32) {
        let file = fs::File::options().write(true).open(self.path("dev/mem")).unwrap();
        file.write_all_at(&bits.to_le_bytes(), REGISTER).unwrap();
    }

    /// What UEFI, BootChainDxe and NVIDIA's launcher do at a start (src/orin/mod.rs has the
    /// sources); the slot whose kernel starts, None for RECOVERY.
    pub fn firmware_starts(&self, power: Power) -> Option<String> {
        const STATUS: [&str; 2] = ["RootfsStatusSlotA", "RootfsStatusSlotB"];
        if power == Power::Cut {
            self.set_register(0);
        }
        loop {
            self.take_capsule();
            let mut chain = self.get("BootChainFwCurrent").unwrap();
            if let Some(next) = self.get("BootChainFwNext") {
                if self.get("BootChainFwStatus").is_none() {
                    // 2: there was nothing to change. 0: done.
                    self.set("BootChainFwStatus", if next == chain { 2 } else { 0 });
                    chain = next;
                    self.set("BootChainFwCurrent", chain);
                }
                self.delete("BootChainFwNext");
            }
            let failed = |slot: u32| self.get(STATUS[slot as usize]) == Some(0xFF);
            if failed(0) && failed(1) {
                return None;
            }
            // Bits 21:20 are slot a's starts, 19:18 slot b's.
            let shift = |slot: u32| 20 - 2 * slot;
            let mut register = self.register();
            if register & 0xFFFF != MAGIC {
                let starts = |slot| if failed(slot) { 0 } else { 3 << shift(slot) };
                register = MAGIC | starts(0) | starts(1);
            }
            let left = |slot: u32| register >> shift(slot) & 3;
            if left(chain) > 0 {
                self.set_register(register - (1 << shift(chain)));
                self.mounted(["APP", "APP_b"][chain as usize]);
                return Some(self.slot("current"));
            }
            self.set(STATUS[chain as usize], 0xFF);
            self.set_register(0);
            if left(1 - chain) == 0 {
                self.set(STATUS[1 - chain as usize], 0xFF);
                return None;
            }
            self.set("BootChainFwNext", 1 - chain);
            self.delete("BootChainFwStatus");
        }
    }

    /// The firmware takes a capsule that it was told of: it writes the other chain, and changes to it.
    fn take_capsule(&self) {
        let told = "sys/firmware/efi/efivars/OsIndications-8be4df61-93ca-11d2-aa0d-00e098032b8c";
        let capsule = self.path(CAPSULE);
        let Ok(bytes) = fs::read(self.path(told)) else { return };
        if bytes[4] & 4 != 0 && capsule.exists() {
            fs::remove_file(capsule).unwrap();
            self.write(told, [7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            self.set("BootChainFwCurrent", 1 - self.get("BootChainFwCurrent").unwrap());
        }
    }
}

pub const CAPSULE: &str = "boot/efi/EFI/UpdateCapsule/TEGRA_BL.Cap";

/// Whether `path` is there, with `content`.
pub fn holds(path: &Path, content: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text == content)
}
