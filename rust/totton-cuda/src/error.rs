//! What can go wrong with a GPU; each variant says what is at fault.

use std::time::Duration;

/// Why the GPU does not compute, or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A library of NVIDIA's is not installed.
    #[error("{library} is not there: {hint}")]
    Library { library: &'static str, hint: &'static str },
    /// The driver is there, and no GPU with it.
    #[error("the driver finds no GPU")]
    NoDevice,
    /// The GPU is older than the kernels.
    #[error("{device} has compute capability {major}.{minor}; 8.0 or newer is needed")]
    TooOld { device: String, major: i32, minor: i32 },
    /// The driver is older than the kernels.
    #[error("the driver is for CUDA {major}.{minor}; 12.0 or newer is needed")]
    OldDriver { major: i32, minor: i32 },
    /// A call of the driver failed.
    #[error("CUDA: {call}: {reason}")]
    Driver { call: &'static str, reason: String },
    /// A call of cuFFT failed.
    #[error("cuFFT: {call}: error {code} ({name})")]
    Fft { call: &'static str, code: i32, name: &'static str },
    /// Nothing was heard of a block.
    #[error("the GPU has not finished a block for {waited:?}")]
    Hung { waited: Duration },
    /// The GPU's result for a known input is not the filter.
    #[error("the GPU computes wrongly: error {error_db:.0} dB, {limit_db:.0} dB is allowed")]
    Wrong { error_db: f64, limit_db: f64 },
    /// The GPU does not keep up.
    #[error("the GPU takes {found:?} for a block of {block:?}: it is too slow for this filter")]
    TooSlow { found: Duration, block: Duration },
    /// The engine cannot have this shape.
    #[error("{name} = {found}: {accepted}")]
    Shape { name: &'static str, found: usize, accepted: &'static str },
    /// What the caller does is out of order: a fault in this program.
    #[error("{0}: a fault in this program")]
    Order(&'static str),
    /// The device of tests was told to fail, or cannot be made.
    #[error("{0}")]
    Staged(String),
    /// The CPU engine at its side cannot be made.
    #[error(transparent)]
    Engine(#[from] totton_dsp::Error),
    /// The system gives no thread.
    #[error("cannot start the GPU's thread: {0}")]
    Thread(std::io::Error),
}

impl Error {
    /// Whether trying again is of no use.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Library { .. } | Self::TooOld { .. } | Self::OldDriver { .. } => true,
            Self::Wrong { .. } | Self::Shape { .. } | Self::Order(_) | Self::Engine(_) => true,
            Self::NoDevice | Self::Driver { .. } | Self::Fft { .. } | Self::Hung { .. } => false,
            Self::TooSlow { .. } | Self::Staged(_) | Self::Thread(_) => false,
        }
    }
}
