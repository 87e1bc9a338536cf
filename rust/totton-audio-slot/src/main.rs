use std::process::ExitCode;

use clap::Parser;
use totton_audio_slot::{cli::Cli, platform::Machine};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match Machine::here().and_then(|machine| cli.run(&machine)) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("totton-audio-slot: {error}");
            ExitCode::FAILURE
        }
    }
}
