//! Which engine computes, and the filters that it may have to convolve with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use totton_dsp::{CpuEngine, Engine, Filter};

use crate::config::{self, Backend, CaptureRate, Config, Precision, rate_family};
use crate::error::Error;

/// A filter and the file it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedFilter {
    pub file: PathBuf,
    pub filter: Arc<Filter>,
}

impl LoadedFilter {
    /// Reads the filter in `file`.
    ///
    /// # Errors
    /// [`Error::Filter`] when it is missing or damaged.
    pub fn load(file: &Path) -> Result<Self, Error> {
        let filter = Filter::load(file)
            .map_err(|e| Error::Filter { file: file.to_owned(), reason: e.to_string() })?;
        Ok(Self { file: file.to_owned(), filter: Arc::new(filter) })
    }
}

/// The filters for every rate that the configuration lets the input have. All
/// are loaded at once: a change of rate then waits for no disk, and a bad file
/// shows when it is put there and not when the host changes its rate.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterSet {
    families: Vec<(u32, LoadedFilter)>,
}

impl FilterSet {
    /// Reads the filters that `config` names.
    ///
    /// # Errors
    /// [`Error::Filter`] when one is missing, damaged, or for another ratio or family.
    pub fn load(config: &Config) -> Result<Self, Error> {
        let needed: &[u32] = match config.capture.rate {
            CaptureRate::Auto => &[44_100, 48_000],
            CaptureRate::Fixed(rate) => &[rate_family(rate)],
        };
        let mut families: Vec<(u32, LoadedFilter)> = Vec::new();
        for family in needed {
            let file = config.filter.path(*family, config.engine.ratio);
            // One file for both families: it is read once.
            let loaded = match families.iter().find(|(_, loaded)| loaded.file == file) {
                Some((_, loaded)) => loaded.clone(),
                None => LoadedFilter::load(&file)?,
            };
            check(&loaded, *family, config)?;
            families.push((*family, loaded));
        }
        Ok(Self { families })
    }

    /// The rate families in Hz, and the filter of each.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &LoadedFilter)> {
        self.families.iter().map(|(family, loaded)| (*family, loaded))
    }

    /// The filter for inputs of `rate` Hz.
    pub fn for_rate(&self, rate: u32) -> Option<&LoadedFilter> {
        let family = rate_family(rate);
        self.families.iter().find(|(f, _)| *f == family).map(|(_, loaded)| loaded)
    }
}

fn check(loaded: &LoadedFilter, family: u32, config: &Config) -> Result<(), Error> {
    let header = loaded.filter.header();
    let wrong = |reason| Err(Error::Filter { file: loaded.file.clone(), reason });
    if loaded.filter.ratio() != config.engine.ratio {
        return wrong(format!(
            "it is for the ratio {}, engine.ratio is {}",
            header.ratio, config.engine.ratio
        ));
    }
    // A path without {family} says: this one for all; a filter's shape scales with the rate.
    if config.filter.is_per_family() && rate_family(header.input_rate_hz) != family {
        return wrong(format!(
            "it is for inputs of {} Hz, its name says the family of {family} Hz",
            header.input_rate_hz
        ));
    }
    Ok(())
}

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
    let engine = CpuEngine::new(filter, channels, config.block_frames, precision(config.precision))
        .map_err(|e| Error::Engine { reason: e.to_string() })?;
    Ok(Box::new(engine))
}
