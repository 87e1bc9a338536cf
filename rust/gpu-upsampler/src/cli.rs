//! The command line.

use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use crate::config::{self, Config};
use crate::error::Error;
use crate::filters::FilterSet;
use crate::render::{Job, Progress, render};
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
    /// Convolve a sound file as the daemon would convolve a stream.
    Render(Render),
}

#[derive(Debug, clap::Args)]
struct Render {
    /// WAV (PCM of 16, 24, 32 bits, floating point of 32, 64) or FLAC.
    input: PathBuf,
    /// WAV.
    output: PathBuf,
    /// The filter, instead of the configuration's.
    #[arg(long, value_name = "FILE")]
    filter: Option<PathBuf>,
    /// An equaliser text of Equalizer APO or AutoEQ, folded into the filter.
    #[arg(long, value_name = "FILE")]
    eq: Option<PathBuf>,
    /// Input frames in one block, a power of two [default: the configuration's].
    #[arg(long, value_name = "FRAMES")]
    block: Option<usize>,
    /// The engine's arithmetic [default: the configuration's].
    #[arg(long)]
    precision: Option<PrecisionName>,
    /// What computes [default: the configuration's].
    #[arg(long)]
    backend: Option<BackendName>,
    /// The samples of the output: 16 and 24 bits are dithered as the daemon dithers,
    /// 32 bits are rounded, floating point is neither scaled nor dithered.
    #[arg(long, default_value = "s32")]
    format: FormatName,
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

impl From<PrecisionName> for config::Precision {
    fn from(name: PrecisionName) -> Self {
        match name {
            PrecisionName::F32 => Self::F32,
            PrecisionName::F64 => Self::F64,
        }
    }
}

impl From<Render> for Job {
    fn from(given: Render) -> Self {
        Self {
            input: given.input,
            output: given.output,
            filter: given.filter,
            equaliser: given.eq,
            block_frames: given.block,
            precision: given.precision.map(Into::into),
            backend: given.backend.map(Into::into),
            encoding: given.format.into(),
        }
    }
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
            Some(Action::Render(given)) => render_with_progress(&given.into(), &self.config),
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
    // Hidden where standard error is no terminal.
    let bar = ProgressBar::new_spinner();
    let summary = render(
        job,
        || Config::load(config),
        |Progress { done, total }| {
            if bar.length().is_none()
                && let Some(total) = total
            {
                bar.set_length(total);
                bar.set_style(bar_style());
            }
            bar.set_position(done);
        },
    )?;
    bar.finish_and_clear();
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

fn bar_style() -> ProgressStyle {
    // A template that cannot be read would only make the bar plain.
    ProgressStyle::with_template("[{bar:50}] {percent:>3} %  {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("## ")
}
