use std::fs;

use crate::machine::{CAPSULE, Machine, Power, holds};

const STARTS_NO_MORE: &str = "slot b did not come up in 3 starts";

impl Machine {
    /// A start, with what its first unit does, until no restart is asked for; the slots whose
    /// kernels started.
    fn starts(&self, power: Power) -> Vec<String> {
        self.stand_in_systemctl("");
        let mut slots = vec![self.firmware_starts(power).expect("no RECOVERY")];
        loop {
            self.slot("start");
            if !self.restart_was_asked_for() {
                return slots;
            }
            self.stand_in_systemctl("");
            slots.push(self.firmware_starts(Power::On).expect("no RECOVERY"));
        }
    }

    fn start(&self) -> String {
        self.starts(Power::On).pop().unwrap()
    }
}

#[test]
fn the_firmware_is_asked_for_one_start_of_the_other_slot() {
    let machine = Machine::orin();
    assert_eq!(machine.start(), "a");
    machine.slot("try b");
    assert_eq!(machine.get("BootChainFwNext"), Some(1));
    assert_eq!(machine.get("RootfsStatusSlotB"), Some(0xFF));
    assert_eq!(machine.register(), 0x0034_FACE);
    assert_eq!(machine.firmware_starts(Power::On).as_deref(), Some("b"));
    machine.slot("start");
    assert!(machine.on_trial());
    machine.slot("confirm");
    assert!(!machine.on_trial());
    assert_eq!(machine.get("RootfsStatusSlotB"), Some(0));
    for power in [Power::On, Power::On, Power::Cut, Power::On, Power::On, Power::On, Power::On] {
        assert_eq!(machine.starts(power), ["b"], "it was confirmed");
    }
}

#[test]
fn a_slot_that_is_not_on_trial_survives_any_number_of_restarts() {
    let machine = Machine::orin();
    for _ in 0..12 {
        assert_eq!(machine.starts(Power::On), ["a"]);
    }
}

#[test]
fn a_trial_has_three_starts_whatever_ends_them() {
    for power in [Power::On, Power::Cut] {
        let machine = Machine::orin();
        machine.start();
        machine.slot("open b");
        machine.slot("try b");
        let mut of_b = 0;
        loop {
            let slots = machine.starts(power);
            of_b += slots.iter().filter(|slot| *slot == "b").count();
            if slots.last().unwrap() == "a" {
                break;
            }
        }
        assert_eq!(
            of_b,
            if power == Power::On { 3 } else { 2 },
            "the first start was not given: the power was cut before it"
        );
        assert_eq!(machine.slot("failed"), "b");
        assert!(machine.slot("status").contains(STARTS_NO_MORE));
        // The next update is as good as the first.
        machine.slot("open b");
        machine.slot("try b");
        assert_eq!(machine.start(), "b");
        machine.slot("confirm");
        assert_eq!(machine.start(), "b");
    }
}

#[test]
fn a_slot_that_was_not_started_is_not_said_to_have_failed() {
    let machine = Machine::orin();
    machine.slot("try b");
    assert_eq!(machine.slot("failed"), "");
    assert!(!machine.slot("status").contains("did not come up"));
}

#[test]
fn a_capsule_changes_slots_by_itself() {
    let machine = Machine::orin();
    machine.write("run/totton-audio-update/TEGRA_BL.Cap", "capsule");
    machine.slot("open b");
    assert!(!machine.exists(CAPSULE), "it is copied when the rest is written");
    machine.slot("try b");
    assert!(holds(&machine.path(CAPSULE), "capsule"));
    assert_eq!(machine.get("BootChainFwNext"), None);
    assert_eq!(machine.firmware_starts(Power::On).as_deref(), Some("b"));
    machine.slot("start");
    assert!(machine.on_trial());
    assert!(!machine.exists(CAPSULE));
}

#[test]
fn a_capsule_of_an_update_that_is_given_up_is_removed() {
    let machine = Machine::orin();
    machine.write("run/totton-audio-update/TEGRA_BL.Cap", "capsule");
    machine.slot("try b");
    machine.slot("open b");
    assert!(!machine.exists(CAPSULE));
    assert_eq!(machine.start(), "a");
}

#[test]
fn firmware_is_left_alone_only_where_its_version_is_known() {
    let machine = Machine::orin();
    assert_eq!(machine.slot("versions"), "totton-firmware 0");
    machine.write("sys/firmware/efi/esrt/entries/entry0/fw_version", "2556416\n");
    machine.slot("confirm");
    assert_eq!(machine.slot("versions"), "totton-firmware 0", "what runs in a says nothing of b");
    machine.mounted("APP_b");
    assert_eq!(machine.slot("versions"), "totton-firmware 2556416");
}

#[test]
fn a_firmware_that_does_not_answer_is_an_error() {
    // A folder where the variable's file is to be: neither read nor written.
    let machine = Machine::orin();
    let name = "sys/firmware/efi/efivars/TottonAudioGood-3c1a9b57-0f4e-4d0b-9a71-7a0c2b6f51de";
    fs::create_dir(machine.path(name)).unwrap();
    for words in ["try b", "open b", "confirm", "start", "status"] {
        assert!(machine.refusal(words).contains("EFI variable TottonAudioGood"), "{words}");
    }
}

#[test]
fn without_access_to_the_register_nothing_is_said_to_be_done() {
    let machine = Machine::orin();
    fs::remove_file(machine.path("dev/mem")).unwrap();
    for words in ["try b", "open b", "confirm", "start"] {
        assert!(machine.refusal(words).contains("dev/mem: No such file"), "{words}");
    }
    assert_eq!(machine.get("BootChainFwNext"), None, "nothing is tried");
    assert!(machine.slot("status").contains("slot a: good"), "who only looks needs no access");
    assert!(!machine.on_trial());
}

#[test]
fn without_efi_variables_it_is_said_what_is_missing() {
    let machine = Machine::orin();
    fs::remove_dir_all(machine.path("sys/firmware/efi/efivars")).unwrap();
    assert!(machine.refusal("status").contains("is efivarfs mounted?"));
}

#[test]
fn a_dry_run_tells_and_writes_nothing() {
    let machine = Machine::orin();
    machine.slot("start");
    let before = (machine.register(), machine.slot("status"));
    let told = machine.slot("try b --dry-run");
    for line in [
        "dry run: EFI variable RootfsStatusSlotB := [ff, 00, 00, 00]",
        "dry run: retry register := 0x0034face",
        "dry run: EFI variable BootChainFwNext := [01, 00, 00, 00]",
    ] {
        assert!(told.contains(line), "no {line:?} in\n{told}");
    }
    assert_eq!((machine.register(), machine.slot("status")), before);
    assert_eq!(machine.get("BootChainFwNext"), None);
}

#[test]
fn the_status_is_there_for_programs() {
    let machine = Machine::orin();
    machine.slot("try b");
    let status: serde_json::Value = serde_json::from_str(&machine.slot("status --json")).unwrap();
    assert_eq!(status["loader"], "orin");
    assert_eq!(status["b"], serde_json::json!({"is": "trial", "starts_left": 3}));
}
