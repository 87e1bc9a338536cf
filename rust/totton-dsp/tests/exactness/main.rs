//! The engine against the definition of convolution; see [`reference`].
//!
//! - [`properties`]: under shapes, splits and samples that proptest draws

// Clippy's leave for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod properties;
#[path = "../reference/mod.rs"]
mod reference;

use reference::{Random, Wide, error_dbfs, render, signals};
use totton_dsp::simd::Isa;
use totton_dsp::{
    CpuEngine, CpuOptions, Crossfade, DesignSpec, Engine, Filter, Origin, Partitioning, Phase,
    Precision, Reblock, design,
};

const FRAMES: usize = 6000;

fn designed(ratio: u32, taps: usize, phase: Phase) -> Filter {
    let spec = DesignSpec { taps, ratio, phase, attenuation_db: 120.0, ..DesignSpec::default() };
    design(&spec, &mut |_, _| {}).unwrap()
}

#[test]
fn the_reference_is_wider_than_f64() {
    // 1 + 2^-80 - 1 is lost in f64.
    let tiny = 2f64.powi(-80);
    let wide = Wide::default().add_product(1.0, 1.0).add_product(tiny, 1.0);
    assert_eq!(wide.minus(1.0), tiny);
}

#[test]
fn every_signal_block_ratio_and_precision_is_exact() {
    for (ratio, phase) in [
        (1, Phase::Linear),
        (2, Phase::Minimum),
        (4, Phase::Linear),
        (8, Phase::Minimum),
        (16, Phase::Minimum),
        (16, Phase::Linear),
    ] {
        let filter = designed(ratio, 3000 * ratio as usize, phase);
        for (name, input) in signals(FRAMES) {
            for block in [16, 64, 256, 1024, 4096] {
                for (precision, bound) in [(Precision::F64, -300.0), (Precision::F32, -134.0)] {
                    let mut engine = CpuEngine::new(&filter, 2, block, precision).unwrap();
                    let error = error_dbfs(&filter, &input, &render(&mut engine, &input));
                    assert!(
                        error <= bound,
                        "{name}, ratio {ratio} {phase}, block {block}, {precision:?}: {error:.1}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_instruction_set_and_partitioning_is_exact() {
    let filter = designed(16, 80_000, Phase::Minimum);
    let (_, input) = signals(FRAMES).swap_remove(2);
    for &isa in Isa::available() {
        for partitioning in [Partitioning::Uniform, Partitioning::Growing] {
            for (precision, bound) in [(Precision::F64, -300.0), (Precision::F32, -134.0)] {
                let options = CpuOptions { isa, partitioning };
                let engine = CpuEngine::with_options(&filter, 1, 64, precision, options);
                let mut engine = engine.unwrap();
                let error = error_dbfs(&filter, &input, &render(&mut engine, &input));
                assert!(error <= bound, "{isa} {partitioning:?} {precision:?}: {error:.1}");
            }
        }
    }
}

#[test]
fn the_channels_of_a_pair_do_not_leak() {
    // Two channels are one complex signal inside: one of them loud, one silent.
    let filter = designed(16, 40_000, Phase::Minimum);
    let (_, loud) = signals(FRAMES).swap_remove(2);
    let silent = vec![0.0; FRAMES];
    for (precision, bound) in [(Precision::F64, -300.0), (Precision::F32, -134.0)] {
        let mut stream = Reblock::new(CpuEngine::new(&filter, 2, 64, precision).unwrap());
        let (mut sum, mut count) = (0.0, 0);
        stream.process(&[&loud, &silent], |blocks| {
            sum += blocks[1].iter().map(|x| x * x).sum::<f64>();
            count += blocks[1].len();
        });
        let leak = 10.0 * (sum / count as f64).max(1e-60).log10();
        assert!(leak <= bound, "{precision:?}: {leak:.1} dBFS");
    }
}

#[test]
fn random_filters_blocks_and_splits_are_exact() {
    let mut random = Random(42);
    for round in 0..40 {
        let ratio = 1u32 << random.below(5);
        let block = 16usize << random.below(6);
        let channels = 1 + random.below(3);
        let bits = 4 + random.below(12);
        let count = 1 + random.below(1 << bits);
        let scale = 1.0 / (count as f64).sqrt();
        let taps = (0..count).map(|_| random.sample() * scale).collect();
        let origin = Origin::Imported { source: "random".into() };
        let filter = Filter::new(48_000, ratio, Phase::Unknown, origin, taps).unwrap();
        let input: Vec<_> = (0..1 + random.below(5000)).map(|_| random.sample()).collect();

        let engine = CpuEngine::new(&filter, channels, block, Precision::F64).unwrap();
        let mut stream = Reblock::new(engine);
        let (mut output, mut at) = (Vec::new(), 0);
        let mut sink = |blocks: &[Vec<f64>]| output.extend_from_slice(&blocks[0]);
        while at < input.len() {
            let end = (at + 1 + random.below(2 * block)).min(input.len());
            stream.process(&vec![&input[at..end]; channels], &mut sink);
            at = end;
        }
        stream.finish(&mut sink);
        let shape = format!("round {round}: {count} taps, ratio {ratio}, block {block}");
        let error = error_dbfs(&filter, &input, &output);
        assert!(error <= -300.0, "{shape}: {error:.1} dBFS");

        let mut whole = CpuEngine::new(&filter, channels, block, Precision::F64).unwrap();
        let whole = render(&mut whole, &input);
        if channels == 1 {
            assert_eq!(output, whole, "{shape}: a split must not change one bit");
        }
    }
}

#[test]
fn huge_and_bad_samples_do_not_poison_what_follows() {
    let filter = designed(4, 4000, Phase::Minimum);
    let (_, clean) = signals(FRAMES).swap_remove(1);
    for bad in [f64::NAN, f64::INFINITY, -f64::INFINITY, f64::MAX, -1e300, 1e39] {
        for precision in [Precision::F32, Precision::F64] {
            let mut input = clean.clone();
            input[100] = bad;
            let mut engine = CpuEngine::new(&filter, 2, 64, precision).unwrap();
            let output = render(&mut engine, &input);
            assert!(output.iter().all(|sample| sample.is_finite()), "{bad} {precision:?}");
            // Once the bad sample has left the filter, the output is the clean one.
            let mut engine = CpuEngine::new(&filter, 2, 64, precision).unwrap();
            let wanted = render(&mut engine, &clean);
            let after = (100 + 1000 + 4096) * 4;
            assert_eq!(output[after..], wanted[after..], "{bad} {precision:?}");
        }
    }
}

#[test]
fn a_filter_change_is_exact_before_and_after_and_smooth_between() {
    let (old, new) = (designed(4, 4000, Phase::Minimum), designed(4, 8000, Phase::Minimum));
    let engine = |filter| CpuEngine::new(filter, 1, 64, Precision::F64).unwrap();
    let input: Vec<_> =
        (0..FRAMES).map(|n| (n as f64 * std::f64::consts::TAU / 90.0).sin()).collect();
    let (from, to) = (render(&mut engine(&old), &input), render(&mut engine(&new), &input));

    let mut fade = Crossfade::new(Box::new(engine(&old)));
    let mut output = vec![0.0; FRAMES / 64 * 64 * 4];
    let (begin, warm_up, length) = (1280, 2048, 640);
    for (block, out) in output.chunks_mut(256).enumerate() {
        if block * 64 == begin {
            fade.switch_to(Box::new(engine(&new)), warm_up, length).unwrap();
        }
        fade.process(&[&input[block * 64..][..64]], &mut [out]);
    }
    let (start, end) = ((begin + warm_up) * 4, (begin + warm_up + length) * 4);
    assert_eq!(output[..start], from[..start]);
    let difference = output[end..].iter().zip(&to[end..]).map(|(a, b)| (a - b).abs());
    assert!(difference.fold(0.0, f64::max) < 1e-14);
    let step = output.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max);
    let usual = from[2000..].windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max);
    let onset = from[..2000].windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max);
    assert!(step <= onset.max(usual) * 1.01, "a step of {step}, usual are {usual}");
}
