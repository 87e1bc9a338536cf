//! Which engine computes.

use std::sync::Arc;
use std::time::Duration;

use totton_dsp::{CpuEngine, Engine, Filter};

use crate::config::{self, Backend, Precision};
use crate::error::Error;

/// What computes, in words for the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendName {
    pub name: &'static str,
    /// Why this one, when the configuration left it open.
    pub reason: Option<String>,
}

/// Which backend `asked` comes down to. Once a GPU is at work its engine knows
/// better: see [`totton_dsp::engine::Watch`].
///
/// Nobody waits for a driver here: what has been found so far is told, and a driver that is not
/// wanted is not asked.
pub fn resolve(asked: Backend) -> BackendName {
    let cpu = |reason| BackendName { name: "cpu", reason };
    if asked == Backend::Cpu {
        return cpu(None);
    }
    match gpu::find(Duration::ZERO) {
        Ok(found) => BackendName { name: "cuda", reason: Some(found) },
        Err(missing) => cpu(Some(missing)),
    }
}

/// The engine's name for a precision.
pub fn precision(precision: Precision) -> totton_dsp::Precision {
    match precision {
        Precision::F32 => totton_dsp::Precision::F32,
        Precision::F64 => totton_dsp::Precision::F64,
    }
}

/// How long an engine waits for a driver that has not yet said whether there is a GPU. A sound one
/// takes a tenth of it.
const DRIVER_PATIENCE: Duration = Duration::from_secs(3);

/// Makes the engine that `config` asks for. May take seconds.
///
/// # Errors
/// [`Error::Engine`] when the filter and the configuration do not make one, or when
/// CUDA is insisted on and not there.
pub fn build(
    config: &config::Engine,
    filter: &Arc<Filter>,
    channels: usize,
) -> Result<Box<dyn Engine>, Error> {
    let refused = |reason| Error::Engine { reason };
    let gpu = |asked| (asked != Backend::Cpu).then(|| gpu::find(DRIVER_PATIENCE));
    match (config.backend, gpu(config.backend)) {
        (Backend::Cuda, Some(Err(missing))) => {
            let reason = format!("{missing}; or choose the backend cpu or auto");
            return Err(refused(reason));
        }
        (_, Some(Ok(_))) => return gpu::build(config, filter, channels),
        (_, None | Some(Err(_))) => {}
    }
    let engine = CpuEngine::new(filter, channels, config.block_frames, precision(config.precision))
        .map_err(|error| refused(error.to_string()))?;
    Ok(Box::new(engine))
}

/// The GPU, in builds that have it.
#[cfg(feature = "cuda")]
pub mod gpu {
    use std::sync::Arc;
    use std::time::Duration;

    use totton_cuda::device::cuda::{CudaDevice, library};
    use totton_cuda::{Failover, Patience};
    use totton_dsp::{Engine, Filter};

    use super::precision;
    use crate::config;
    use crate::error::Error;
    use crate::probe::Probe;

    /// The least and the most that a block is waited for. Sound of at least a block,
    /// and usually far more, lies in the DAC's buffer meanwhile.
    const WAIT: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(50));

    static GPU: Probe = Probe::new("gpu-probe", || {
        library::find().map(|found| found.to_string()).map_err(|error| error.to_string())
    });

    /// Driver, GPU and cuFFT, or what is missing; waits at most `patience` for a driver that has
    /// not said anything yet.
    pub(super) fn find(patience: Duration) -> Result<String, String> {
        GPU.find(patience).unwrap_or_else(|asked| {
            Err(format!("NVIDIA's driver has not answered for {:.0} s", asked.as_secs_f64()))
        })
    }

    /// How long such an engine waits for what.
    pub fn patience(config: &config::Engine, filter: &Filter) -> Patience {
        let rate = f64::from(filter.header().input_rate_hz);
        let period = Duration::from_secs_f64(config.block_frames as f64 / rate);
        Patience::new(period, period.clamp(WAIT.0, WAIT.1), filter.taps().len())
    }

    /// The engine on the GPU, with the CPU in reserve.
    pub(super) fn build(
        config: &config::Engine,
        filter: &Arc<Filter>,
        channels: usize,
    ) -> Result<Box<dyn Engine>, Error> {
        let precision = precision(config.precision);
        let patience = patience(config, filter);
        let open = Box::new(move || CudaDevice::open(0, precision));
        let block = config.block_frames;
        Failover::start(open, filter, channels, block, precision, patience)
            .map(|engine| Box::new(engine) as Box<dyn Engine>)
            .map_err(|error| Error::Engine { reason: error.to_string() })
    }
}

/// The GPU, in builds that do not have it.
#[cfg(not(feature = "cuda"))]
mod gpu {
    use std::sync::Arc;
    use std::time::Duration;

    use totton_dsp::{Engine, Filter};

    use crate::config;
    use crate::error::Error;

    const MISSING: &str = "this build has no CUDA engine";

    pub(super) fn find(_: Duration) -> Result<String, String> {
        Err(MISSING.to_owned())
    }

    pub(super) fn build(
        _: &config::Engine,
        _: &Arc<Filter>,
        _: usize,
    ) -> Result<Box<dyn Engine>, Error> {
        Err(Error::Engine { reason: MISSING.to_owned() })
    }
}
