//! Faults put back one by one: each breaks an invariant, and the search says by what path.

use totton_audio_slot::Slot;
use totton_audio_slot::orin::{Register, Variable};

use super::LIMIT;
use super::chip::{Fate, Fault, Word, Write};
use super::firmware::{Firmware, WayOut};
use super::system::{Logic, System};
use crate::explore::explore;

/// Explores with a fault until the invariant is broken; prints the shortest path.
fn breaks(name: &str, system: System, what: &'static str) {
    let found = explore(&System { only: what, ..system }, LIMIT);
    println!("{name}: {found}\n");
    assert!(found.violation.is_some(), "{name}: nothing noticed");
}

fn fault(name: &str, what: &'static str, fault: Fault) {
    breaks(name, System { fault: Some(fault), ..System::SHIPPED }, what);
}

fn script(name: &str, rawio: bool, what: &'static str) {
    breaks(name, System { logic: Logic::Script { rawio }, ..System::SHIPPED }, what);
}

fn status(write: Write, slot: Slot) -> bool {
    write == Write::Variable(Variable::Status(slot))
}

fn armed(write: Write, number: Option<u32>) -> bool {
    write == Write::Register && number != Some(Register::CLEAR)
}

const UNPROVOKED: &str = "RECOVERY, and no confirmed slot was reset early";
const NOT_KEPT: &str = "a good update, left alone, was not confirmed";
const NOT_LEFT: &str = "confirmed last, is not the one that stays";
const STRAY: &str = "is started outside a trial";
const FOURTH: &str = "started a fourth time";

#[test]
fn today_six_restarts_end_in_recovery() {
    let firmware = Firmware { way_out: WayOut::Nothing };
    let logic = Logic::Script { rawio: false };
    let system = System { firmware, logic, calm: true, ..System::SHIPPED };
    breaks("the script, no rawio", system, UNPROVOKED);
}

#[test]
fn today_other_ends() {
    script("finding 3: the script after a failed update", true, NOT_KEPT);
    script("finding 4: the script, a hang and the plug", true, FOURTH);
    script("the script's status", true, "status:");
    script("the script writes a slot that the firmware starts", true, STRAY);
    script("finding 8: the script and an interrupted capsule", true, "not whole");
}

#[test]
fn finding_1_the_register_may_not_be_written() {
    fault("no CAP_SYS_RAWIO", "no update can be installed", |_, write, _, _| match write {
        Write::Register => Fate::Fails,
        _ => Fate::Done,
    });
}

#[test]
fn finding_2_only_a_healthy_minute_verifies() {
    fault("start does not verify", UNPROVOKED, |word, write, number, _| match (word, write) {
        (Word::Start, Write::Register) if number == Some(Register::CLEAR) => Fate::Dropped,
        _ => Fate::Done,
    });
}

#[test]
fn finding_3_the_status_is_not_reset() {
    fault("confirm leaves the status", NOT_LEFT, |word, write, _, running| {
        let left = word == Word::Confirm && status(write, running);
        if left { Fate::Dropped } else { Fate::Done }
    });
}

#[test]
fn finding_4_power_cuts_are_not_counted() {
    fault("the firmware counts a trial", FOURTH, |word, write, number, running| {
        if word != Word::Open && status(write, running.other()) {
            Fate::Number(0)
        } else if armed(write, number) {
            Fate::Number(Register { slot: running, a: 3, b: 3 }.bits())
        } else {
            Fate::Done
        }
    });
}

#[test]
fn finding_8_the_firmware_note_stays() {
    fault("the note stays", "the firmware noted", |word, write, _, running| {
        let note = write == Write::Variable(Variable::Firmware(running.other()));
        if word == Word::Try && note { Fate::Dropped } else { Fate::Done }
    });
}

#[test]
fn finding_12_a_firmware_that_does_nothing() {
    fault("nothing is written", NOT_KEPT, |_, _, _, _| Fate::Dropped);
}

#[test]
fn the_register_is_not_primed() {
    fault("set-active without verify", NOT_KEPT, |_, write, number, _| {
        if armed(write, number) { Fate::Dropped } else { Fate::Done }
    });
}

#[test]
fn the_firmware_status_stays() {
    fault("BootChainFwStatus stays", NOT_KEPT, |_, write, number, _| {
        let delete = write == Write::Variable(Variable::ChainStatus) && number.is_none();
        if delete { Fate::Dropped } else { Fate::Done }
    });
}

#[test]
fn open_leaves_the_slot_bootable() {
    fault("open without 0xFF", STRAY, |word, write, _, running| {
        let left = word == Word::Open && status(write, running.other());
        if left { Fate::Dropped } else { Fate::Done }
    });
    fault("open without the mask", STRAY, |word, write, _, _| {
        let left = word == Word::Open && write == Write::Variable(Variable::Good);
        if left { Fate::Dropped } else { Fate::Done }
    });
}

#[test]
fn confirm_in_another_order() {
    fault("the mask last", "", |word, write, _, _| match (word, write) {
        (Word::Confirm, Write::Variable(Variable::Good)) => Fate::Late,
        _ => Fate::Done,
    });
    fault("the register last", NOT_LEFT, |word, write, _, _| match (word, write) {
        (Word::Confirm, Write::Register) => Fate::Late,
        _ => Fate::Done,
    });
    fault("the status last", NOT_LEFT, |word, write, _, running| {
        let late = word == Word::Confirm && status(write, running);
        if late { Fate::Late } else { Fate::Done }
    });
}

#[test]
fn a_start_is_given_before_it_is_counted() {
    fault("armed, then counted", FOURTH, |word, write, _, _| {
        let counts = word == Word::Start && write == Write::Variable(Variable::Trial);
        if counts { Fate::Late } else { Fate::Done }
    });
}

#[test]
fn no_way_out_of_recovery() {
    let nothing = Firmware { way_out: WayOut::Nothing };
    breaks("no way out", System { firmware: nothing, ..System::SHIPPED }, "ends in RECOVERY");
    let both = Firmware { way_out: WayOut::BothSlots };
    breaks("a way out for both", System { firmware: both, ..System::SHIPPED }, STRAY);
}
