use std::process::ExitCode;

use clap::Parser;
use totton_audio_gadget::{cli::Cli, logging};

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::start();
    match cli.run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            log::error!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}
