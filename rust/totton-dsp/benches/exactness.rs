//! The engine's error in dBFS (RMS, 1.0 is full scale) with the default filter of
//! 640,000 taps, against the convolution summed in double-double arithmetic.
//!
//! `cargo bench -p totton-dsp --bench exactness`

// A measurement that cannot be made has nothing better to do than to stop.
#![allow(clippy::expect_used)]

#[path = "../tests/reference/mod.rs"]
mod reference;

use reference::{error_dbfs, render, signals};
use totton_dsp::{CpuEngine, DesignSpec, Precision, design};

/// Input frames: more than the 40,000 of the filter.
const FRAMES: usize = 60_000;

fn main() {
    let filter = design(&DesignSpec::default(), &mut |_, _| {}).expect("the default is valid");
    println!("| Signal | Block | f32, dBFS | f64, dBFS |");
    println!("| --- | --- | --- | --- |");
    for (name, input) in signals(FRAMES) {
        for block in [64, 1024, 4096] {
            let error = |precision| {
                let engine = CpuEngine::new(&filter, 2, block, precision);
                let output = render(&mut engine.expect("valid"), &input);
                error_dbfs(&filter, &input, &output)
            };
            let (narrow, wide) = (error(Precision::F32), error(Precision::F64));
            println!("| {name} | {block} | {narrow:.1} | {wide:.1} |");
        }
    }
}
