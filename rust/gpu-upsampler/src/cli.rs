//! The command line.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config::{self, Config};
use crate::error::Error;
use crate::filters::FilterSet;
use crate::render::{Job, render};
use crate::sample::{Encoding, SampleFormat};
use crate::{daemon, device, signals};

/// Plays what the computer sends through a long FIR to a USB DAC.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Arguments {
    /// The configuration; its fragments are in the folder of the same name with `.d` for `.toml`.
    #[arg(long, global = true, value_name = "FILE", default_value = config::DEFAULT_FILE)]
    config: PathBuf,

    /// The folder of the sockets.
    #[arg(long, value_name = "DIR", default_value = totton_protocol::endpoint::FOLDER)]
    runtime_dir: PathBuf,

    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check the configuration and the filters, and say what they come down to.
    CheckConfig,
    /// Convolve a WAV file as the daemon would convolve a stream.
    Render {
        input: PathBuf,
        output: PathBuf,
        /// The filter, instead of the configuration's.
        #[arg(long, value_name = "FILE")]
        filter: Option<PathBuf>,
        /// Input frames in one block, a power of two [default: the configuration's].
        #[arg(long, value_name = "FRAMES")]
        block: Option<usize>,
        /// The engine's arithmetic [default: the configuration's].
        #[arg(long)]
        precision: Option<PrecisionName>,
        /// The samples of the output; the integer formats are rounded as the daemon rounds.
        #[arg(long, default_value = "s32")]
        format: FormatName,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PrecisionName {
    F32,
    F64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatName {
    S16,
    S24,
    S32,
    F32,
    F64,
}

impl From<FormatName> for Encoding {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::S16 => Self::Integer(SampleFormat::S16),
            FormatName::S24 => Self::Integer(SampleFormat::S24In3),
            FormatName::S32 => Self::Integer(SampleFormat::S32),
            FormatName::F32 => Self::F32,
            FormatName::F64 => Self::F64,
        }
    }
}

impl Arguments {
    /// Does what they ask for.
    ///
    /// # Errors
    /// Whatever keeps it from being done.
    pub fn run(self) -> Result<(), Error> {
        match self.action {
            None => {
                let plan = daemon::plan(&self.config, Box::new(device::alsa::AlsaDevices::new()))?;
                let (events, received) = daemon::events();
                signals::listen(events.clone())?;
                daemon::run(plan, &self.runtime_dir, (events, received))
            }
            Some(Action::CheckConfig) => check_config(&self.config),
            Some(Action::Render { input, output, filter, block, precision, format }) => {
                let precision = precision.map(|name| match name {
                    PrecisionName::F32 => config::Precision::F32,
                    PrecisionName::F64 => config::Precision::F64,
                });
                let encoding = format.into();
                let job = Job { input, output, filter, block_frames: block, precision, encoding };
                render_with_progress(&job, &self.config)
            }
        }
    }
}

fn check_config(file: &std::path::Path) -> Result<(), Error> {
    let config = Config::load(file)?;
    let filters = FilterSet::load(&config)?;
    let mut out = std::io::stdout().lock();
    // A reader of this that has gone away is no fault.
    let _ = writeln!(out, "{config:#?}");
    for (family, loaded) in filters.iter() {
        let (file, header) = (loaded.file.display(), loaded.filter.header());
        let taps = loaded.filter.taps().len();
        let (ratio, phase) = (header.ratio, header.phase);
        let _ = writeln!(out, "{family} Hz: {file}: ratio {ratio}, {taps} taps, {phase} phase");
    }
    let _ = writeln!(out, "{} is good", file.display());
    Ok(())
}

fn render_with_progress(job: &Job, config: &std::path::Path) -> Result<(), Error> {
    let mut bar = std::io::stderr().lock();
    let draws = bar.is_terminal();
    let mut shown = usize::MAX;
    let summary = render(
        job,
        || Config::load(config),
        |part| {
            let percent = (part * 100.0) as usize;
            if draws && percent != shown {
                shown = percent;
                let done = "#".repeat(percent / 2);
                let _ = write!(bar, "\r[{done:<50}] {percent:>3} %");
            }
        },
    )?;
    if draws {
        let _ = writeln!(bar);
    }
    let _ = writeln!(
        std::io::stdout(),
        "{}: {} frames at {} Hz, {} samples limited to full scale",
        job.output.display(),
        summary.frames,
        summary.rate,
        summary.clipped_samples
    );
    Ok(())
}
