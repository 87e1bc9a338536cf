//! What must hold, always.

use totton_audio_slot::Slot;
use totton_audio_slot::loader::Reason;
use totton_audio_slot::orin::Register;

use super::chip::{Capsule, Chain, index};
use super::firmware::{End, start_up};
use super::system::System;
use super::world::{Content, Phase, Work, World};
use crate::explore::{Broken, broken};

type Held = Result<(), Broken>;

/// Of each state, given where it comes to rest when it is left alone.
pub fn holds(system: &System, world: &World, rest: &World) -> Held {
    let chip = &world.chip;
    for slot in Slot::BOTH {
        let note = chip.firmware[index(slot)].filter(|note| *note != 0);
        if note.is_some() && chip.chain(slot).version() != note {
            return broken(format!("the firmware noted for slot {slot} is not the one it has"));
        }
    }
    // A confirmed slot survives.
    let other = world.home.other();
    let trial = world.trial.is_some_and(|trial| trial.slot == other);
    let excused = trial || world.fell || world.interrupted == 3;
    if rest.home != world.home && !excused {
        return broken(format!("slot {}, confirmed last, is not the one that stays", world.home));
    }
    if world.phase == Phase::Up(Work::Tried)
        && world.content(world.root().other()) == Content::Good
        && chip.brought != Capsule::Bad
        && rest.root() == world.root()
    {
        return broken("a good update, left alone, was not confirmed");
    }
    let starts = chip.trial.filter(|trial| trial.left > 0 && !world.loyal(trial.slot));
    if let Some(trial) = starts
        && world.content(trial.slot) == Content::Good
        && chip.firmware[index(trial.slot)] != Some(0)
        && rest.home != trial.slot
    {
        return broken("a good update with starts left, left alone, was not confirmed");
    }
    let Phase::Up(work) = world.phase else { return Ok(()) };
    let Ok(status) = system.ask(*chip, |loader| loader.status()) else {
        return broken("no status");
    };
    if let Some(lost) = status.lost {
        let needed = if lost.reason == Reason::Starts { 3 } else { 1 };
        if world.attempts < needed {
            return broken(format!("status: {lost}. It had {} starts", world.attempts));
        }
    }
    let unsure = [chip.placed, chip.brought].contains(&Capsule::Bad);
    if work != Work::Writing && !unsure {
        let next = start_up(*chip, system.firmware).end;
        if next != End::Kernel(status.next) {
            return broken(format!("status says that slot {} is next: {next:?} is", status.next));
        }
    }
    Ok(())
}

/// Of each state of rest.
pub fn rests(system: &System, rest: &World) -> Held {
    let root = rest.root();
    if rest.content(root) != Content::Good || !rest.confirmed(root) {
        return broken(format!("the box comes to rest in slot {root}, which was not confirmed"));
    }
    if rest.home != root {
        return broken(format!("slot {}, confirmed last, is not the one that stays", rest.home));
    }
    for command in [
        system.ask(rest.chip, |loader| loader.open(root)),
        system.ask(rest.chip, |loader| loader.try_slot(root)),
    ] {
        if command.is_ok() {
            return broken("the running slot may be written");
        }
    }
    if system.calm {
        return Ok(());
    }
    let updated = system.updated(rest)?;
    let other = root.other();
    if updated.root() != other || updated.home != other || !updated.confirmed(other) {
        return broken(format!("an update installed now is not kept: {}", show(&updated)));
    }
    if updated.chip.chain(other) != Chain::New {
        return broken("an update installed now does not have its firmware");
    }
    Ok(())
}

pub fn show(world: &World) -> String {
    let chip = &world.chip;
    let mut words = vec![match world.phase {
        Phase::Off => "off;".to_owned(),
        Phase::Early => format!("{} starts;", chip.root),
        Phase::Up(work) => format!("{} runs {};", chip.root, format!("{work:?}").to_lowercase()),
    }];
    for slot in Slot::BOTH {
        let status = if chip.unbootable(slot) { "FF" } else { "00" };
        let confirmed = if world.confirmed(slot) { " confirmed" } else { "" };
        words.push(format!("{slot} {status} {:?}{confirmed},", world.content(slot)));
    }
    words.push(match Register::from_bits(chip.register) {
        Some(register) => format!("register a={} b={}", register.a, register.b),
        None => "register clear".to_owned(),
    });
    words.push(format!("chain {}", chip.table));
    if let Some(next) = chip.next {
        words.push(format!("next {next}"));
    }
    if let Some(status) = chip.chain_status {
        words.push(format!("FwStatus {status}"));
    }
    if let Some(trial) = chip.trial {
        words.push(format!(
            "trial {} left {} reached {} back {}",
            trial.slot, trial.left, trial.reached, trial.back
        ));
    }
    if chip.chains != [Chain::Old; 2] {
        words.push(format!("firmware {:?} {:?}", chip.chains[0], chip.chains[1]));
    }
    words.push(match chip.good {
        Some(mask) => format!("good {mask:02b}"),
        None => "good -".to_owned(),
    });
    words.join(" ")
}
