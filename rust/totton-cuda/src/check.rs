//! A convolver proves itself before it is heard: an impulse must come out as the
//! filter, and in time.

use std::time::{Duration, Instant};

use totton_dsp::{Filter, Precision};

use crate::convolver::Convolver;
use crate::device::Device;
use crate::{Error, Shape};

/// Blocks that the check lasts at most: a longer filter's end is not looked at.
const MOST_BLOCKS: usize = 512;

/// Blocks whose time does not count: libraries load their parts when first used.
const WARM_UP: usize = 3;

/// The part of a block's time that the device may take.
const SHARE: f64 = 0.8;

/// What an output may differ from the filter, in dB of the filter's own power. Far
/// above what rounding does and far below what a wrong layout or kernel would.
fn limit_db(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => -100.0,
        Precision::F64 => -220.0,
    }
}

/// Sends impulses through and compares; the convolver is new afterwards. Tells the
/// median time of a block.
///
/// # Errors
/// [`Error::Wrong`], [`Error::TooSlow`] for blocks of `period`, and what the device does.
pub fn check<D: Device>(
    convolver: &mut Convolver<D>,
    filter: &Filter,
    period: Duration,
    limit: Duration,
) -> Result<Duration, Error> {
    let Shape { channels, block, branches, partitions, precision, .. } = *convolver.shape();
    let blocks = (partitions + 1).min(MOST_BLOCKS);
    // Each channel has an impulse of its own, at a place of its own.
    let impulse = |channel: usize| ((channel * 37 + 5) % block, 0.5 / (channel + 1) as f64);
    let mut input = vec![vec![0.0; block]; channels];
    for (channel, samples) in input.iter_mut().enumerate() {
        let (place, height) = impulse(channel);
        samples[place] = height;
    }
    let mut output = vec![vec![0.0; block * branches]; channels];
    let (mut error, mut power) = (0.0, 0.0);
    let mut times = vec![];
    for number in 0..blocks {
        let started = Instant::now();
        convolver.submit(&input)?;
        convolver.wait(limit)?;
        convolver.collect(&mut output)?;
        times.push(started.elapsed());
        for (channel, samples) in output.iter().enumerate() {
            let (place, height) = impulse(channel);
            for (frame, sample) in samples.iter().enumerate() {
                let tap = (number * block * branches + frame).checked_sub(place * branches);
                let tap = tap.and_then(|tap| filter.taps().get(tap)).copied().unwrap_or(0.0);
                // A result that is not a number must not compare as small.
                let difference = (sample / height - tap).abs();
                error += if difference.is_finite() { difference * difference } else { f64::MAX };
                power += tap * tap;
            }
        }
        input.iter_mut().for_each(|samples| samples.fill(0.0));
    }
    let error_db = 10.0 * (error / power.max(f64::MIN_POSITIVE)).log10();
    if error_db > limit_db(precision) {
        return Err(Error::Wrong { error_db, limit_db: limit_db(precision) });
    }
    let mut times = times.split_off(WARM_UP.min(times.len() - 1));
    times.sort();
    let found = times[times.len() / 2];
    if found > period.mul_f64(SHARE) {
        return Err(Error::TooSlow { found, block: period });
    }
    convolver.reset(limit)?;
    Ok(found)
}
