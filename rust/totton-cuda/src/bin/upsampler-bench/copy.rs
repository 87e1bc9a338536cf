//! What the device does when it only copies: the bandwidth of its memory, and the time of
//! a block that computes nothing.

use std::time::{Duration, Instant};

use totton_cuda::Error;
use totton_cuda::device::cuda::CudaDevice;
use totton_cuda::device::{Device, Place, Step};
use totton_dsp::Precision;

use crate::wait::wait;

/// Far beyond any cache.
const BYTES: usize = 512 << 20;
/// Copies ahead of those that are timed: clocks rise.
const WARM_UP: usize = 200;
const ROUNDS: usize = 100;

/// Bytes a second, read and written ones together: the median of some copies.
pub fn bandwidth(ordinal: usize) -> Result<f64, Error> {
    let mut device = CudaDevice::open(ordinal, Precision::F32)?;
    let from = device.allocate(BYTES, Place::Device)?;
    let to = device.allocate(BYTES, Place::Device)?;
    let mut times = vec![];
    for number in 0..WARM_UP + ROUNDS {
        let time = device.time_step(&Step::Copy { from, to })?;
        if number >= WARM_UP {
            times.push(time);
        }
    }
    times.sort();
    Ok(2.0 * BYTES as f64 / times[ROUNDS / 2].as_secs_f64())
}

/// What a block costs of which nothing is computed: a launch, its output written (all
/// zeros), the caller told, and the samples copied by the processor. The median.
pub fn empty_block(ordinal: usize, given: usize, made: usize) -> Result<Duration, Error> {
    let mut device = CudaDevice::open(ordinal, Precision::F32)?;
    let input = device.allocate(given * size_of::<f64>(), Place::Shared)?;
    let output = device.allocate(made * size_of::<f64>(), Place::Shared)?;
    let program = device.prepare(vec![Step::Clear(output)])?;
    let (from, mut to) = (vec![1.0; given], vec![0.0; made]);
    let mut times = vec![];
    for number in 0..WARM_UP + 10 * ROUNDS {
        let started = Instant::now();
        device.staged(input)?.copy_from_slice(&from);
        device.submit(program)?;
        wait(|| device.is_done())?;
        to.copy_from_slice(device.staged(output)?);
        if number >= WARM_UP {
            times.push(started.elapsed());
        }
    }
    times.sort();
    Ok(times[times.len() / 2])
}
