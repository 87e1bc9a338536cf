//! Properties of the engine under inputs that nobody chose: proptest draws
//! filters, blocks, splits and samples, and shrinks what fails.

use proptest::prelude::*;
use totton_dsp::simd::Isa;
use totton_dsp::{
    CpuEngine, CpuOptions, Engine, Filter, Origin, Partitioning, Phase, Precision, Reblock,
};

use crate::reference::{Random, error_dbfs, render};

/// How an engine is made, and of what.
#[derive(Debug, Clone)]
struct Shape {
    taps: usize,
    ratio: u32,
    channels: usize,
    block: usize,
    precision: Precision,
    options: CpuOptions,
    seed: u64,
}

fn shape() -> impl Strategy<Value = Shape> {
    let precision = prop_oneof![Just(Precision::F32), Just(Precision::F64)];
    let cut = prop_oneof![Just(Partitioning::Uniform), Just(Partitioning::Growing)];
    let isa = proptest::sample::select(Isa::available());
    let taps = (4..14u32).prop_flat_map(|bits| 1..1usize << bits);
    (taps, 0..5u32, 1..4usize, 4..13u32, precision, cut, isa, 1..u64::MAX).prop_map(
        |(taps, ratio, channels, block, precision, partitioning, isa, seed)| Shape {
            taps,
            ratio: 1 << ratio,
            channels,
            block: 1 << block,
            precision,
            options: CpuOptions { isa, partitioning },
            seed,
        },
    )
}

impl Shape {
    fn filter(&self) -> Filter {
        let mut random = Random(self.seed);
        // The energy of a filter that passes its input.
        let scale = (f64::from(self.ratio) / self.taps as f64).sqrt().min(1.0);
        let taps = (0..self.taps).map(|_| random.sample() * scale).collect();
        let origin = Origin::Imported { source: "random".into() };
        Filter::new(48_000, self.ratio, Phase::Unknown, origin, taps).unwrap()
    }

    fn engine(&self, filter: &Filter) -> CpuEngine {
        let Self { channels, block, precision, options, .. } = *self;
        CpuEngine::with_options(filter, channels, block, precision, options).unwrap()
    }

    fn noise(&self, frames: usize) -> Vec<f64> {
        let mut random = Random(self.seed ^ 0x5555);
        (0..frames).map(|_| random.sample()).collect()
    }
}

/// The last channel of what comes out when the input is cut at `cuts`, which are
/// turned into positions; every channel hears the same.
fn split(engine: &mut dyn Engine, input: &[f64], cuts: &[usize]) -> Vec<f64> {
    let channels = engine.channels();
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
    cuts.extend([0, input.len()]);
    cuts.sort_unstable();
    let mut output = Vec::new();
    let mut stream = Reblock::new(engine);
    let mut sink = |blocks: &[Vec<f64>]| output.extend_from_slice(&blocks[channels - 1]);
    for pair in cuts.windows(2) {
        stream.process(&vec![&input[pair[0]..pair[1]]; channels], &mut sink);
    }
    stream.finish(&mut sink);
    output
}

fn bits(samples: &[f64]) -> Vec<u64> {
    samples.iter().map(|sample| sample.to_bits()).collect()
}

/// A sample that no programme should hold.
fn bad_sample() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(f64::NAN),
        Just(-f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(f64::MAX),
        Just(f64::MIN_POSITIVE),
        Just(-5e-324),
        any::<f64>(),
        any::<u64>().prop_map(f64::from_bits),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

    /// Whatever way the input comes in, the output is the same bit for bit.
    #[test]
    fn no_split_of_the_input_changes_a_bit(
        shape in shape(),
        frames in 1..6000usize,
        cuts in proptest::collection::vec(any::<usize>(), 0..40),
    ) {
        let filter = shape.filter();
        let input = shape.noise(frames);
        let whole = split(&mut shape.engine(&filter), &input, &[]);
        prop_assert_eq!(whole.len(), frames * filter.ratio());
        let found = split(&mut shape.engine(&filter), &input, &cuts);
        prop_assert!(bits(&found) == bits(&whole));
    }

    /// The output is the convolution, summed in twice the precision.
    #[test]
    fn the_output_is_the_convolution(shape in shape(), frames in 1..4000usize) {
        let filter = shape.filter();
        let input = shape.noise(frames);
        let output = render(&mut shape.engine(&filter), &input);
        let bound = match shape.precision {
            Precision::F32 => -134.0,
            Precision::F64 => -300.0,
        };
        let error = error_dbfs(&filter, &input, &output);
        prop_assert!(error <= bound, "{error:.1} dBFS");
    }

    /// What a channel hears never reaches the other of its pair, and bad samples
    /// reach nothing that comes after the filter has let go of them.
    #[test]
    fn bad_samples_pass_and_leave_nothing(
        shape in shape(),
        bad in proptest::collection::vec((0..500usize, bad_sample()), 1..20),
    ) {
        let filter = shape.filter();
        let clean = shape.noise(500);
        let mut spoilt = clean.clone();
        bad.iter().for_each(|(at, sample)| spoilt[*at] = *sample);
        // Long enough for the bad samples to leave the filter and every buffer: a
        // window has two partitions, and its result is played one partition later.
        let branch = filter.taps().len().div_ceil(filter.ratio());
        let partitions = shape.engine(&filter).partitions();
        let longest = partitions.iter().map(|(frames, _)| *frames).max().unwrap();
        let gone = branch + 4 * longest;
        let tail = shape.noise(gone + 500);
        let after = |start: &[f64]| {
            let mut engine = shape.engine(&filter);
            let output = split(&mut engine, &[start, &tail].concat(), &[]);
            engine.reset();
            let again = split(&mut engine, &clean, &[]);
            (output, again)
        };
        let (found, again) = after(&spoilt);
        prop_assert!(found.iter().all(|sample| sample.is_finite()));
        let (wanted, fresh) = after(&clean);
        prop_assert!(bits(&again) == bits(&fresh), "a reset forgets it");
        let settled = (500 + gone) * filter.ratio();
        let rest = |all: &[f64]| all[settled..].to_vec();
        // The transforms of one block mix what is in it, but nothing of it is left.
        prop_assert!(bits(&rest(&found)) == bits(&rest(&wanted)));
    }
}
