use super::*;
use crate::simd::Isa;
use crate::{Filter, Origin, Phase};

/// A repeatable noise of uniform distribution in -1..1 (xorshift64*).
fn noise(seed: u64, length: usize) -> Vec<f64> {
    let mut state = seed * 2 + 1;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..length).map(|_| next()).collect()
}

fn filter(ratio: u32, taps: usize) -> Filter {
    // Falls off like a real filter, so that the output stays near full scale.
    let scale = 1.0 / (taps as f64).sqrt();
    let taps = noise(99, taps).iter().map(|value| value * scale).collect();
    let origin = Origin::Imported { source: "noise".into() };
    Filter::new(44_100, ratio, Phase::Unknown, origin, taps).unwrap()
}

/// The definition: zero-stuff, then sum tap by tap.
fn direct(filter: &Filter, input: &[f64]) -> Vec<f64> {
    let ratio = filter.ratio();
    (0..input.len() * ratio)
        .map(|n| {
            let (frame, phase) = (n / ratio, n % ratio);
            let branch = filter.taps().iter().skip(phase).step_by(ratio);
            branch.zip(input[..=frame].iter().rev()).map(|(tap, x)| tap * x).sum()
        })
        .collect()
}

fn render(engine: &mut CpuEngine, input: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut output = vec![Vec::new(); input.len()];
    let mut stream = Reblock::new(engine);
    let mut sink = |blocks: &[Vec<f64>]| {
        for (all, block) in output.iter_mut().zip(blocks) {
            all.extend_from_slice(block);
        }
    };
    let slices: Vec<&[f64]> = input.iter().map(Vec::as_slice).collect();
    stream.process(&slices, &mut sink);
    stream.finish(&mut sink);
    output
}

fn rms_db(found: &[f64], wanted: &[f64]) -> f64 {
    assert_eq!(found.len(), wanted.len());
    let sum: f64 = found.iter().zip(wanted).map(|(a, b)| (a - b) * (a - b)).sum();
    10.0 * (sum / found.len() as f64).max(1e-40).log10()
}

/// What comes after a silence that nothing was computed for is, to the bit, what it would be had it
/// been. The reference hears samples that count as 0 and are not: it never rests.
#[test]
fn after_any_silence_the_output_is_what_it_would_be_had_the_engine_computed_on() {
    const COUNTS_AS_0: f64 = 1e-310;
    for (taps, block, partitioning) in [
        (1, 16, Partitioning::Growing),
        (777, 16, Partitioning::Uniform),
        (60_000, 16, Partitioning::Growing),
        (60_000, 64, Partitioning::Growing),
    ] {
        let options = CpuOptions { partitioning, ..CpuOptions::default() };
        let filter = filter(4, taps);
        let make = || CpuEngine::with_options(&filter, 2, block, Precision::F64, options).unwrap();
        let (mut rests, mut computes) = (make(), make());
        let branch = taps.div_ceil(4);
        // From shorter than the filter to long after its end, and ending anywhere in the longest partition.
        for silence in
            [0, branch / 2, branch + 3 * block, 4 * branch + 5 * block, 9 * branch + 7 * block]
        {
            let sound = noise(silence as u64, 5 * block);
            for frame in 0..(sound.len() + silence) / block {
                let of = |rest: f64| -> Vec<f64> {
                    let at = |n: usize| sound.get(n).copied().unwrap_or(rest);
                    (frame * block..(frame + 1) * block).map(at).collect()
                };
                let [found, wanted] =
                    [(&mut rests, 0.0), (&mut computes, COUNTS_AS_0)].map(|(engine, rest)| {
                        let input = of(rest);
                        let mut output = vec![vec![f64::NAN; block * 4]; 2];
                        let (a, b) = output.split_at_mut(1);
                        engine.process(&[&input, &input], &mut [&mut a[0], &mut b[0]]);
                        output
                    });
                assert_eq!(found, wanted, "{taps} {block} {silence}: block {frame}");
            }
        }
    }
}

#[test]
fn the_output_is_the_direct_convolution() {
    for ratio in [1, 2, 4, 8, 16] {
        for (taps, block, channels) in [(1, 16, 1), (777, 16, 2), (5000, 64, 3), (100, 256, 2)] {
            let filter = filter(ratio, taps);
            let input: Vec<_> = (0..channels).map(|c| noise(c as u64 + 1, 777)).collect();
            let wanted: Vec<_> = input.iter().map(|input| direct(&filter, input)).collect();
            for (precision, bound) in [(Precision::F64, -290.0), (Precision::F32, -120.0)] {
                for &isa in Isa::available() {
                    for partitioning in [Partitioning::Uniform, Partitioning::Growing] {
                        let options = CpuOptions { isa, partitioning };
                        let mut engine =
                            CpuEngine::with_options(&filter, channels, block, precision, options)
                                .unwrap();
                        for (found, wanted) in render(&mut engine, &input).iter().zip(&wanted) {
                            let error = rms_db(found, wanted);
                            let parts = engine.partitions();
                            assert!(
                                error < bound,
                                "{ratio} {taps} {parts:?} {isa} {precision:?}: {error} dB"
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn the_first_output_frame_is_the_first_tap() {
    let filter = filter(4, 9);
    let mut engine = CpuEngine::new(&filter, 1, 16, Precision::F64).unwrap();
    let found = render(&mut engine, &[vec![1.0, 0.0, 0.0]]);
    for (found, tap) in found[0].iter().zip(filter.taps()) {
        assert!((found - tap).abs() < 1e-15, "{found} for {tap}");
    }
}

#[test]
fn a_bad_sample_counts_as_silence() {
    let filter = filter(2, 300);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut input = noise(5, 200);
        input[33] = 0.0;
        let mut engine = CpuEngine::new(&filter, 2, 32, Precision::F64).unwrap();
        let clean = render(&mut engine, &[input.clone(), input.clone()]);
        engine.reset();
        let mut poisoned = input.clone();
        poisoned[33] = bad;
        assert_eq!(render(&mut engine, &[poisoned, input]), clean);
    }
}

#[test]
fn reset_forgets_everything() {
    let filter = filter(8, 4000);
    let input = vec![noise(1, 500), noise(2, 500)];
    let mut engine = CpuEngine::new(&filter, 2, 64, Precision::F32).unwrap();
    let first = render(&mut engine, &input);
    engine.reset();
    assert_eq!(render(&mut engine, &input), first);
}

#[test]
fn the_output_does_not_depend_on_the_split_of_the_input() {
    let filter = filter(4, 3000);
    let input = [noise(1, 1000), noise(2, 1000)];
    let mut engine = CpuEngine::new(&filter, 2, 64, Precision::F64).unwrap();
    let whole = render(&mut engine, &input);
    for chunk in [1, 3, 63, 64, 65, 999] {
        engine.reset();
        let mut stream = Reblock::new(&mut engine);
        let mut found = vec![Vec::new(); 2];
        let mut sink = |blocks: &[Vec<f64>]| {
            found.iter_mut().zip(blocks).for_each(|(all, block)| all.extend_from_slice(block));
        };
        for start in (0..1000).step_by(chunk) {
            let end = (start + chunk).min(1000);
            stream.process(&[&input[0][start..end], &input[1][start..end]], &mut sink);
        }
        stream.finish(&mut sink);
        assert_eq!(found, whole, "chunks of {chunk}");
    }
}

#[test]
fn bad_shapes_are_refused() {
    let filter = filter(2, 10);
    for (channels, block) in [(0, 64), (65, 64), (2, 0), (2, 100), (2, 8), (2, 1 << 17)] {
        assert!(CpuEngine::new(&filter, channels, block, Precision::F32).is_err());
    }
}

#[test]
fn an_engine_that_only_listened_renders_as_if_it_had_always_rendered() {
    for (taps, block) in [(3000, 16), (80_000, 32), (80_000, 64), (5000, 256)] {
        let filter = filter(4, taps);
        for precision in [Precision::F32, Precision::F64] {
            for partitioning in [Partitioning::Growing, Partitioning::Uniform] {
                let options = CpuOptions { isa: Isa::detect(), partitioning };
                let engine =
                    || CpuEngine::with_options(&filter, 3, block, precision, options).unwrap();
                let (mut always, mut at_times) = (engine(), engine());
                let blocks = 3 * taps / 4 / block + 40;
                let input: Vec<_> = (0..3).map(|c| noise(c + 1, blocks * block)).collect();
                let mut wanted = vec![vec![0.0; block * 4]; 3];
                let mut found = wanted.clone();
                let mut rendered = 0;
                for n in 0..blocks {
                    let input = [0, 1, 2].map(|c: usize| &input[c][n * block..][..block]);
                    always.process(&input, &mut wanted.each_slice());
                    at_times.listen(&input);
                    // Runs of every length, silent ones between them.
                    if (n * n / 7 + n / 50).is_multiple_of(3) || n + 5 > blocks {
                        at_times.render(&mut found.each_slice());
                        assert_eq!(found, wanted, "{taps} {block} {:?} {n}", always.partitions());
                        rendered += 1;
                    }
                }
                assert!(rendered > 10 && rendered < blocks);
            }
        }
    }
}

trait EachSlice {
    fn each_slice(&mut self) -> [&mut [f64]; 3];
}

impl EachSlice for Vec<Vec<f64>> {
    fn each_slice(&mut self) -> [&mut [f64]; 3] {
        let [a, b, c] = &mut self[..] else { unreachable!() };
        [a, b, c]
    }
}

#[test]
fn the_state_of_a_long_filter_is_at_most_2_2_times_its_spectra() {
    let filter = filter(16, 640_000);
    for precision in [Precision::F32, Precision::F64] {
        for block in [64, 256, 1024, 4096] {
            let engine = CpuEngine::new(&filter, 2, block, precision).unwrap();
            let ratio = engine.state_bytes() as f64 / engine.filter_bytes() as f64;
            assert!(ratio <= 2.2, "{precision:?}, block {block}: {ratio:.2}");
            // A partition is padded to twice its length, and the last one may be short.
            let taps = engine.filter_bytes() as f64 / f64::from(precision.bits() / 8) / 640_000.0;
            assert!((2.0..2.3).contains(&taps), "{precision:?}, block {block}: {taps:.2} a tap");
        }
    }
}
