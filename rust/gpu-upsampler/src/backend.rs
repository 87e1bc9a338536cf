//! Which engine computes.

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

/// Which backend `asked` comes down to.
pub fn resolve(asked: Backend) -> BackendName {
    match asked {
        // The configuration check has already refused `cuda`.
        Backend::Cpu | Backend::Cuda => BackendName { name: "cpu", reason: None },
        Backend::Auto => BackendName {
            name: "cpu",
            reason: Some(
                "engine.backend is \"auto\", and this build has no CUDA engine".to_owned(),
            ),
        },
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
/// [`Error::Engine`] when the filter and the configuration do not make one.
pub fn build(
    config: &config::Engine,
    filter: &Filter,
    channels: usize,
) -> Result<Box<dyn Engine>, Error> {
    if config.backend == Backend::Cuda {
        let reason = "this build has no CUDA engine; choose the backend cpu or auto".to_owned();
        return Err(Error::Engine { reason });
    }
    let engine = CpuEngine::new(filter, channels, config.block_frames, precision(config.precision))
        .map_err(|e| Error::Engine { reason: e.to_string() })?;
    Ok(Box::new(engine))
}
