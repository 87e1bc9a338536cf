//! What a filter is and does.

use totton_dsp::{Error, Filter, Measurement, Origin};

use crate::args::Inspect;

pub fn run(args: &Inspect) -> Result<(), Error> {
    let filter = Filter::load(&args.filter)?;
    print_header(&filter);
    let measurement = Measurement::new(&filter);
    let figures = measurement.figures();
    println!("measured on the taps:");
    println!("  passband ripple   {:.3e} dB to {:.1} Hz", figures.ripple_db, figures.passband_hz);
    if let Some(level) = figures.stopband_db {
        println!("  stopband          {level:.1} dB from {:.1} Hz", figures.stopband_hz);
    }
    println!("  group delay       {:.4} ms at 1 kHz", figures.delay_1k_seconds * 1e3);
    println!(
        "                    {:.4} ms at {:.1} Hz",
        figures.delay_edge_seconds * 1e3,
        figures.passband_hz
    );
    println!("  largest tap       {:.6} at {:.4} ms", figures.peak, figures.peak_seconds * 1e3);
    println!("  pre-ringing       {:.1} dB of the energy", figures.pre_ringing_db);
    match figures.zeros_outside {
        Some(0) => println!("  zeros             none outside the unit circle: minimum phase"),
        Some(count) => println!("  zeros             {count} outside the unit circle"),
        None => println!("  zeros             on the unit circle, or too near to it to count"),
    }
    if let Some(path) = &args.plot {
        let name = args.filter.file_name().unwrap_or(args.filter.as_os_str());
        std::fs::write(path, measurement.svg(&name.to_string_lossy()))
            .map_err(|source| Error::Io { path: path.clone(), action: "write", source })?;
        println!("{}: written", path.display());
    }
    Ok(())
}

pub fn print_header(filter: &Filter) {
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
        Origin::Kaiser { passband_hz, stopband_hz, attenuation_db, beta, linear_part } => {
            println!("design       Kaiser window, beta {beta:.4}, for {attenuation_db} dB");
            if let Some(part) = linear_part {
                println!("linear part  {part}");
            }
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
