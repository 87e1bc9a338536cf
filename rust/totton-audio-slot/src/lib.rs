//! The two system slots, a and b: which one runs, which one is tried next, which is good.
//!
//! The logic of each boot loader stands behind [`loader::BootLoader`] and knows no file: what
//! it reads and writes is a trait too, so that the same code runs on the device and against
//! the models of `tests/`, which cut the power after each single write.
//!
//! | Module | |
//! | --- | --- |
//! | `loader` | what a boot loader is asked for |
//! | `orin`, `systemd_boot` | the logic for either |
//! | `platform` | EFI variables, the retry register, the ESP, the partition that runs |
//! | `dry_run` | what would be written |
//! | `cli` | the program `totton-audio-slot` |
//! | `health` | when a start is good: the program `totton-audio-health` |
//!
//! `docs/decisions/0010-slots-on-an-orin.md` tells why it is as it is.

pub mod cli;
mod dry_run;
pub mod error;
pub mod health;
pub mod loader;
pub mod orin;
pub mod platform;
pub mod slot;
pub mod systemd_boot;

pub use error::{Error, Result};
pub use loader::BootLoader;
pub use slot::Slot;
