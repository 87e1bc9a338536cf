//! The device beside the audio daemon: services, board, journal, check, power,
//! updates.

pub mod board;
pub mod check;
pub mod journal;
pub mod power;
pub mod units;
pub mod updater;
