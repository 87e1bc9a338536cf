//! The command line.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use crate::config::{self, Config};
use crate::error::Error;
use crate::filters::FilterSet;
use crate::render::Render;
use crate::{daemon, device, recorder, signals};

/// Plays what the computer sends through a long FIR to a USB DAC.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Arguments {
    /// The configuration; its fragments are in the folder of the same name with `.d` for `.toml`
    /// [default: /etc/totton-audio/upsampler.toml].
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

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
    ///
    /// Filter, block, arithmetic and backend are the configuration's where nothing is said of
    /// them. Where a filter is named there need not be a configuration.
    Render(Render),
    /// Draw a table of the flight recorder, as the diagnostics have it (`flight-recorder.csv`).
    PlotRecorder {
        /// The table.
        table: PathBuf,
        /// The picture, SVG.
        picture: PathBuf,
    },
}

impl Arguments {
    /// Does what they ask for.
    ///
    /// # Errors
    /// Whatever keeps it from being done.
    pub fn run(self) -> Result<(), Error> {
        let config = self.config.as_deref().unwrap_or(Path::new(config::DEFAULT_FILE));
        match self.action {
            None => {
                let mut plan = daemon::plan(config, Box::new(device::alsa::AlsaDevices::new()))?;
                plan.records_aborts = true;
                let (events, received) = daemon::events();
                signals::listen(events.clone())?;
                daemon::run(plan, &self.runtime_dir, (events, received))
            }
            Some(Action::CheckConfig) => check_config(config),
            Some(Action::PlotRecorder { table, picture }) => plot_recorder(&table, &picture),
            Some(Action::Render(given)) => given.run(self.config.as_deref()),
        }
    }
}

fn plot_recorder(table: &Path, picture: &Path) -> Result<(), Error> {
    let of = |file: &Path| {
        let file = file.to_owned();
        move |source| Error::File { file, source }
    };
    let text = fs::read_to_string(table).map_err(of(table))?;
    let drawn = recorder::plot::svg(&table.display().to_string(), &text)
        .map_err(|wrong| of(table)(io::Error::new(io::ErrorKind::InvalidData, wrong)))?;
    fs::write(picture, drawn).map_err(of(picture))
}

fn check_config(file: &Path) -> Result<(), Error> {
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
