//! A convolver on some device against the CPU engine, in every shape.

// Clippy's leave for tests does not reach their helper functions; not every test uses all.
#![allow(clippy::unwrap_used, dead_code)]

use std::time::Duration;

use totton_cuda::device::Device;
use totton_cuda::{Convolver, Error, Shape};
use totton_dsp::{CpuEngine, DesignSpec, Engine, Filter, Origin, Phase, Precision, design};

pub const LIMIT: Duration = Duration::from_secs(20);

/// Output error allowed, in dBFS: the CPU engine's own, which the reference here is
/// not quite free of.
pub fn bound(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => -134.0,
        Precision::F64 => -295.0,
    }
}

/// Noise of uniform distribution within half of full scale (xorshift64*).
pub fn noise(seed: u64, length: usize) -> Vec<f64> {
    let mut state = seed * 2 + 1;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    (0..length).map(|_| next()).collect()
}

/// A filter as the product has them.
pub fn designed(ratio: u32, taps: usize, phase: Phase) -> Filter {
    let spec = DesignSpec { taps, ratio, phase, attenuation_db: 120.0, ..DesignSpec::default() };
    design(&spec, &mut |_, _| {}).unwrap()
}

/// A filter whose every tap matters.
pub fn flat(ratio: u32, taps: usize) -> Filter {
    let scale = 1.0 / (taps as f64 / f64::from(ratio)).sqrt();
    let taps = noise(7, taps).iter().map(|tap| tap * scale).collect();
    let origin = Origin::Imported { source: "noise".into() };
    Filter::new(44_100, ratio, Phase::Unknown, origin, taps).unwrap()
}

fn slices(channels: &[Vec<f64>]) -> Vec<&[f64]> {
    channels.iter().map(Vec::as_slice).collect()
}

fn slices_mut(channels: &mut [Vec<f64>]) -> Vec<&mut [f64]> {
    channels.iter_mut().map(Vec::as_mut_slice).collect()
}

/// One block through an engine.
pub fn process(engine: &mut dyn Engine, input: &[Vec<f64>], output: &mut [Vec<f64>]) {
    engine.process(&slices(input), &mut slices_mut(output));
}

/// RMS of the difference over some blocks of noise, in dBFS, and the shape.
pub fn error_dbfs<D: Device>(
    device: D,
    filter: &Filter,
    channels: usize,
    block: usize,
    precision: Precision,
    blocks: usize,
) -> Result<(f64, Shape), Error> {
    error_at_the_end(device, filter, channels, block, precision, blocks, blocks)
}

/// The same over the last `compared` blocks: with the others a long filter fills up.
pub fn error_at_the_end<D: Device>(
    device: D,
    filter: &Filter,
    channels: usize,
    block: usize,
    precision: Precision,
    blocks: usize,
    compared: usize,
) -> Result<(f64, Shape), Error> {
    let mut reference = CpuEngine::new(filter, channels, block, Precision::F64).unwrap();
    let mut convolver = Convolver::new(device, filter, channels, block, precision)?;
    let frames = block * filter.ratio();
    let mut wanted = vec![vec![0.0; frames]; channels];
    let mut found = wanted.clone();
    let (mut sum, mut count) = (0.0, 0);
    for number in 0..blocks {
        let input: Vec<_> =
            (0..channels).map(|c| noise((number * 64 + c) as u64 + 1, block)).collect();
        reference.listen(&slices(&input));
        convolver.submit(&input)?;
        convolver.wait(LIMIT)?;
        if number + compared < blocks {
            continue;
        }
        reference.render(&mut slices_mut(&mut wanted));
        convolver.collect(&mut found)?;
        for (found, wanted) in found.iter().flatten().zip(wanted.iter().flatten()) {
            sum += (found - wanted) * (found - wanted);
            count += 1;
        }
    }
    assert!(wanted.iter().flatten().any(|sample| sample.abs() > 1e-3), "the reference is silent");
    Ok((10.0 * (sum / count as f64).max(1e-40).log10(), *convolver.shape()))
}

/// Every block, ratio and precision; `sizes` are the blocks. Gives each shape and its error.
pub fn every_shape<D: Device>(
    mut open: impl FnMut(Precision) -> Result<D, Error>,
    sizes: &[usize],
    mut seen: impl FnMut(&Shape, f64),
) -> Result<(), Error> {
    for &block in sizes {
        for ratio in [1, 2, 4, 8, 16] {
            // Partitions that are not a multiple of anything, the last one not full.
            let branch = if block > 4096 { 2 * block + 77 } else { 13 * block + 77 };
            let filter = flat(ratio, branch * ratio as usize - 1);
            for precision in [Precision::F32, Precision::F64] {
                let channels = 1 + (block.trailing_zeros() as usize + ratio as usize) % 3;
                let blocks = branch / block + 3;
                let device = open(precision)?;
                let (error, shape) =
                    error_dbfs(device, &filter, channels, block, precision, blocks)?;
                seen(&shape, error);
                assert!(error <= bound(precision), "{error:.1} dBFS, {shape:?}");
            }
        }
    }
    Ok(())
}
