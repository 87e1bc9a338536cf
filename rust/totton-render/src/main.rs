//! `totton-render`: a sound file through a very long FIR.

use std::process::ExitCode;

use clap::Parser;
use totton_dsp::{CpuEngine, Precision};
use totton_render::options::equalised;
use totton_render::{Error, Options};

/// Upsamples a sound file with a very long FIR, as Totton Audio plays it.
///
/// Without --filter, --taps or --phase the filter is the product's own: minimum phase, 640,000
/// taps at 705.6 or 768 kHz. It is designed the first time, which takes some seconds, and kept
/// in ~/.cache/totton-audio.
#[derive(Debug, Parser)]
#[command(name = "totton-render", version)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

/// Input frames in one block where nothing else is said.
const BLOCK: usize = 4096;

fn main() -> ExitCode {
    match run(&Arguments::parse().options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("totton-render: {error}");
            // As a shell tells of SIGINT.
            ExitCode::from(if matches!(error, Error::Interrupted) { 130 } else { 1 })
        }
    }
}

fn run(options: &Options) -> Result<(), Error> {
    let (mut source, equaliser) = options.open()?;
    let filter = equalised(options.filter(source.rate())?, equaliser.as_ref())?;
    let block = options.block.unwrap_or(BLOCK);
    let precision = options.precision.map_or(Precision::F64, Into::into);
    let mut engine =
        CpuEngine::new(&filter, source.channels(), block, precision).map_err(Error::Engine)?;
    options.render(&mut source, &mut engine)
}
