//! A Jetson Orin: the slots as its UEFI firmware chooses them.
//!
//! The firmware's part, read in NVIDIA's edk2-nvidia, branch r39.2-updates (bd49b331):
//! `Silicon/NVIDIA/Application/L4TLauncher/L4TRootfsValidation.c` and
//! `Silicon/NVIDIA/Drivers/BootChainDxe/BootChainDxe.c`.
//!
//! - A [retry register](Register), which every restart keeps and a power cut loses, has a count of
//!   starts for each slot; each start takes one, a good slot's too. The launcher sets it
//!   up where it has no magic: no start for a slot whose status is 0xFF, three for another.
//! - Count at 0: the status of the slot becomes 0xFF and the other one starts, if its count is
//!   above 0. Otherwise both are 0xFF, and the recovery partition is started.
//! - `BootChainFwNext` changes the chain, if it is another one, its firmware is not marked as
//!   failed, and `BootChainFwStatus` does not exist.
//!
//! Ours on top of it: a slot that was not confirmed has the status 0xFF, so that the firmware
//! never starts it by itself; and a slot on trial has exactly one start in the register, so
//! that whatever ends it leads back to the slot before, which counts, and gives it another.

mod board;
mod logic;
mod notes;
mod register;

pub use board::{Board, Variable};
pub use logic::Orin;
pub use notes::{Good, Trial};
pub use register::Register;
