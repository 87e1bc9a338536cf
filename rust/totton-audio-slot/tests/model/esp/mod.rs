//! systemd-boot.

mod behaviour;
mod fat;
mod script;
mod world;

use crate::explore::explore;
use fat::Fault;
use world::System;

const LIMIT: usize = 1_000_000;
const SHIPPED: System = System { fault: Fault::None, script: false, only: "" };

#[test]
fn what_ships_holds() {
    let found = explore(&SHIPPED, LIMIT);
    println!("systemd-boot: {found}");
    assert!(found.violation.is_none());
}

fn breaks(name: &str, system: System) {
    let found = explore(&system, LIMIT);
    println!("systemd-boot, {name}: {found}\n");
    assert!(found.violation.is_some(), "{name}: nothing noticed");
}

/// The two cuts by which an update was undone in silence.
#[test]
fn today_updates_undone_in_silence() {
    let script = System { script: true, ..SHIPPED };
    breaks("the script: two entries", System { only: "is not the one that stays", ..script });
    breaks("the script: confirm", System { only: "a cut in its confirmation", ..script });
}

#[test]
fn faults_put_back() {
    for fault in [Fault::OneEpoch, Fault::RenameWithoutFile, Fault::ConfirmsByRename] {
        breaks(&format!("{fault:?}"), System { fault, ..SHIPPED });
    }
}
