//! The box: chip, what lies in the slots, and what an observer knows of it.

use totton_audio_slot::loader::Start;
use totton_audio_slot::orin::Register;
use totton_audio_slot::{Result, Slot};

use super::chip::{Capsule, Chip, index};
use crate::explore::{Broken, broken};

/// What lies in a slot's root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    Good,
    /// It starts, and is never healthy for a minute.
    Unhealthy,
    /// Nothing starts, and the launcher restarts the box: no kernel, or one that crashes; the
    /// watchdog ends a hang in the same way.
    NoKernel,
    /// An update was interrupted: it hangs before its first unit until the plug is pulled.
    Half,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    Off,
    /// A kernel runs, and no unit has.
    Early,
    Up(Work),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    None,
    /// `start` wants a restart.
    Leaves,
    /// SWUpdate may write the other slot.
    Opened,
    Writing,
    Written,
    Tried,
}

/// A trial, as an observer sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trial {
    pub slot: Slot,
    pub starts: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub chip: Chip,
    pub contents: [Content; 2],
    pub phase: Phase,
    // The rest is what an observer knows, not the box.
    /// What lies in the slot was confirmed.
    pub confirmed: [bool; 2],
    /// The slot that was confirmed last.
    pub home: Slot,
    pub trial: Option<Trial>,
    /// Times that the box was switched on since the last `try`.
    pub attempts: u8,
    /// `start` has been through since the kernel started.
    pub through: bool,
    /// Warm restarts of a confirmed slot in a row before `start` was through.
    pub early: u8,
    /// There were three of them.
    pub fell: bool,
    /// Starts that were interrupted while a confirmed slot was to be gone back to.
    pub interrupted: u8,
}

/// In the register, as the launcher would read it.
pub fn starts_left(chip: &Chip, slot: Slot) -> u8 {
    Register::from_bits(chip.register).map_or(3, |register| register.starts_left(slot))
}

impl World {
    pub fn new() -> Self {
        World {
            chip: Chip::new(),
            contents: [Content::Good; 2],
            phase: Phase::Off,
            confirmed: [true; 2],
            home: Slot::A,
            trial: None,
            attempts: 3,
            through: false,
            early: 0,
            fell: false,
            interrupted: 0,
        }
    }

    pub fn root(&self) -> Slot {
        self.chip.root
    }

    pub fn content(&self, slot: Slot) -> Content {
        self.contents[index(slot)]
    }

    pub fn confirmed(&self, slot: Slot) -> bool {
        self.confirmed[index(slot)]
    }

    pub fn with(self, chip: Chip) -> World {
        World { chip, ..self }
    }

    /// Confirmed, and not tried again.
    pub fn loyal(&self, slot: Slot) -> bool {
        self.confirmed(slot) && self.chip.good.is_none_or(|mask| mask & 1 << slot.number() != 0)
    }

    /// Whatever is under way is cut off.
    pub fn cut(self, power: bool) -> World {
        if !power {
            let counts = starts_left(&self.chip, self.root()) < 3;
            let early = self.phase != Phase::Off && !self.through && self.loyal(self.root());
            return self.restart(early && counts);
        }
        let mut world = self.restart(false);
        world.chip.register = Register::CLEAR;
        world.early = 0;
        world
    }

    /// A warm restart; `early`: before the first unit of a slot whose start was counted.
    pub fn restart(self, early: bool) -> World {
        let mut world = World { phase: Phase::Off, through: false, ..self };
        world.chip.brought = Capsule::None;
        let back = world.chip.trial.is_some_and(|trial| world.confirmed(trial.slot));
        world.interrupted = if back { (world.interrupted + 1).min(3) } else { 0 };
        if Register::from_bits(world.chip.register).is_none() {
            world.early = 0;
        }
        if early {
            world.early += 1;
            if world.early == 3 {
                (world.early, world.fell) = (0, true);
            }
        }
        world
    }

    /// The firmware starts the kernel of `slot`.
    pub fn kernel(mut self, slot: Slot) -> std::result::Result<World, Broken> {
        let loyal = self.loyal(slot);
        if let Some(trial) = self.trial.as_mut().filter(|trial| trial.slot == slot && !loyal) {
            trial.starts += 1;
            if trial.starts > 3 {
                return broken(format!("slot {slot} is started a fourth time in its trial"));
            }
        } else if !self.confirmed(slot) {
            return broken(format!(
                "slot {slot} ({:?}) was not confirmed, and is started outside a trial",
                self.content(slot)
            ));
        }
        self.phase = match self.content(slot) {
            // The launcher restarts the box.
            Content::NoKernel => Phase::Off,
            _ => Phase::Early,
        };
        Ok(self)
    }

    /// A command has made sure of the running slot: it stays.
    pub fn settled(mut self) -> World {
        let root = self.root();
        if self.loyal(root) {
            (self.through, self.early) = (true, 0);
            let goes = self.chip.trial.is_some_and(|at| at.slot != root && self.loyal(at.slot));
            if self.fell && !goes {
                (self.home, self.fell) = (root, false);
            }
        }
        self
    }

    /// Three interrupted starts end it.
    pub fn going_back_ends(mut self, before: &World) -> World {
        let root = self.root();
        let went = before.chip.trial.is_some_and(|at| at.slot != root && self.loyal(at.slot));
        if went && self.chip.trial.is_none() && self.interrupted == 3 {
            self.home = root;
        }
        self
    }

    /// The mask of good slots has the running one.
    fn noted(&self) -> bool {
        self.chip.good.is_some_and(|mask| mask & 1 << self.root().number() != 0)
    }

    /// Somebody gives up the other slot: it is not gone back to.
    pub fn given_up(mut self) -> World {
        let gone = self.chip.trial.is_none() || !self.loyal(self.root().other());
        if self.noted() && gone {
            self.home = self.root();
        }
        if self.chip.trial.is_none() {
            self.trial = None;
        }
        self
    }

    /// The running slot is confirmed as soon as it is noted.
    pub fn confirming(mut self, before: &World) -> World {
        let root = self.root();
        if self.noted() && !before.noted() {
            self.confirmed[index(root)] = true;
            self.home = root;
            self.fell = false;
            self.trial = self.trial.filter(|trial| trial.slot != root);
        }
        self
    }

    pub fn started(mut self, start: &Result<Start>) -> std::result::Result<World, Broken> {
        let root = self.root();
        self.phase = Phase::Up(Work::None);
        let Ok(start) = start else { return Ok(self) };
        if let Start::GoBackTo(slot) = start {
            (self.home, self.fell) = (*slot, false);
        }
        self = self.settled();
        match start {
            Start::TryAgain(_) | Start::GoBackTo(_) => self.phase = Phase::Up(Work::Leaves),
            Start::TrialOver(outcome) => {
                self.trial = None;
                if self.confirmed(outcome.slot) {
                    if self.interrupted < 3 {
                        return broken(format!("slot {}, confirmed, was given up", outcome.slot));
                    }
                    self.home = root;
                }
            }
            Start::Good | Start::OnTrial => {}
        }
        Ok(self)
    }
}
