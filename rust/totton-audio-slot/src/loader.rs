//! What a boot loader that knows two slots can be asked for.

use std::fmt;

use serde::Serialize;

use crate::error::Result;
use crate::slot::Slot;

/// Starts that a slot on trial gets, of any kind: each one counts, whether its system
/// crashed, hung until the plug was pulled, or restarted by itself.
pub const TRIES: u8 = 3;

/// A boot loader of this product's, with what it keeps of the slots.
///
/// The life of an update: `open` before the slot is overwritten, `try_slot` after, `start`
/// at each start of either slot, `confirm` once the start has proved good. A power cut is
/// allowed within each of them, after each single write.
pub trait BootLoader {
    /// The slot that runs.
    fn running(&self) -> Slot;

    /// All that is known, changing nothing.
    fn status(&self) -> Result<Status>;

    /// `slot`, the one that does not run, is about to be overwritten: it is good no longer,
    /// and nothing starts it.
    fn open(&mut self, slot: Slot) -> Result<()>;

    /// The next start is that of `slot`, on trial.
    fn try_slot(&mut self, slot: Slot) -> Result<()>;

    /// A system has started: called before anything that may fail.
    fn start(&mut self) -> Result<Start>;

    /// The running slot is good.
    fn confirm(&mut self) -> Result<()>;

    /// What an update may leave as it is: names and versions, for SWUpdate.
    fn versions(&self) -> Result<Vec<(&'static str, String)>>;
}

/// What `start` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A slot that is not on trial.
    Good,
    /// A slot on trial: it has to be confirmed.
    OnTrial,
    /// The slot named was to start, and did not come up: it gets another start. Restart now.
    TryAgain(Slot),
    /// The slot named was to start, and does not get another one.
    TrialOver(Outcome),
    /// The slot named was confirmed just before the power was cut. Restart now, into it.
    GoBackTo(Slot),
}

/// How a trial ended that was not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Outcome {
    pub slot: Slot,
    pub reason: Reason,
    /// In how many of its starts its system came up far enough to tell.
    pub reached: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// None of its starts was confirmed.
    Starts,
    /// The firmware did not change to the slot's own firmware, or that may be half-written.
    Firmware,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { slot, reason, reached } = self;
        match reason {
            Reason::Starts if *reached == 0 => {
                write!(f, "slot {slot} did not come up in {TRIES} starts")
            }
            Reason::Starts => write!(
                f,
                "slot {slot} did not come up in {TRIES} starts: its system was reached in {reached}, and was not healthy"
            ),
            Reason::Firmware => write!(
                f,
                "slot {slot} did not come up: the firmware did not change to it, or an update of its firmware was interrupted; install the update again"
            ),
        }
    }
}

/// What is known of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "starts_left")]
pub enum Tries {
    /// Confirmed once: the boot loader may start it whenever the other one does not come up.
    Good,
    /// On trial, with so many starts left; one that runs is not one of them.
    Trial(u8),
    /// Never confirmed since it was written: the boot loader does not start it.
    NotGood,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    pub running: Slot,
    /// The slot of the next start, as far as nothing happens before.
    pub next: Slot,
    pub a: Tries,
    pub b: Tries,
    /// The last trial, if it was not confirmed and no update was begun since.
    pub lost: Option<Outcome>,
    /// How often the box came out of the firmware's recovery mode since the last good start.
    pub recoveries: u32,
}

impl Status {
    pub fn of(&self, slot: Slot) -> Tries {
        match slot {
            Slot::A => self.a,
            Slot::B => self.b,
        }
    }

    pub fn on_trial(&self) -> bool {
        matches!(self.of(self.running), Tries::Trial(_))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "running slot: {}", self.running)?;
        writeln!(f, "on trial: {}", if self.on_trial() { "yes" } else { "no" })?;
        for slot in Slot::BOTH {
            let tries = match self.of(slot) {
                Tries::Good => "good".to_owned(),
                Tries::Trial(left) => format!("on trial, starts left: {left}"),
                Tries::NotGood => "not good: it was written, and has not been confirmed".to_owned(),
            };
            writeln!(f, "slot {slot}: {tries}")?;
        }
        writeln!(f, "next start: slot {}", self.next)?;
        if let Some(lost) = &self.lost {
            writeln!(f, "{lost}; slot {}, the one before it, runs", self.running)?;
        }
        if self.recoveries > 0 {
            writeln!(
                f,
                "the firmware found no slot to start {} times, and was helped out",
                self.recoveries
            )?;
        }
        Ok(())
    }
}
