//! What keeps the engine from being faster: its speed beside the limit of this
//! machine for the same partitions, all measured in one run.
//!
//! The limit of a partition length is the larger of the time to read the filter's
//! spectra and the time to multiply them at the peak rate of fused multiply-adds,
//! plus the time of the transforms by `realfft`, one real transform for each branch
//! and channel. Nothing else counts in the limit: not the conversions, not the
//! output. A ratio above 1 says that the engine's own transforms, whose lanes are
//! the branches, are faster than that library's.
//!
//! The bound is stricter: transforms that do nothing but the operations of a
//! split-radix transform (4 N log2 N - 6 N + 8 for a complex length N; two channels
//! are one complex signal), at one operation for each lane and multiply-add slot.
//!
//! `cargo bench -p totton-dsp --bench limit`

// A measurement that cannot be made has nothing better to do than to stop.
#![allow(clippy::expect_used)]

use std::hint::black_box;
use std::time::Duration;

use realfft::{FftNum, RealFftPlanner};
use totton_dsp::simd::{Isa, Kernel, Sample, Vector};
use totton_dsp::{CpuEngine, Engine, Filter, Origin, Phase, Precision};

const RATE: f64 = 44_100.0;
const RATIO: usize = 16;
const CHANNELS: usize = 2;
const TAPS: usize = 640_000;
const ROUNDS: usize = 15;

/// CPU time of this thread in seconds.
fn cpu_time() -> f64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID);
    Duration::from(now.expect("every Linux has this clock")).as_secs_f64()
}

/// Seconds of one call, the best of some rounds of at least 5 ms each.
fn best(mut work: impl FnMut()) -> f64 {
    let mut repeats = 1;
    let mut least = f64::MAX;
    let mut round = 0;
    while round < ROUNDS {
        let start = cpu_time();
        (0..repeats).for_each(|_| work());
        let spent = cpu_time() - start;
        if spent < 0.005 {
            repeats *= 2;
            continue;
        }
        least = least.min(spent / repeats as f64);
        round += 1;
    }
    least
}

/// Sixteen chains of fused multiply-adds.
struct Peak<'a, V: Vector>(&'a mut [V::Scalar]);

const PEAK_STEPS: usize = 4096;
const PEAK_CHAINS: usize = 16;

impl<V: Vector> Kernel<V> for Peak<'_, V> {
    #[inline(always)]
    unsafe fn run(self) {
        // SAFETY: the caller vouches for the instruction set; the slice has one vector.
        unsafe {
            let factor = V::load(self.0.as_ptr());
            let mut chains = [factor; PEAK_CHAINS];
            for _ in 0..PEAK_STEPS {
                for chain in &mut chains {
                    *chain = chain.mul_acc(factor, factor);
                }
            }
            let sum = chains.into_iter().reduce(|a, b| a.add(b)).unwrap_or(factor);
            sum.store(self.0.as_mut_ptr());
        }
    }
}

/// Reads everything once.
struct Read<'a, V: Vector>(&'a [V::Scalar], &'a mut [V::Scalar]);

impl<V: Vector> Kernel<V> for Read<'_, V> {
    #[inline(always)]
    unsafe fn run(self) {
        // SAFETY: the caller vouches for the instruction set; the loop stays inside.
        unsafe {
            let mut sums = [V::load(self.0.as_ptr()); 8];
            for chunk in self.0.chunks_exact(8 * V::LANES) {
                for (n, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.add(V::load(chunk.as_ptr().add(n * V::LANES)));
                }
            }
            let sum = sums.into_iter().reduce(|a, b| a.add(b)).unwrap_or(sums[0]);
            sum.store(self.1.as_mut_ptr());
        }
    }
}

/// The rates of this machine for one precision.
struct Machine {
    /// Floating-point operations for each second.
    flops: f64,
    /// Bytes for each second, of a buffer of the given bytes.
    read: fn(usize) -> f64,
    /// Seconds of one real transform and its inverse of the given length.
    transform: fn(usize) -> (f64, f64),
    sample_bytes: usize,
}

fn machine<V: Vector>() -> Machine {
    let mut lanes = vec![V::Scalar::default(); V::LANES];
    // SAFETY: the vectors were chosen for what the processor has.
    let time = best(|| unsafe { V::run(Peak::<V>(black_box(&mut lanes))) });
    Machine {
        flops: (2 * V::LANES * PEAK_CHAINS * PEAK_STEPS) as f64 / time,
        read: |bytes| {
            // Written once: untouched pages would all be the one page of zeros.
            let value = V::Scalar::narrow(0.5);
            let data = vec![value; bytes / size_of::<V::Scalar>()];
            let mut out = vec![V::Scalar::default(); V::LANES];
            // SAFETY: as above.
            bytes as f64 / best(|| unsafe { V::run(Read::<V>(black_box(&data), &mut out)) })
        },
        transform: transforms::<V::Scalar>,
        sample_bytes: size_of::<V::Scalar>(),
    }
}

fn transforms<T: FftNum + Default>(length: usize) -> (f64, f64) {
    let mut planner = RealFftPlanner::<T>::new();
    let (forward, inverse) = (planner.plan_fft_forward(length), planner.plan_fft_inverse(length));
    let (mut time, mut bins) = (forward.make_input_vec(), forward.make_output_vec());
    let mut scratch =
        vec![Default::default(); forward.get_scratch_len().max(inverse.get_scratch_len())];
    let there = best(|| {
        forward.process_with_scratch(&mut time, &mut bins, &mut scratch).expect("fits");
    });
    let back = best(|| {
        inverse.process_with_scratch(&mut bins, &mut time, &mut scratch).expect("fits");
    });
    (there, back)
}

#[cfg(target_arch = "x86_64")]
fn machine_for(precision: Precision) -> Machine {
    use totton_dsp::simd::{plain, x86};
    match (Isa::detect(), precision) {
        (Isa::Avx512, Precision::F32) => machine::<x86::F32x16>(),
        (Isa::Avx512, Precision::F64) => machine::<x86::F64x8>(),
        (Isa::Avx2, Precision::F32) => machine::<x86::F32x8>(),
        (Isa::Avx2, Precision::F64) => machine::<x86::F64x4>(),
        (_, Precision::F32) => machine::<plain::Plain<f32, 4>>(),
        (_, Precision::F64) => machine::<plain::Plain<f64, 2>>(),
    }
}

#[cfg(target_arch = "aarch64")]
fn machine_for(precision: Precision) -> Machine {
    match precision {
        Precision::F32 => machine::<totton_dsp::simd::neon::F32x4>(),
        Precision::F64 => machine::<totton_dsp::simd::neon::F64x2>(),
    }
}

/// The least seconds for one input frame with these partitions.
fn limit(machine: &Machine, partitions: &[(usize, usize)], read: f64) -> f64 {
    let tier = |&(frames, count): &(usize, usize)| {
        let values = 2 * frames * count * RATIO;
        let bytes = (values * machine.sample_bytes) as f64;
        // A complex multiply-add is 8 operations; half as many bins as values.
        let flops = (8 * CHANNELS * values / 2) as f64;
        let (there, back) = (machine.transform)(2 * frames);
        let transforms = CHANNELS as f64 * (there + RATIO as f64 * back);
        ((bytes / read).max(flops / machine.flops) + transforms) / frames as f64
    };
    partitions.iter().map(tier).sum()
}

/// The same with transforms at the peak rate of operations.
fn bound(machine: &Machine, partitions: &[(usize, usize)], read: f64) -> f64 {
    let tier = |&(frames, count): &(usize, usize)| {
        let values = 2 * frames * count * RATIO;
        let bytes = (values * machine.sample_bytes) as f64;
        let flops = (8 * CHANNELS * values / 2) as f64;
        let length = (2 * frames) as f64;
        let transform = 4.0 * length * length.log2() - 6.0 * length + 8.0;
        let transforms = (CHANNELS / 2 * (1 + RATIO)) as f64 * transform;
        let slots = machine.flops / 2.0;
        ((bytes / read).max(flops / machine.flops) + transforms / slots) / frames as f64
    };
    partitions.iter().map(tier).sum()
}

fn main() {
    let taps = (0..TAPS).map(|n| (n as f64 * 0.37).sin() * 1e-3).collect();
    let origin = Origin::Imported { source: "limit".into() };
    let filter = Filter::new(44_100, RATIO as u32, Phase::Unknown, origin, taps).expect("valid");
    println!(
        "| Precision | Block | x real time | limit | ratio | bound | ratio | GFLOP/s | GB/s | partitions |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for precision in [Precision::F32, Precision::F64] {
        let machine = machine_for(precision);
        for block in [64, 256, 1024, 4096] {
            let mut engine = CpuEngine::new(&filter, CHANNELS, block, precision).expect("valid");
            let input = vec![0.25; block];
            let (mut left, mut right) = (vec![0.0; block * RATIO], vec![0.0; block * RATIO]);
            // Whole rounds of the longest partition: deferred work comes unevenly.
            let longest = engine.partitions().last().map_or(block, |(frames, _)| *frames);
            let calls = longest / block;
            let spent = best(|| {
                for _ in 0..calls {
                    engine.process(&[&input, &input], &mut [&mut left, &mut right]);
                }
            });
            let speed = longest as f64 / RATE / spent;
            let read = (machine.read)(engine.filter_bytes());
            let limit = 1.0 / RATE / limit(&machine, &engine.partitions(), read);
            let bound = 1.0 / RATE / bound(&machine, &engine.partitions(), read);
            println!(
                "| {:?} | {block} | {speed:.0} | {limit:.0} | {:.2} | {bound:.0} | {:.2} | {:.0} | {:.0} | {:?} |",
                precision,
                speed / limit,
                speed / bound,
                machine.flops / 1e9,
                read / 1e9,
                engine.partitions()
            );
        }
    }
}
