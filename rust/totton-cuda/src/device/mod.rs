//! What the engine needs of a GPU.
//!
//! - [`Device`]: memory, transforms, and programs that are prepared once and
//!   submitted for each block
//! - [`cuda`]: an NVIDIA GPU
//! - [`host`]: the device of tests, with the feature `host-device`
//! - [`launch`]: the kernels and how they are launched

pub mod cuda;
#[cfg(feature = "host-device")]
pub mod host;
pub mod launch;

use totton_dsp::Precision;

use crate::Error;
pub use launch::{Kernel, Launch};

/// Memory of a device; it lives as long as the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffer(pub(crate) usize);

/// Where memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On the device; the processor only writes it beforehand.
    Device,
    /// The processor's, where kernels read and write it themselves: a copy to the device
    /// and back takes longer than they do, on a GPU with memory of its own too.
    Shared,
}

/// What a transform does; none scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Inverse,
    /// `length` real values to `length / 2 + 1` complex ones.
    RealForward,
    /// `length / 2 + 1` complex values to `length` real ones; the former are lost.
    RealInverse,
}

/// A batch of transforms, one after the other in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transform {
    pub direction: Direction,
    pub length: usize,
    pub batch: usize,
    pub precision: Precision,
}

/// A transform that a device has planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan(pub(crate) usize);

/// One step of a program.
#[derive(Debug, Clone)]
pub enum Step {
    /// A buffer becomes all zeros.
    Clear(Buffer),
    Launch(Launch),
    Transform {
        plan: Plan,
        from: Buffer,
        to: Buffer,
    },
    /// Copies a whole buffer; both have the same size.
    Copy {
        from: Buffer,
        to: Buffer,
    },
}

/// Steps that a device has prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program(pub(crate) usize);

/// What a device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Its name, and the driver's version.
    pub name: String,
    /// Multiprocessors.
    pub processors: usize,
}

/// A device that computes programs, one at a time, while the processor goes on.
///
/// One thread uses it from beginning to end. Dropping it frees everything, and
/// may wait for the device.
pub trait Device {
    /// What it is.
    fn description(&self) -> &Description;

    /// Memory of `bytes` bytes, all zero.
    ///
    /// # Errors
    /// When the device has not so much.
    fn allocate(&mut self, bytes: usize, place: Place) -> Result<Buffer, Error>;

    /// The address of a buffer for kernels.
    fn address(&self, buffer: Buffer) -> u64;

    /// Writes `bytes` from byte `at` on of a [`Place::Device`] buffer, and waits for it.
    ///
    /// # Errors
    /// When the device fails, or when they do not fit.
    fn write(&mut self, buffer: Buffer, at: usize, bytes: &[u8]) -> Result<(), Error>;

    /// A [`Place::Shared`] buffer.
    ///
    /// # Errors
    /// [`Error::Order`] while a program is under way, or for another place.
    fn staged(&mut self, buffer: Buffer) -> Result<&mut [f64], Error>;

    /// Plans a transform.
    ///
    /// # Errors
    /// When the device's library refuses it.
    fn plan(&mut self, transform: Transform) -> Result<Plan, Error>;

    /// Prepares steps that are done one after the other.
    ///
    /// # Errors
    /// When the device refuses them.
    fn prepare(&mut self, steps: Vec<Step>) -> Result<Program, Error>;

    /// Starts a program.
    ///
    /// # Errors
    /// When the device has failed, or [`Error::Order`] while a program is under way.
    fn submit(&mut self, program: Program) -> Result<(), Error>;

    /// Whether the last program has ended; does not wait.
    ///
    /// # Errors
    /// When it failed.
    fn is_done(&mut self) -> Result<bool, Error>;
}
