//! The two system slots, a and b: which one runs, which one is tried next, which is good.
//!
//! The logic of each boot loader stands behind [`loader::BootLoader`] and knows no file: what
//! it reads and writes is a trait too, so that the same code runs on the device and against
//! the models of `tests/`, which cut the power after each single write.
//!
//! `docs/decisions/0010-slots-on-an-orin.md` tells why it is as it is.

pub mod error;
pub mod loader;
pub mod orin;
pub mod slot;
pub mod systemd_boot;

pub use error::{Error, Result};
pub use loader::BootLoader;
pub use slot::Slot;
