//! Taps of another file into a filter.

use totton_dsp::{Error, Filter, Origin, Phase, filter::import};

use crate::args::Convert;

pub fn run(args: &Convert) -> Result<(), Error> {
    let taps = import::read_taps(&args.taps, args.input_rate.saturating_mul(args.ratio))?;
    let source = args.taps.file_name().unwrap_or(args.taps.as_os_str());
    let origin = Origin::Imported { source: source.to_string_lossy().into_owned() };
    let filter = Filter::new(args.input_rate, args.ratio, Phase::Unknown, origin, taps)?;
    filter.save(&args.out)?;
    println!("{}: written", args.out.display());
    crate::inspect::print_header(&filter);
    Ok(())
}
