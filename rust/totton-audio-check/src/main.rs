//! The program: goes through the steps, prints, ends with the status.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::SystemTime;

use clap::Parser;
use totton_audio_check::answers::ThisDevice;
use totton_audio_check::{Device, steps};

/// Goes through what a board has to show: for each step what is expected, what was found, and
/// what to do. It changes nothing and needs no network; a few steps need root, and say so.
///
/// Exit status: 0 nothing failed (there may be warnings, and steps that are not for this
/// machine), 1 some step failed, 2 wrong command line, or the report could not be written.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// One JSON object instead of words
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let report = steps::check(Device::new("/", SystemTime::now(), Box::new(ThisDevice)));
    let text =
        if cli.json { serde_json::to_string_pretty(&report) } else { Ok(report.to_string()) };
    let written = text.map_err(io::Error::from).and_then(|text| writeln!(io::stdout(), "{text}"));
    match written {
        Ok(()) => {}
        // `totton-audio-check | head` has read what it wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => {
            eprintln!("totton-audio-check: the report could not be written: {error}");
            return ExitCode::from(2);
        }
    }
    ExitCode::from(report.exit_code())
}
