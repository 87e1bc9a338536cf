//! `totton-audio-web`: reads its settings, opens its sockets, serves until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use totton_audio_web::{Error, Overrides, Settings, logging, server};

/// The page and the HTTP API of the device.
#[derive(Parser)]
#[command(name = "totton-audio-web", version)]
struct Arguments {
    /// Settings; fragments in the folder of the same name with `.d` for `.toml` override single keys.
    #[arg(long, value_name = "FILE", default_value = "/etc/totton-audio/web.toml")]
    config: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    logging::init();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    let settings = Settings::load(&arguments.config, &Overrides::from_environment()?)?;
    actix_web::rt::System::new().block_on(server::run(&settings))
}
