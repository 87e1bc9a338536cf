use crate::machine::{Machine, entry};

#[test]
fn the_running_slot_is_told_by_the_mounted_partition() {
    let machine = Machine::systemd_boot();
    assert_eq!((machine.slot("current"), machine.slot("other")), ("a".into(), "b".into()));
    machine.mounted("APP_b");
    assert_eq!((machine.slot("current"), machine.slot("other")), ("b".into(), "a".into()));
}

#[test]
fn a_system_without_slots_is_told_so() {
    let machine = Machine::systemd_boot();
    machine.mounted("rootfs");
    for words in
        ["current", "other", "status", "trial", "failed", "versions", "try b", "open b", "confirm"]
    {
        assert!(machine.refusal(words).contains("has no slots"), "{words}");
    }
    assert_eq!(machine.slot("start"), "this system has no slots", "a start goes on");
}

#[test]
fn slots_without_a_boot_loader_are_told_so() {
    let machine = Machine::systemd_boot();
    std::fs::remove_dir_all(machine.path("boot/efi/loader")).unwrap();
    assert!(machine.refusal("status").contains("no boot loader that counts starts"));
    assert_eq!(machine.slot("current"), "a");
}

#[test]
fn only_the_other_slot_can_be_written_and_tried() {
    let machine = Machine::systemd_boot();
    for words in ["try a", "open a"] {
        assert!(machine.refusal(words).contains("slot a is the one that runs"));
    }
    for words in ["try c", "try", "open", "tries b"] {
        let output = machine.attempt(words);
        assert_eq!(output.status.code(), Some(2), "{words}: {output:?}");
    }
    assert_eq!(machine.entries(), ["totton-a.conf", "totton-b.conf"]);
}

#[test]
fn a_slot_without_kernel_is_not_tried() {
    let machine = Machine::systemd_boot();
    std::fs::remove_file(machine.path("boot/efi/totton/b/Image")).unwrap();
    assert!(machine.refusal("try b").contains("no kernel for slot b"));
}

#[test]
fn an_update_that_is_good_stays() {
    let machine = Machine::systemd_boot();
    assert_eq!(machine.loader_starts(), "a");
    machine.slot("open b");
    assert_eq!(machine.entries(), ["totton-a.conf"]);
    machine.slot("try b");
    assert_eq!(machine.entries(), ["totton-a.conf", "totton-b+3.conf"]);
    assert!(!machine.on_trial(), "slot a is not on trial");
    assert_eq!(machine.loader_starts(), "b");
    assert_eq!(machine.slot("start"), "slot b runs, on trial");
    assert!(machine.on_trial());
    assert!(machine.slot("status").contains("on trial: yes"));
    machine.slot("confirm");
    assert_eq!(machine.entries(), ["totton-a.conf", "totton-b.conf"]);
    for _ in 0..5 {
        assert_eq!(machine.loader_starts(), "b");
    }
    assert_eq!(machine.slot("failed"), "");
}

#[test]
fn an_update_that_never_comes_up_is_left_after_three_starts() {
    let machine = Machine::systemd_boot();
    machine.slot("try b");
    let slots: Vec<_> = (0..5).map(|_| machine.loader_starts()).collect();
    assert_eq!(slots, ["b", "b", "b", "a", "a"]);
    assert_eq!(machine.slot("failed"), "b");
    assert!(machine.slot("status").contains("slot b did not come up in 3 starts"));
    assert!(!machine.on_trial());
}

#[test]
fn a_slot_that_failed_can_be_written_and_tried_again() {
    let machine = Machine::systemd_boot();
    machine.slot("try b");
    while machine.loader_starts() == "b" {}
    machine.slot("open b");
    machine.slot("try b");
    assert_eq!(machine.entries(), ["totton-a.conf", "totton-b+3.conf"]);
    assert_eq!(machine.slot("failed"), "", "it was not started yet");
    assert_eq!(machine.loader_starts(), "b");
}

#[test]
fn updates_go_back_and_forth() {
    let machine = Machine::systemd_boot();
    for target in ["b", "a", "b", "a", "b"] {
        machine.slot(&format!("open {target}"));
        machine.slot(&format!("try {target}"));
        assert_eq!(machine.loader_starts(), target);
        machine.slot("start");
        machine.slot("confirm");
    }
    assert_eq!(machine.entries(), ["totton-a.conf", "totton-b.conf"]);
}

#[test]
fn the_new_entry_keeps_the_kernels_options() {
    let machine = Machine::systemd_boot();
    machine.slot("try b");
    let text = machine.read("boot/efi/loader/entries/totton-b+3.conf");
    assert_eq!(text, entry("b", 3, "APP_b"));
}

#[test]
fn the_kernel_that_an_update_brought_is_on_the_esp_after_try() {
    let machine = Machine::systemd_boot();
    machine.write("run/totton-audio-update/Image", "new kernel");
    machine.slot("open b");
    machine.slot("try b");
    assert_eq!(machine.read("boot/efi/totton/b/Image"), "new kernel");
    assert_eq!(machine.read("boot/efi/totton/a/Image"), "kernel");
    let names: Vec<_> = std::fs::read_dir(machine.path("boot/efi/totton/b")).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn a_dry_run_tells_and_writes_nothing() {
    let machine = Machine::systemd_boot();
    machine.write("run/totton-audio-update/Image", "new kernel");
    let told = machine.slot("--dry-run open b") + &machine.slot("try b --dry-run");
    for line in [
        "dry run: loader/entries/totton-b.conf on the ESP removed",
        "dry run: the kernel copied to totton/b/Image on the ESP",
        "root=PARTLABEL=APP_b",
    ] {
        assert!(told.contains(line), "no {line:?} in\n{told}");
    }
    assert_eq!(machine.entries(), ["totton-a.conf", "totton-b.conf"]);
    assert_eq!(machine.read("boot/efi/totton/b/Image"), "kernel");
}

#[test]
fn the_status_is_there_for_programs() {
    let machine = Machine::systemd_boot();
    machine.slot("try b");
    let status: serde_json::Value = serde_json::from_str(&machine.slot("status --json")).unwrap();
    let wanted = serde_json::json!({
        "loader": "systemd-boot", "on_trial": false, "running": "a", "next": "b",
        "a": {"is": "good"}, "b": {"is": "trial", "starts_left": 3}, "lost": null, "recoveries": 0,
    });
    assert_eq!(status, wanted);
}

#[test]
fn two_commands_at_once_are_one_after_the_other() {
    let machine = Machine::systemd_boot();
    let mut commands: Vec<_> = (0..8)
        .map(|_| machine.program(crate::machine::SLOT).args(["try", "b"]).spawn().unwrap())
        .collect();
    for command in &mut commands {
        assert!(command.wait().unwrap().success());
    }
    assert_eq!(machine.entries(), ["totton-a.conf", "totton-b+3.conf"]);
}
