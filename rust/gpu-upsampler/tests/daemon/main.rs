//! The whole daemon in one process, on devices that a test controls.
//!
//! - [`double`]: those devices; [`running`]: a daemon on them, with its systemd
//! - [`stream`]: what comes out; [`faults`]: what devices do
//! - [`drift`]: the input's clock against the DAC's
//! - [`gpu`]: when the GPU fails
//! - [`control`]: what the sockets answer; [`flood`]: how much they bear
//! - [`hostile`]: what a stranger sends
//! - [`never_loud`]: how loud it is meanwhile
//! - [`soak`]: many faults at random
//! - [`spectrum`]: what sounds by frequency
//! - [`settings`]: what listeners set; [`systemd`]: what systemd hears
//! - [`worker`]: what takes long, beside the sound

#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

mod control;
mod double;
mod drift;
mod faults;
mod flood;
#[cfg(feature = "cuda")]
mod gpu;
mod hostile;
mod never_loud;
mod running;
mod settings;
mod soak;
mod spectrum;
mod stream;
mod systemd;
mod worker;
