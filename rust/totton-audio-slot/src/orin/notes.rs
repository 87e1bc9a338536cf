//! Our own variables: what is kept of the slots beside what the firmware keeps.

use crate::loader::{Outcome, Reason};
use crate::slot::Slot;

/// The slots that were confirmed: one byte, bit 0 slot a, bit 1 slot b.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Good(u8);

impl Good {
    pub const NONE: Good = Good(0);

    /// None where nothing usable is kept.
    pub fn decode(bytes: &[u8]) -> Option<Good> {
        match bytes {
            [mask @ 1..=3] => Some(Good(*mask)),
            _ => None,
        }
    }

    pub fn encode(self) -> Vec<u8> {
        vec![self.0]
    }

    pub fn has(self, slot: Slot) -> bool {
        self.0 & 1 << slot.number() != 0
    }

    #[must_use]
    pub fn with(self, slot: Slot) -> Good {
        Good(self.0 | 1 << slot.number())
    }

    #[must_use]
    pub fn without(self, slot: Slot) -> Good {
        Good(self.0 & !(1 << slot.number()))
    }
}

/// The form of `Trial` and `Outcome`. A newer one only appends: an older program, which may run
/// in the other slot, reads what it knows.
const VERSION: u8 = 1;

/// A trial under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trial {
    pub slot: Slot,
    /// Starts that it has not been given yet.
    pub left: u8,
    /// Starts in which its system was reached.
    pub reached: u8,
    /// How often it was gone back to after it was confirmed.
    pub back: u8,
}

impl Trial {
    pub fn decode(bytes: &[u8]) -> Option<Trial> {
        match *bytes {
            [(VERSION..), slot, left, reached, back, ..] => {
                Some(Trial { slot: Slot::from_number(slot.into())?, left, reached, back })
            }
            _ => None,
        }
    }

    pub fn encode(self) -> Vec<u8> {
        vec![VERSION, self.slot.number(), self.left, self.reached, self.back]
    }
}

impl Outcome {
    pub(super) fn decode(bytes: &[u8]) -> Option<Outcome> {
        match *bytes {
            [(VERSION..), slot, reason, reached, ..] => Some(Outcome {
                slot: Slot::from_number(slot.into())?,
                reason: match reason {
                    0 => Reason::Starts,
                    1 => Reason::Firmware,
                    _ => return None,
                },
                reached,
            }),
            _ => None,
        }
    }

    pub(super) fn encode(self) -> Vec<u8> {
        let reason = match self.reason {
            Reason::Starts => 0,
            Reason::Firmware => 1,
        };
        vec![VERSION, self.slot.number(), reason, self.reached]
    }
}
