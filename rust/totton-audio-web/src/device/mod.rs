//! The device beside the audio daemon: services, board, check, clock, journal, power,
//! updates.

pub mod board;
pub mod check;
pub mod clock;
pub mod journal;
pub mod power;
pub mod units;
pub mod updater;
