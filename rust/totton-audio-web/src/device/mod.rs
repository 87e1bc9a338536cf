//! The device beside the audio daemon: services, board, journal, power, updates.

pub mod board;
pub mod journal;
pub mod power;
pub mod units;
pub mod updater;
