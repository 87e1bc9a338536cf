//! The health check, with a systemctl that tells of services in files. Its limits are parts of a
//! second here; how it counts time is tested in the crate.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Output;

use crate::machine::{Machine, Power};

const HEALTH: &str = env!("CARGO_BIN_EXE_totton-audio-health");
const UNITS: [&str; 3] = ["totton-audio-gadget", "gpu-upsampler", "totton-audio-web"];

impl Machine {
    fn with_services(self) -> Machine {
        for unit in UNITS {
            self.service(unit, "active");
        }
        self.listening(true);
        let fds = self.path("proc/77/fd");
        fs::create_dir_all(&fds).unwrap();
        symlink("socket:[4711]", fds.join("5")).unwrap();
        symlink("/proc/uptime", self.path("proc/uptime")).unwrap();
        self.services_told();
        self
    }

    pub fn services_told(&self) {
        self.stand_in_systemctl(&format!(
            "    show*) cat {}/$2.${{3#--property=}} ;;",
            self.path("units").display()
        ));
    }

    fn service(&self, unit: &str, state: &str) {
        self.write(&format!("units/{unit}.ActiveState"), format!("{state}\n"));
        self.write(&format!("units/{unit}.InvocationID"), "1\n");
        self.write(&format!("units/{unit}.MainPID"), "77\n");
    }

    fn listening(&self, yes: bool) {
        let state = if yes { "0A" } else { "01" };
        self.write(
            "proc/net/tcp",
            format!(
                "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:0050 00000000:0000 {state} 00000000:00000000 00:00000000 00000000   990        0 4711 1\n"
            ),
        );
    }

    /// Ends as soon as it is found healthy.
    fn check(&self) -> Output {
        self.check_within("60")
    }

    fn check_in_vain(&self) -> Output {
        self.check_within("0.4")
    }

    fn check_within(&self, deadline: &str) -> Output {
        self.services_told();
        self.program(HEALTH)
            .env("TOTTON_HEALTH_HOLD", "0.2")
            .env("TOTTON_HEALTH_DEADLINE", deadline)
            .env("TOTTON_HEALTH_EVERY", "0.05")
            .output()
            .unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_healthy_start_confirms_the_slot() {
    let machine = Machine::systemd_boot().with_services();
    machine.slot("try b");
    assert_eq!(machine.loader_starts(), "b");
    let done = machine.check();
    assert!(done.status.success(), "{done:?}");
    assert!(said(&done).contains("slot b confirmed"));
    assert_eq!(machine.entries(), ["totton-a.conf", "totton-b.conf"]);
}

#[test]
fn a_healthy_start_confirms_the_slot_of_an_orin() {
    let machine = Machine::orin().with_services();
    machine.slot("try b");
    assert_eq!(machine.firmware_starts(Power::On).as_deref(), Some("b"));
    machine.slot("start");
    assert!(machine.on_trial());
    let done = machine.check();
    assert!(said(&done).contains("slot b confirmed"), "{done:?}");
    assert!(!machine.on_trial());
}

#[test]
fn a_slot_that_could_not_be_confirmed_is_not_said_to_be() {
    let machine = Machine::orin().with_services();
    fs::remove_file(machine.path("dev/mem")).unwrap();
    let done = machine.check();
    assert_eq!(done.status.code(), Some(1));
    assert!(said(&done).contains("slot a was not confirmed"), "{done:?}");
}

#[test]
fn each_of_the_three_services_is_needed() {
    for unit in UNITS {
        let machine = Machine::systemd_boot().with_services();
        machine.service(unit, "failed");
        let done = machine.check_in_vain();
        assert_eq!(done.status.code(), Some(1));
        assert!(said(&done).contains(&format!("{unit} is failed")), "{done:?}");
    }
}

#[test]
fn a_page_that_does_not_listen_is_not_up() {
    let machine = Machine::systemd_boot().with_services();
    machine.listening(false);
    let done = machine.check_in_vain();
    assert_eq!(done.status.code(), Some(1));
    assert!(said(&done).contains("does not listen"));
}

#[test]
fn a_slot_on_trial_that_is_not_healthy_restarts_the_box() {
    let machine = Machine::systemd_boot().with_services();
    machine.slot("try b");
    machine.loader_starts();
    machine.service("gpu-upsampler", "failed");
    machine.check_in_vain();
    assert!(machine.restart_was_asked_for());
    assert_eq!(machine.entries(), ["totton-a.conf", "totton-b+2-1.conf"], "not confirmed");
}

/// A start with its first unit, which may restart the box at once; the slot that then runs.
fn orin_starts(machine: &Machine) -> String {
    loop {
        let slot = machine.firmware_starts(Power::On).expect("no RECOVERY");
        machine.services_told();
        machine.slot("start");
        if !machine.restart_was_asked_for() {
            return slot;
        }
    }
}

/// The whole way: three unhealthy starts, each ended by a restart, then slot a and its minute.
#[test]
fn a_bad_update_ends_in_the_slot_before() {
    for (machine, starts) in [
        (Machine::orin(), orin_starts as fn(&Machine) -> String),
        (Machine::systemd_boot(), Machine::loader_starts),
    ] {
        let machine = machine.with_services();
        machine.slot("try b");
        let mut slots = Vec::new();
        let mut last = String::new();
        for _ in 0..4 {
            let slot = starts(&machine);
            let (state, deadline) = if slot == "a" { ("active", "60") } else { ("failed", "0.4") };
            machine.service("gpu-upsampler", state);
            last = said(&machine.check_within(deadline));
            assert_eq!(machine.restart_was_asked_for(), slot == "b");
            slots.push(slot);
        }
        assert_eq!(slots, ["b", "b", "b", "a"]);
        assert!(last.contains("slot b did not come up in 3 starts"), "{last}");
        assert!(last.contains("slot a confirmed"), "{last}");
    }
}

#[test]
fn a_good_slot_that_is_not_healthy_does_not_restart_the_box() {
    for machine in [Machine::systemd_boot(), Machine::orin()] {
        let machine = machine.with_services();
        machine.service("gpu-upsampler", "failed");
        let done = machine.check_in_vain();
        assert_eq!(done.status.code(), Some(1));
        assert!(!machine.restart_was_asked_for());
    }
}

#[test]
fn without_slots_there_is_nothing_to_confirm() {
    let machine = Machine::systemd_boot().with_services();
    machine.mounted("rootfs");
    let done = machine.check();
    assert!(done.status.success(), "{done:?}");
    assert!(said(&done).contains("no slots: nothing to confirm"));
}
