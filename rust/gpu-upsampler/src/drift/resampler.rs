//! The resampler in the stream, as a clock that can be steered.

use std::sync::Arc;

use totton_protocol::DriftMethod;

use crate::audio::flow::Flow;
use crate::device::ClockSteering;
use crate::error::Error;

/// Has the stream's resampler make more frames of those that come in, or fewer.
pub(crate) struct ByResampler(Arc<Flow>);

impl ByResampler {
    /// That of the stream that tells `flow`.
    pub(crate) fn new(flow: &Arc<Flow>) -> Self {
        Self(Arc::clone(flow))
    }
}

impl ClockSteering for ByResampler {
    fn method(&self) -> DriftMethod {
        DriftMethod::Resampler
    }

    fn steer(&mut self, correction: f64) -> Result<(), Error> {
        self.0.resampling.set(correction);
        Ok(())
    }
}

impl Drop for ByResampler {
    fn drop(&mut self) {
        self.0.resampling.set(0.0);
    }
}
