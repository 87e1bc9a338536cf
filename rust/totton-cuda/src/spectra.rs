//! The filter's spectra in the layout that the multiply kernel reads.

use realfft::RealFftPlanner;
use totton_dsp::{Filter, Precision};

use crate::device::launch::LANES;
use crate::shape::Shape;

/// The bytes of one group of branches: `[tile][partition][branch][lane]`, complex.
///
/// The transforms are done in `f64` whatever the engine computes in; the scale of
/// the inverse transform is part of the spectra. Bin 0 has the real bin 0 as its real
/// and the real bin N / 2 as its imaginary part.
#[must_use]
pub fn group(filter: &Filter, shape: &Shape, group: usize) -> Vec<u8> {
    let transform = RealFftPlanner::<f64>::new().plan_fft_forward(shape.length());
    let (mut time, mut bins) = (transform.make_input_vec(), transform.make_output_vec());
    let mut scratch = transform.make_scratch_vec();
    let scale = 1.0 / shape.length() as f64;
    let value_bytes = shape.complex_bytes();
    let mut bytes = vec![0; shape.group_values() * value_bytes];
    for partition in 0..shape.partitions {
        for branch in 0..shape.width {
            let tap = partition * shape.block * shape.branches + group * shape.width + branch;
            let taps = filter.taps().iter().skip(tap).step_by(shape.branches).take(shape.block);
            time.fill(0.0);
            time.iter_mut().zip(taps).for_each(|(slot, tap)| *slot = *tap);
            let done = transform.process_with_scratch(&mut time, &mut bins, &mut scratch);
            debug_assert!(done.is_ok(), "the lengths fit: {done:?}");
            bins[0].im = bins[shape.block].re;
            for (bin, value) in bins[..shape.block].iter().enumerate() {
                let (tile, lane) = (bin / LANES, bin % LANES);
                let row = (tile * shape.partitions + partition) * shape.width + branch;
                let to = &mut bytes[(row * LANES + lane) * value_bytes..][..value_bytes];
                write(to, shape.precision, [value.re * scale, value.im * scale]);
            }
        }
    }
    bytes
}

/// Writes values in a precision.
pub fn write<const N: usize>(to: &mut [u8], precision: Precision, values: [f64; N]) {
    for (to, value) in to.chunks_mut(to.len() / N).zip(values) {
        match precision {
            Precision::F32 => to.copy_from_slice(&(value as f32).to_ne_bytes()),
            Precision::F64 => to.copy_from_slice(&value.to_ne_bytes()),
        }
    }
}
