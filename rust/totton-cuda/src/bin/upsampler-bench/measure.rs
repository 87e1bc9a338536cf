//! Times of blocks.

use std::time::{Duration, Instant};

use totton_cuda::Error;
use totton_cuda::baseline::Baseline;
use totton_cuda::convolver::{Convolver, MULTIPLIES};
use totton_cuda::device::cuda::CudaDevice;
use totton_dsp::{Filter, Origin, Phase, Precision};

use crate::copy;
use crate::wait::{LIMIT, wait};

const CHANNELS: usize = 2;
/// Launches of the multiply kernel alone.
const ALONE: usize = 200;

/// One line of the table.
pub struct Job<'a> {
    pub device: usize,
    pub filter: &'a Filter,
    pub block: usize,
    pub precision: Precision,
    /// Of the input, in Hz.
    pub rate: u32,
    pub count: usize,
    /// Blocks ahead of those that are timed.
    pub warm_up: usize,
    /// Blocks of the baseline; 0: none.
    pub baseline: usize,
}

/// What came of it.
pub struct Measurement {
    /// Of the blocks, from handing in to having, sorted.
    pub times: Vec<Duration>,
    /// Of the blocks, as the device tells it: the median.
    pub on_device: Duration,
    /// Of a block of this size of which nothing is computed: the median.
    pub empty: Duration,
    /// Of the multiply kernel alone, on the device: the median.
    pub multiply: Duration,
    /// Bytes that it must move.
    pub multiply_bytes: usize,
    /// Bytes that all the other steps must move.
    pub other_bytes: usize,
    /// Floating-point operations of a block: multiply kernel and transforms.
    pub operations: f64,
    /// Of the baseline: the median.
    pub baseline: Option<Duration>,
}

/// Noise (xorshift64).
fn noise(length: usize) -> Vec<f64> {
    let mut state = 88_172_645_463_325_252u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as i64 as f64 / i64::MAX as f64
    };
    (0..length).map(|_| next()).collect()
}

/// A filter of noise: the time does not depend on the taps' values.
pub fn filter(taps: usize, ratio: u32, rate: u32) -> Filter {
    let scale = 1.0 / (taps as f64).sqrt();
    let taps = noise(taps).into_iter().map(|tap| tap * scale).collect();
    let origin = Origin::Imported { source: "noise".into() };
    Filter::new(rate, ratio, Phase::Unknown, origin, taps).expect("a rate of 8 to 768 kHz")
}

/// The time of a block of plain overlap-save: the median; none where it is not asked for.
fn baseline(
    job: &Job,
    input: &[Vec<f64>],
    output: &mut [Vec<f64>],
) -> Result<Option<Duration>, Error> {
    if job.baseline == 0 {
        return Ok(None);
    }
    let device = CudaDevice::open(job.device, job.precision)?;
    let mut baseline = Baseline::new(device, job.filter, CHANNELS, job.block, job.precision)?;
    let warm_up = job.baseline.div_ceil(10);
    let mut times = vec![];
    for number in 0..job.baseline + warm_up {
        let started = Instant::now();
        baseline.process(input, output, LIMIT)?;
        if number >= warm_up {
            times.push(started.elapsed());
        }
    }
    times.sort();
    Ok(times.get(times.len() / 2).copied())
}

/// Measures one line.
pub fn measure(job: &Job) -> Result<Measurement, Error> {
    let Job { filter, block, precision, count, warm_up, .. } = *job;
    let input = vec![noise(block); CHANNELS];
    let mut output = vec![vec![0.0; block * filter.ratio()]; CHANNELS];

    let device = CudaDevice::open(job.device, precision)?;
    let mut convolver = Convolver::new(device, filter, CHANNELS, block, precision)?;
    let mut times = Vec::with_capacity(count);
    let mut on_device = Vec::with_capacity(count);
    for number in 0..warm_up + count {
        let started = Instant::now();
        convolver.submit(&input)?;
        wait(|| convolver.is_done())?;
        convolver.collect(&mut output)?;
        let elapsed = started.elapsed();
        if number >= warm_up {
            times.push(elapsed);
            on_device.push(convolver.device().time_on_device()?);
        }
    }
    times.sort();
    on_device.sort();
    let mut alone = vec![];
    for _ in 0..ALONE {
        convolver.submit_multiply()?;
        wait(|| convolver.is_done())?;
        alone.push(convolver.device().time_on_device()? / MULTIPLIES as u32);
    }
    alone.sort();
    let shape = *convolver.shape();
    // Eight fused multiply-adds for each filter value and pair; 5 N log2 N a transform.
    let values = (shape.filter_bytes() / shape.complex_bytes() * shape.pairs) as f64;
    let length = shape.length() as f64;
    let transforms = (shape.pairs * (shape.branches + 1)) as f64;
    let operations = 16.0 * values + 5.0 * length * length.log2() * transforms;
    drop(convolver);

    let baseline = baseline(job, &input, &mut output)?;
    Ok(Measurement {
        times,
        on_device: on_device[count / 2],
        empty: copy::empty_block(job.device, CHANNELS * block, CHANNELS * block * filter.ratio())?,
        multiply: alone[ALONE / 2],
        multiply_bytes: shape.multiply_bytes(),
        other_bytes: shape.other_bytes(),
        operations,
        baseline,
    })
}
