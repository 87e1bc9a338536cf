//! Engines: what turns blocks of input into blocks of upsampled output.
//!
//! - [`Engine`]: the interface that the audio daemon uses, whatever computes.
//! - [`cpu`]: the convolution on the processor.
//! - [`crossfade`]: another filter while the stream runs.
//! - [`watch`]: what can be told of an engine that another thread runs
//! - [`reblock`]: any split of the input, for callers without a block clock.

mod buffer;
mod butterfly;
pub mod cpu;
pub mod crossfade;
mod history;
mod mac;
mod plan;
pub mod reblock;
mod schedule;
mod tier;
mod transform;
pub mod watch;

use std::sync::Arc;

pub use cpu::{CpuEngine, CpuOptions};
pub use crossfade::{Crossfade, Refusal, Refused};
pub use plan::Partitioning;
pub use reblock::Reblock;
pub use watch::{Backend, Report, Watch};

/// The most channels of an engine.
pub const MAX_CHANNELS: usize = 64;

/// The floating point that an engine computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits: about -135 dBFS of error, half the memory and time.
    F32,
    /// 64 bits: about -300 dBFS of error.
    F64,
}

impl Precision {
    /// Bits of the floating point, 32 or 64.
    #[must_use]
    pub fn bits(self) -> u32 {
        match self {
            Self::F32 => 32,
            Self::F64 => 64,
        }
    }
}

/// A running convolution of a number of channels with one filter.
///
/// # Real-time contract
///
/// [`Engine::process`] and [`Engine::reset`] do not allocate, free, lock, or
/// call the system; their time is bounded and does not depend on the samples.
/// Everything is allocated when the engine is made.
pub trait Engine: Send {
    /// Channels, in and out, 1 to [`MAX_CHANNELS`].
    fn channels(&self) -> usize;

    /// Output frames for each input frame.
    fn ratio(&self) -> usize;

    /// Input frames in one block.
    fn block_frames(&self) -> usize;

    /// Input frames that the engine delays its output by, beyond the block that
    /// the caller gathers and beyond the filter's own delay.
    fn latency_frames(&self) -> usize;

    /// Convolves one block. `input` and `output` have one slice for each
    /// channel: [`Engine::block_frames`] input samples, and
    /// [`Engine::ratio`] times as many output samples, which are overwritten.
    ///
    /// A sample that is not finite counts as 0.
    ///
    /// # Panics
    ///
    /// When the number of slices or their lengths are not these.
    fn process(&mut self, input: &[&[f64]], output: &mut [&mut [f64]]);

    /// Forgets all input, as if the engine was new.
    fn reset(&mut self);

    /// A way to look at the engine while it runs elsewhere; `None` when there is
    /// nothing to tell, since the processor alone computes.
    fn watch(&self) -> Option<Arc<dyn Watch>> {
        None
    }
}

/// What owns or borrows an engine is an engine.
macro_rules! forward_engine {
    ($($owner:ty),*) => {$(
        impl<E: Engine + ?Sized> Engine for $owner {
            fn channels(&self) -> usize {
                (**self).channels()
            }
            fn ratio(&self) -> usize {
                (**self).ratio()
            }
            fn block_frames(&self) -> usize {
                (**self).block_frames()
            }
            fn latency_frames(&self) -> usize {
                (**self).latency_frames()
            }
            fn process(&mut self, input: &[&[f64]], output: &mut [&mut [f64]]) {
                (**self).process(input, output);
            }
            fn reset(&mut self) {
                (**self).reset();
            }
            fn watch(&self) -> Option<Arc<dyn Watch>> {
                (**self).watch()
            }
        }
    )*};
}

forward_engine!(Box<E>, &mut E);

/// Panics unless the slices have the shape that [`Engine::process`] asks for.
fn check_input(engine: &dyn Engine, input: &[&[f64]]) {
    assert_eq!(input.len(), engine.channels(), "input channels");
    let frames = engine.block_frames();
    assert!(input.iter().all(|samples| samples.len() == frames), "input frames are not {frames}");
}

/// Panics unless the slices have the shape that [`Engine::process`] asks for.
fn check_output(engine: &dyn Engine, output: &[&mut [f64]]) {
    assert_eq!(output.len(), engine.channels(), "output channels");
    let frames = engine.block_frames() * engine.ratio();
    assert!(output.iter().all(|samples| samples.len() == frames), "output frames not {frames}");
}

#[cfg(test)]
mod tests;
