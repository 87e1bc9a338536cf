//! The two slots.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// One of the two system slots: a root file system, and what starts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    A,
    B,
}

impl Slot {
    pub const BOTH: [Slot; 2] = [Slot::A, Slot::B];

    /// The slot that is not this one.
    pub fn other(self) -> Slot {
        match self {
            Slot::A => Slot::B,
            Slot::B => Slot::A,
        }
    }

    /// 0 for a, 1 for b: as the Jetson's firmware counts its boot chains.
    pub fn number(self) -> u8 {
        match self {
            Slot::A => 0,
            Slot::B => 1,
        }
    }

    pub fn from_number(number: u32) -> Option<Slot> {
        Slot::BOTH.into_iter().find(|slot| u32::from(slot.number()) == number)
    }

    /// The label of the partition with the slot's root file system.
    pub fn partition(self) -> &'static str {
        match self {
            Slot::A => "APP",
            Slot::B => "APP_b",
        }
    }

    pub fn from_partition(label: &str) -> Option<Slot> {
        Slot::BOTH.into_iter().find(|slot| slot.partition() == label)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Slot::A => "a",
            Slot::B => "b",
        })
    }
}

impl FromStr for Slot {
    type Err = String;

    fn from_str(text: &str) -> Result<Slot, String> {
        match text {
            "a" => Ok(Slot::A),
            "b" => Ok(Slot::B),
            _ => Err(format!("a slot is a or b, not '{text}'")),
        }
    }
}

impl Serialize for Slot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
