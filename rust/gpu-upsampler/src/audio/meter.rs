//! Levels and block times: written by one audio thread, taken by another thread,
//! without a lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use totton_protocol::{BlockLoad, Levels};

use crate::config::MAX_CHANNELS;

/// Peak and mean square of each channel since the last look.
#[derive(Default)]
pub(crate) struct Meter {
    /// Bits of non-negative `f64`, which order as integers do.
    peaks: [AtomicU64; MAX_CHANNELS],
    /// Bits of sums of squares, and the frames that went into them.
    squares: [AtomicU64; MAX_CHANNELS],
    frames: AtomicU64,
}

impl Meter {
    /// Notes the first `frames` frames.
    pub(crate) fn note(&self, planes: &[Vec<f64>], frames: usize) {
        let channels = self.peaks.iter().zip(&self.squares);
        for ((peak, squares), plane) in channels.zip(planes) {
            let (mut highest, mut sum) = (0, 0.0);
            for sample in &plane[..frames] {
                highest = highest.max(sample.abs().to_bits());
                sum += sample * sample;
            }
            peak.fetch_max(highest, Relaxed);
            // One thread writes; that a look resets it in between is what the loop is for.
            let add = |bits| Some((f64::from_bits(bits) + sum).to_bits());
            let _ = squares.fetch_update(Relaxed, Relaxed, add);
        }
        self.frames.fetch_add(frames as u64, Relaxed);
    }

    /// Notes `frames` frames of digital silence.
    pub(crate) fn note_silence(&self, frames: usize) {
        self.frames.fetch_add(frames as u64, Relaxed);
    }

    /// Peak and RMS of the first `channels` channels in dBFS; starts the next measurement.
    pub(crate) fn take(&self, channels: usize) -> (Vec<f64>, Vec<f64>) {
        // A block that is noted at this moment may be counted half here and half next time.
        let frames = self.frames.swap(0, Relaxed).max(1) as f64;
        let take = |cell: &AtomicU64| f64::from_bits(cell.swap(0, Relaxed));
        let channels = channels.min(MAX_CHANNELS);
        let peaks = self.peaks[..channels].iter().map(|peak| dbfs(take(peak))).collect();
        let rms = |sum: &AtomicU64| dbfs((take(sum) / frames).sqrt());
        (peaks, self.squares[..channels].iter().map(rms).collect())
    }
}

fn dbfs(amplitude: f64) -> f64 {
    if amplitude.is_finite() && amplitude > 0.0 {
        (20.0 * amplitude.log10()).max(Levels::SILENCE_DBFS)
    } else if amplitude == 0.0 {
        Levels::SILENCE_DBFS
    } else {
        // What is not finite goes to the DAC as full scale at most.
        0.0
    }
}

/// The engine's time for single blocks since the last look.
#[derive(Default)]
pub(crate) struct Blocks {
    blocks: AtomicU64,
    nanoseconds: AtomicU64,
    slowest: AtomicU64,
    /// Frames of one block.
    frames: AtomicU64,
}

impl Blocks {
    /// Notes a block of `frames` input frames that took `time`.
    pub(crate) fn note(&self, frames: usize, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.blocks.fetch_add(1, Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Relaxed);
        self.slowest.fetch_max(nanoseconds, Relaxed);
        self.frames.store(frames as u64, Relaxed);
    }

    /// The load at an input rate in Hz; `None` without a block. Starts the next measurement.
    pub(crate) fn take(&self, rate: u32) -> Option<BlockLoad> {
        let blocks = self.blocks.swap(0, Relaxed);
        let seconds = self.nanoseconds.swap(0, Relaxed) as f64 * 1e-9;
        let slowest = self.slowest.swap(0, Relaxed) as f64 * 1e-9;
        let block_seconds = self.frames.load(Relaxed) as f64 / f64::from(rate);
        (blocks > 0 && block_seconds > 0.0).then(|| BlockLoad {
            blocks,
            mean: seconds / blocks as f64 / block_seconds,
            highest: slowest / block_seconds,
            block_seconds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_the_highest_and_the_mean_since_the_last_look() {
        let meter = Meter::default();
        meter.note(&[vec![0.1, -1.0], vec![0.0, 0.0]], 2);
        meter.note(&[vec![0.5], vec![0.0]], 1);
        let (peaks, rms) = meter.take(2);
        assert_eq!(peaks, [0.0, Levels::SILENCE_DBFS]);
        let expected = 10.0 * ((0.01 + 1.0 + 0.25) / 3.0f64).log10();
        assert!((rms[0] - expected).abs() < 1e-9 && rms[1] == Levels::SILENCE_DBFS, "{rms:?}");
        assert_eq!(meter.take(2), (vec![Levels::SILENCE_DBFS; 2], vec![Levels::SILENCE_DBFS; 2]));
    }

    #[test]
    fn a_full_scale_sine_has_minus_three_decibels() {
        let (meter, step) = (Meter::default(), std::f64::consts::TAU / 100.0);
        let sine: Vec<f64> = (0..1000).map(|n| (step * f64::from(n)).sin()).collect();
        meter.note(&[sine], 1000);
        assert!((meter.take(1).1[0] + 3.0103).abs() < 1e-4);
    }

    #[test]
    fn a_blocks_load_is_its_part_of_the_blocks_time() {
        let blocks = Blocks::default();
        assert_eq!(blocks.take(48_000), None);
        blocks.note(480, Duration::from_millis(1));
        blocks.note(480, Duration::from_millis(4));
        let load = blocks.take(48_000).unwrap();
        assert_eq!(load.blocks, 2);
        let found = [load.mean, load.highest, load.block_seconds];
        for (found, expected) in found.into_iter().zip([0.25, 0.4, 0.01]) {
            assert!((found - expected).abs() < 1e-9, "{load:?}");
        }
    }
}
