//! Runs the engine over raw 32-bit floating point and prints the CPU seconds of
//! the convolution alone; `benches/compare/run` puts it beside other programs.
//!
//! `raw_stream TAPS.f32 IN.f32 OUT.raw BLOCK f32|f64 [RATIO]`: stereo in and out,
//! interleaved, 44.1 kHz in; the output is 64-bit for f64.

use std::error::Error;
use std::path::Path;

use totton_dsp::filter::import;
use totton_dsp::{CpuEngine, Engine, Filter, Origin, Phase, Precision};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [taps, input, output, block, precision, rest @ ..] = &args[..] else {
        return Err("raw_stream TAPS.f32 IN.f32 OUT.raw BLOCK f32|f64 [RATIO]".into());
    };
    let ratio: u32 = rest.first().map_or(Ok(16), |ratio| ratio.parse())?;
    let block: usize = block.parse()?;
    let precision = if precision == "f32" { Precision::F32 } else { Precision::F64 };

    let taps = import::read_taps(Path::new(taps), 44_100 * ratio)?;
    let origin = Origin::Imported { source: "compare".into() };
    let filter = Filter::new(44_100, ratio, Phase::Unknown, origin, taps)?;
    let mut engine = CpuEngine::new(&filter, 2, block, precision)?;

    let bytes = std::fs::read(input)?;
    let samples = bytes.as_chunks::<4>().0.iter().map(|raw| f64::from(f32::from_le_bytes(*raw)));
    let samples: Vec<f64> = samples.collect();
    let frames = samples.len() / 2;
    let channel = |channel| samples.iter().skip(channel).step_by(2).copied().collect::<Vec<_>>();
    let (left, right) = (channel(0), channel(1));
    let length = block * engine.ratio();
    let (mut out_left, mut out_right) = (vec![0.0; length], vec![0.0; length]);
    // Written once, as the peers' drivers do: the kernel's zeroing of fresh pages
    // between two blocks would empty the caches.
    let mut kept = vec![f64::NAN; frames / block * length * 2];

    // What is counted is the way from an input block to an output block; keeping
    // all the output for the check is not.
    let mut spent = 0.0;
    let blocks = left.chunks_exact(block).zip(right.chunks_exact(block));
    for ((left, right), kept) in blocks.zip(kept.chunks_exact_mut(2 * length)) {
        let start = cpu_seconds()?;
        engine.process(&[left, right], &mut [&mut out_left, &mut out_right]);
        spent += cpu_seconds()? - start;
        let pairs = out_left.iter().zip(&out_right);
        for (kept, (left, right)) in kept.as_chunks_mut::<2>().0.iter_mut().zip(pairs) {
            *kept = [*left, *right];
        }
    }
    println!("{spent}");

    let pairs = kept.into_iter();
    let bytes: Vec<u8> = match precision {
        Precision::F32 => pairs.flat_map(|sample| (sample as f32).to_le_bytes()).collect(),
        Precision::F64 => pairs.flat_map(f64::to_le_bytes).collect(),
    };
    std::fs::write(output, bytes)?;
    Ok(())
}

/// CPU time of this process in seconds.
fn cpu_seconds() -> Result<f64, nix::Error> {
    let clock = nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID;
    Ok(std::time::Duration::from(nix::time::clock_gettime(clock)?).as_secs_f64())
}
