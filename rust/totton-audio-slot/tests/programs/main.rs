//! The two programs as they are on the device, on machines made of folders.
//!
//! A machine is /proc, /sys, /dev/mem and the ESP in a folder, which the programs see by
//! `TOTTON_SLOT_ROOT`; its boot loader is played, with all that it keeps, by `machine`.

// Helpers of tests.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod health;
mod machine;
mod orin;
mod systemd_boot;
