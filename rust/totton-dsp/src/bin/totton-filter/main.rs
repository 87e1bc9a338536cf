//! `totton-filter`: designs, inspects and converts the filters of Totton Audio.
//!
//! | Module | What it does |
//! | --- | --- |
//! | [`args`] | the command line |
//! | [`convert`] | taps of another file into a filter |
//! | [`progress`] | the progress bar |

mod args;
mod convert;
mod progress;

use std::process::ExitCode;

use clap::Parser;
use totton_dsp::{DesignSpec, Equaliser, Filter, Origin, design};

use crate::args::{Args, Command, Design, Equalise, Inspect};
use crate::progress::Progress;

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Design(args) => run_design(args),
        Command::Inspect(args) => run_inspect(&args),
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
        attenuation_db: args.attenuation,
        passband_hz: args.passband,
    };
    let mut progress = Progress::new();
    let filter = design(&spec, &mut |done, what| progress.show(done, what))?;
    progress.finish();
    filter.save(&args.out)?;
    println!("{}: written", args.out.display());
    print_header(&filter);
    Ok(())
}

fn run_inspect(args: &Inspect) -> Result<(), totton_dsp::Error> {
    let filter = Filter::load(&args.filter)?;
    print_header(&filter);
    Ok(())
}

fn run_equalise(args: &Equalise) -> Result<(), totton_dsp::Error> {
    let filter = Filter::load(&args.filter)?;
    let filter = Equaliser::load(&args.equaliser)?.apply(&filter)?;
    filter.save(&args.out)?;
    println!("{}: written", args.out.display());
    print_header(&filter);
    Ok(())
}

fn print_header(filter: &Filter) {
    let header = filter.header();
    println!("taps         {}", filter.taps().len());
    println!("ratio        {}", header.ratio);
    println!("rates        {} Hz to {} Hz", header.input_rate_hz, header.output_rate_hz());
    println!("phase        {}", header.phase);
    println!(
        "gain at 0 Hz {:.12} ({:+.6} dB)",
        header.dc_gain,
        20.0 * header.dc_gain.abs().log10()
    );
    print_origin(&header.origin);
}

fn print_origin(origin: &Origin) {
    match origin {
        Origin::Kaiser { passband_hz, stopband_hz, attenuation_db, beta } => {
            println!("design       Kaiser window, beta {beta:.4}, for {attenuation_db} dB");
            println!("passband     to {passband_hz:.3} Hz");
            println!("stopband     from {stopband_hz:.3} Hz");
        }
        Origin::Imported { source } => println!("taken from   {source}"),
        Origin::Equalised { base, preamp_db, bands } => {
            print_origin(base);
            println!("equaliser    {bands} bands, preamp {preamp_db} dB");
        }
    }
}
