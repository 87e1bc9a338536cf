//! `gpu_upsampler_alsa`: parses, loads, runs.

use std::process::ExitCode;

use clap::Parser;
use gpu_upsampler::{cli::Arguments, logging};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    logging::init();
    match arguments.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error}");
            // 2: the configuration must be put right first; 1: it may work another time.
            ExitCode::from(if error.is_config() { 2 } else { 1 })
        }
    }
}
