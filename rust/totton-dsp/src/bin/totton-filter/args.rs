//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Design, inspect and convert the filters of Totton Audio.
#[derive(Debug, Parser)]
#[command(name = "totton-filter", version)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Design a Kaiser-windowed sinc and write it as a filter file
    Design(Design),
    /// Check a filter file, measure and plot it
    Inspect(Inspect),
    /// Make a filter file of taps from WAV, raw floating point or text, used as they are
    Convert(Convert),
    /// Fold an equaliser text of Equalizer APO or AutoEQ into a filter
    Equalise(Equalise),
}

#[derive(Debug, clap::Args)]
pub struct Design {
    /// The filter file to write
    pub out: PathBuf,
    /// Taps at the output rate
    #[arg(long, default_value_t = 640_000)]
    pub taps: usize,
    /// Output frames for each input frame: 1, 2, 4, 8 or 16
    #[arg(long, default_value_t = 16)]
    pub ratio: u32,
    /// Rate of the input in Hz
    #[arg(long, default_value_t = 44_100)]
    pub input_rate: u32,
    /// How the taps spread energy in time
    #[arg(long, value_enum, default_value_t = Phase::Minimum)]
    pub phase: Phase,
    /// How much of a mixed phase is linear, above 0 and below 1
    #[arg(long, default_value_t = 0.5)]
    pub linear_part: f64,
    /// Stopband attenuation in dB, 60 to 240
    #[arg(long, default_value_t = 180.0)]
    pub attenuation: f64,
    /// End of the passband in Hz [default: the stopband starts at half the input rate]
    #[arg(long)]
    pub passband: Option<f64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Phase {
    Linear,
    Minimum,
    Mixed,
}

impl From<Phase> for totton_dsp::Phase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Linear => Self::Linear,
            Phase::Minimum => Self::Minimum,
            Phase::Mixed => Self::Mixed,
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct Inspect {
    /// The filter file
    pub filter: PathBuf,
    /// Draw magnitude, phase and taps into this SVG file
    #[arg(long, value_name = "SVG")]
    pub plot: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct Convert {
    /// The taps, first to last: .f64 or .f32 (raw, little endian), .wav (one
    /// channel) or .txt (one number a line, `#` starts a comment)
    pub taps: PathBuf,
    /// The filter file to write
    pub out: PathBuf,
    /// Output frames for each input frame: 1, 2, 4, 8 or 16
    #[arg(long)]
    pub ratio: u32,
    /// Rate of the input in Hz
    #[arg(long)]
    pub input_rate: u32,
}

#[derive(Debug, clap::Args)]
pub struct Equalise {
    /// The filter file to read
    pub filter: PathBuf,
    /// The equaliser text
    pub equaliser: PathBuf,
    /// The filter file to write
    pub out: PathBuf,
}
