//! The slots, explored: the code that ships against models of the boot loaders, with the power
//! cut after each of its writes.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod esp;
mod explore;
mod orin;
