//! The engine's speed: audio seconds for each CPU second of this thread, stereo
//! noise at 44.1 kHz, ratio 16.
//!
//! `cargo bench -p totton-dsp --bench engine -- [TAPS]... [block=FRAMES]... [best]`,
//! where `best` leaves out all but the best instruction set and uniform partitions;
//! the figures of one run
//! can be compared with each other, and with nothing else.

// A measurement that cannot be made has nothing better to do than to stop.
#![allow(clippy::expect_used)]

use std::time::Duration;

use totton_dsp::simd::Isa;
use totton_dsp::{CpuEngine, CpuOptions, Engine, Filter, Origin, Partitioning, Phase, Precision};

const RATE: f64 = 44_100.0;
const MEASURE: Duration = Duration::from_millis(600);
const ROUNDS: usize = 3;
const CUTS: [Partitioning; 2] = [Partitioning::Uniform, Partitioning::Growing];

/// CPU time of this thread.
fn cpu_time() -> Duration {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID);
    Duration::from(now.expect("every Linux has this clock"))
}

fn noise(length: usize) -> Vec<f64> {
    let mut state = 1u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as i64 as f64 / i64::MAX as f64
    };
    (0..length).map(|_| next()).collect()
}

/// The best of some rounds, in times real time; and the longest call in microseconds.
fn speed(engine: &mut CpuEngine) -> (f64, f64) {
    let block = engine.block_frames();
    let (left, right) = (noise(block), noise(block));
    let mut out = vec![vec![0.0; block * engine.ratio()]; 2];
    let [out_left, out_right] = &mut out[..] else { unreachable!() };
    let mut call = || {
        let start = cpu_time();
        engine.process(&[&left, &right], &mut [out_left, out_right]);
        cpu_time() - start
    };
    let (mut best, mut longest) = (0.0f64, Duration::MAX);
    for _ in 0..ROUNDS {
        let (mut spent, mut frames, mut peak) = (Duration::ZERO, 0, Duration::ZERO);
        while spent < MEASURE || frames < 4 * 65_536 {
            let time = call();
            spent += time;
            peak = peak.max(time);
            frames += block;
        }
        best = best.max(frames as f64 / RATE / spent.as_secs_f64());
        longest = longest.min(peak);
    }
    (best, longest.as_secs_f64() * 1e6)
}

fn main() {
    let taps: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let taps = if taps.is_empty() { vec![640_000] } else { taps };
    let best = std::env::args().any(|word| word == "best");
    let blocks: Vec<usize> =
        std::env::args().filter_map(|word| word.strip_prefix("block=")?.parse().ok()).collect();
    let blocks = if blocks.is_empty() { vec![64, 256, 1024, 4096] } else { blocks };
    let cuts = if best { &[Partitioning::Growing][..] } else { &CUTS };
    let sets = &Isa::available()[..if best { 1 } else { Isa::available().len() }];
    println!(
        "taps block isa precision partitioning | x RT | longest call, us | MiB | ready, s | partitions"
    );
    for taps in taps {
        let origin = Origin::Imported { source: "noise".into() };
        let filter = Filter::new(44_100, 16, Phase::Unknown, origin, noise(taps)).expect("valid");
        for &block in &blocks {
            for precision in [Precision::F32, Precision::F64] {
                for &isa in sets {
                    for &partitioning in cuts {
                        let options = CpuOptions { isa, partitioning };
                        let start = cpu_time();
                        let engine = CpuEngine::with_options(&filter, 2, block, precision, options);
                        let mut engine = engine.expect("valid");
                        let ready = (cpu_time() - start).as_secs_f64();
                        let (speed, longest) = speed(&mut engine);
                        println!(
                            "{taps:>8} {block:>5} {isa:>8} {:>2} {partitioning:>8?} | {speed:8.1} \
                             | {longest:7.0} | {:6.1} | {ready:5.3} | {:?}",
                            precision.bits(),
                            engine.state_bytes() as f64 / (1 << 20) as f64,
                            engine.partitions(),
                        );
                    }
                }
            }
        }
    }
}
