//! The device beside the audio daemon: services, board, check, clock, journal, power,
//! updates, slots.

pub mod board;
pub mod check;
pub mod clock;
pub mod installer;
pub mod journal;
pub mod power;
pub mod slot;
pub mod units;
pub mod updater;
