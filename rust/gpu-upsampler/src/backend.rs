//! Which engine computes.

use std::sync::Arc;

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
pub fn resolve(asked: Backend) -> BackendName {
    let cpu = |reason| BackendName { name: "cpu", reason };
    match (asked, gpu::find()) {
        (Backend::Cpu, _) => cpu(None),
        (_, Ok(found)) => BackendName { name: "cuda", reason: Some(found) },
        (_, Err(missing)) => cpu(Some(missing)),
    }
}

/// The engine's name for a precision.
pub fn precision(precision: Precision) -> totton_dsp::Precision {
    match precision {
        Precision::F32 => totton_dsp::Precision::F32,
        Precision::F64 => totton_dsp::Precision::F64,
    }
}

/// Makes the engine that `config` asks for.
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
    match (config.backend, gpu::find()) {
        (Backend::Cuda, Err(missing)) => {
            let reason = format!("{missing}; or choose the backend cpu or auto");
            return Err(refused(reason));
        }
        (Backend::Cuda | Backend::Auto, Ok(_)) => return gpu::build(config, filter, channels),
        (Backend::Cpu, _) | (Backend::Auto, Err(_)) => {}
    }
    let engine = CpuEngine::new(filter, channels, config.block_frames, precision(config.precision))
        .map_err(|error| refused(error.to_string()))?;
    Ok(Box::new(engine))
}

/// The GPU, in builds that have it.
#[cfg(feature = "cuda")]
pub mod gpu {
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::{Duration, Instant};

    use totton_cuda::device::cuda::{CudaDevice, library};
    use totton_cuda::{Failover, Patience};
    use totton_dsp::{Engine, Filter};

    use super::precision;
    use crate::config;
    use crate::error::Error;

    /// For how long what was found is believed.
    const FRESH: Duration = Duration::from_secs(5);

    /// The least and the most that a block is waited for. Sound of at least a block,
    /// and usually far more, lies in the DAC's buffer meanwhile.
    const WAIT: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(50));

    type Finding = Result<String, String>;
    static FOUND: Mutex<Option<(Instant, Finding)>> = Mutex::new(None);

    /// Driver, GPU and cuFFT, or what is missing. The status asks often.
    pub(super) fn find() -> Finding {
        let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
        match &*found {
            Some((when, finding)) if when.elapsed() < FRESH => finding.clone(),
            _ => {
                let finding =
                    library::find().map(|found| found.to_string()).map_err(|e| e.to_string());
                *found = Some((Instant::now(), finding.clone()));
                finding
            }
        }
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

    use totton_dsp::{Engine, Filter};

    use crate::config;
    use crate::error::Error;

    const MISSING: &str = "this build has no CUDA engine";

    pub(super) fn find() -> Result<String, String> {
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
