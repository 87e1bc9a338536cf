//! Where the sound under way is to wait.

use std::time::Duration;

/// How the sound under way is spread while a stream runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reserve {
    /// Wanted in the DAC's buffer on average.
    pub(crate) dac: Duration,
    /// Held back before the engine.
    pub(crate) held: Duration,
    /// One block: on average half of it waits before the engine.
    pub(crate) block: Duration,
}

impl Reserve {
    /// All of it, in seconds.
    pub(crate) fn whole_seconds(&self) -> f64 {
        (self.dac + self.held + self.block / 2).as_secs_f64()
    }

    /// What is in the DAC's buffer on average when `whole` seconds are under way.
    pub(crate) fn of_dac(&self, whole: f64) -> f64 {
        whole - (self.held + self.block / 2).as_secs_f64()
    }
}
