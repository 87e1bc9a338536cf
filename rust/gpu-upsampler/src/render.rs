//! The engine over a file: what the daemon would play, without the daemon. Files, filters named
//! on the command line and the loop are `totton-render`'s; here is what the configuration adds.

use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;
use totton_dsp::{Filter, Precision};
use totton_render::options::equalised;
use totton_render::{Options, rate};

use crate::backend;
use crate::config::{self, CaptureRate, Config};
use crate::error::Error;
use crate::filters::FilterSet;

/// What the command line says.
#[derive(Debug, clap::Args)]
pub struct Render {
    #[command(flatten)]
    options: Options,
    /// What computes.
    #[arg(long)]
    backend: Option<BackendName>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum BackendName {
    Cpu,
    Cuda,
}

impl From<BackendName> for config::Backend {
    fn from(name: BackendName) -> Self {
        match name {
            BackendName::Cpu => Self::Cpu,
            BackendName::Cuda => Self::Cuda,
        }
    }
}

impl From<Precision> for config::Precision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::F64 => Self::F64,
        }
    }
}

impl Render {
    /// Renders; `config` is the configuration that was named.
    ///
    /// # Errors
    /// Whatever keeps it from being done. Then the output is not there, or is what it was before.
    pub fn run(&self, config: Option<&Path>) -> Result<(), Error> {
        let options = &self.options;
        let (mut source, equaliser) = options.open()?;
        let config = self.configuration(config)?;
        let filter = if options.names_filter() {
            options.filter(source.rate())?
        } else {
            self.configured(source.rate(), &config)?
        };
        let filter = Arc::new(equalised(filter, equaliser.as_ref())?);
        let mut settings = config.engine;
        settings.block_frames = options.block.unwrap_or(settings.block_frames);
        settings.precision = options
            .precision
            .map_or(settings.precision, |precision| Precision::from(precision).into());
        settings.backend = self.backend.map_or(settings.backend, Into::into);
        let mut engine = backend::build(&settings, &filter, source.channels())?;
        Ok(options.render(&mut source, engine.as_mut())?)
    }

    /// What the command line leaves open.
    fn configuration(&self, named: Option<&Path>) -> Result<Config, Error> {
        let Options { block, precision, .. } = self.options;
        let filter = self.options.names_filter();
        if filter && block.is_some() && precision.is_some() && self.backend.is_some() {
            return Ok(Config::default());
        }
        match named {
            Some(file) => Config::load(file),
            None if filter && !Path::new(config::DEFAULT_FILE).exists() => Ok(Config::default()),
            None => Config::load(Path::new(config::DEFAULT_FILE)),
        }
    }

    /// What the daemon would choose, for a DAC that accepts every rate.
    fn configured(&self, rate: u32, config: &Config) -> Result<Filter, Error> {
        let mut config = config.clone();
        config.capture.rate = CaptureRate::Fixed(rate);
        let set = FilterSet::load(&config)?;
        let ratio = match self.options.rate {
            None => set.ratio(&config, rate, |_| true)?,
            wanted => rate::ratio(rate, wanted, set.largest_ratio(rate) as u32)? as usize,
        };
        let filter = set.plain(rate, ratio)?.filter;
        // An equaliser's frequencies are those of the rate that it runs at.
        filter.at(rate, filter.header().ratio).map_err(|e| totton_render::Error::Filter(e).into())
    }
}
