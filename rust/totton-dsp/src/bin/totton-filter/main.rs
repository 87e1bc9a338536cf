//! `totton-filter`: designs, inspects and converts the filters of Totton Audio.
//!
//! | Module | What it does |
//! | --- | --- |
//! | [`args`] | the command line |
//! | [`convert`] | taps of another file into a filter |
//! | [`inspect`] | what a filter is and does |
//! | [`progress`] | the progress bar |

mod args;
mod convert;
mod inspect;
mod progress;

use std::process::ExitCode;

use clap::Parser;
use totton_dsp::{DesignSpec, Equaliser, Filter, design_with_report};

use crate::args::{Args, Command, Design, Equalise};
use crate::progress::Progress;

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Design(args) => run_design(args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Convert(args) => convert::run(&args),
        Command::Equalise(args) => run_equalise(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("totton-filter: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run_design(args: Design) -> Result<(), totton_dsp::Error> {
    let spec = DesignSpec {
        taps: args.taps,
        ratio: args.ratio,
        input_rate_hz: args.input_rate,
        phase: args.phase.into(),
        linear_part: args.linear_part,
        attenuation_db: args.attenuation,
        passband_hz: args.passband,
    };
    let mut progress = Progress::new();
    let (filter, report) = design_with_report(&spec, &mut |done, what| progress.show(done, what))?;
    progress.finish();
    filter.save(&args.out)?;
    println!("{}: written", args.out.display());
    inspect::print_header(&filter);
    if let Some(level) = report.cepstrum_aliasing_db {
        println!("cepstrum     aliasing is {level:.1} dB of the response's energy");
    }
    Ok(())
}

fn run_equalise(args: &Equalise) -> Result<(), totton_dsp::Error> {
    let filter = Filter::load(&args.filter)?;
    let filter = Equaliser::load(&args.equaliser)?.apply(&filter)?;
    filter.save(&args.out)?;
    println!("{}: written", args.out.display());
    inspect::print_header(&filter);
    Ok(())
}
