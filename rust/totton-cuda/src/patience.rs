//! How long anybody waits for a GPU.

use std::time::Duration;

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The time of a block at the input's rate: a GPU that needs most of it is refused.
    pub period: Duration,
    /// For one block; then the CPU renders it. The caller's buffers must outlast it.
    pub block: Duration,
    /// For a block of a GPU that nobody waits for any more; then it counts as dead.
    pub hung: Duration,
    /// For the GPU when the engine is made; then the CPU begins.
    pub start: Duration,
    /// Before a failed GPU is tried again; doubles each time.
    pub back_off: Duration,
    /// The longest of these times.
    pub longest_back_off: Duration,
}

impl Patience {
    /// For blocks of `period` and a filter of `taps` taps, where `block` is what the
    /// buffers after the engine allow.
    #[must_use]
    pub fn new(period: Duration, block: Duration, taps: usize) -> Self {
        Self {
            period,
            block,
            hung: Duration::from_secs(2),
            // The filter's spectra take their time. A processor that cannot render so long
            // a filter in time should not have to begin.
            start: Duration::from_millis(500 + taps as u64 / 2000),
            back_off: Duration::from_secs(1),
            longest_back_off: Duration::from_secs(60),
        }
    }
}
