//! The engine on an NVIDIA GPU, and the change to the processor when the GPU fails.
//!
//! ```text
//! caller ─▶ Failover ─▶ CpuEngine            listens to every block, renders when it must
//!              │ ▲
//!         blocks │ results                  lock-free rings
//!              ▼ │
//!           Worker ─▶ Convolver ─▶ Device   a thread of its own: whatever a driver
//!                                           does, the caller never waits longer than
//!                                           its patience
//! ```
//!
//! | Module | What it does |
//! | --- | --- |
//! | [`failover`] | [`Failover`]: an engine that changes over and back, block by block |
//! | `patience` | how long anybody waits for a GPU |
//! | [`worker`] | the GPU's thread: makes the convolver, checks it, feeds it, tries again |
//! | `check` | a convolver proves itself before it is heard |
//! | `health` | what the rest of a program may know of it |
//! | `priority` | of the GPU's thread |
//! | [`convolver`] | the convolution on a device |
//! | [`shape`], [`spectra`] | sizes and layouts |
//! | [`device`] | what is asked of a GPU; CUDA; the device of tests |
//! | [`baseline`] | plain overlap-save at the output rate, to measure against |
//! | [`error`] | the errors |
//!
//! `kernels/` has the kernels' source, and their compiled forms, which
//! `kernels/compile` makes on any x86-64 machine. docs/gpu.md tells the whole.

pub mod baseline;
mod check;
pub mod convolver;
pub mod device;
pub mod error;
pub mod failover;
mod health;
mod patience;
mod priority;
pub mod shape;
pub mod spectra;
pub mod worker;

pub use convolver::Convolver;
pub use error::Error;
pub use failover::Failover;
pub use patience::Patience;
pub use shape::Shape;
