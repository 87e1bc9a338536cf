//! The bandwidth of the device's memory, as far as a copy reaches it.

use totton_cuda::Error;
use totton_cuda::device::cuda::CudaDevice;
use totton_cuda::device::{Device, Place, Step};
use totton_dsp::Precision;

use crate::measure::wait;

/// Far beyond any cache.
const BYTES: usize = 512 << 20;
const ROUNDS: usize = 20;

/// Bytes a second, read and written ones together: the median of some copies.
pub fn bandwidth(ordinal: usize) -> Result<f64, Error> {
    let mut device = CudaDevice::open(ordinal, Precision::F32)?;
    let from = device.allocate(BYTES, Place::Device)?;
    let to = device.allocate(BYTES, Place::Device)?;
    let program = device.prepare(vec![Step::Copy { from, to }])?;
    let mut times = vec![];
    for _ in 0..ROUNDS {
        device.submit(program)?;
        wait(|| device.is_done())?;
        times.push(device.time_on_device()?);
    }
    times.sort();
    Ok(2.0 * BYTES as f64 / times[ROUNDS / 2].as_secs_f64())
}
