//! How much sound is under way between the input and the DAC.
//!
//! Counting frames at either end against the same clock leaves no sawtooth of
//! blocks and periods: at the time t of a read, c frames have come in; at the time
//! u of a write, p frames have been played. With both ends extended to one moment
//! by their rates, the sound under way is
//!
//! (c / rate_in - t) - (p / rate_out - u).
//!
//! Each bracket is one number of one thread: nothing else has to fit in time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The two brackets, in seconds, and the silence that was put in between.
pub(crate) struct Level {
    epoch: Instant,
    capture: AtomicU64,
    playback: AtomicU64,
    silence: AtomicU64,
    /// When the DAC will have played what it was given, in seconds after the epoch.
    dac_empty: AtomicU64,
}

impl Default for Level {
    fn default() -> Self {
        let unknown = || AtomicU64::new(f64::NAN.to_bits());
        Self {
            epoch: Instant::now(),
            capture: unknown(),
            playback: unknown(),
            silence: AtomicU64::new(0f64.to_bits()),
            dac_empty: unknown(),
        }
    }
}

impl Level {
    /// A new stream: nothing is known of it.
    pub(crate) fn reset(&self) {
        self.capture.store(f64::NAN.to_bits(), Relaxed);
        self.playback.store(f64::NAN.to_bits(), Relaxed);
        self.dac_empty.store(f64::NAN.to_bits(), Relaxed);
        self.silence.store(0f64.to_bits(), Relaxed);
    }

    fn phase(&self, frames: f64, rate: u32) -> u64 {
        (frames / f64::from(rate) - self.epoch.elapsed().as_secs_f64()).to_bits()
    }

    /// Just now `frames` frames of the stream had come in.
    pub(crate) fn captured(&self, frames: u64, rate: u32) {
        self.capture.store(self.phase(frames as f64, rate), Relaxed);
    }

    /// Just now `written` frames had been given to the DAC, and `queued` of them not been played.
    pub(crate) fn played(&self, written: u64, queued: u64, rate: u32) {
        if written > queued {
            self.playback.store(self.phase((written - queued) as f64, rate), Relaxed);
            let empty = self.epoch.elapsed().as_secs_f64() + queued as f64 / f64::from(rate);
            self.dac_empty.store(empty.to_bits(), Relaxed);
        }
    }

    /// Since `played`, `frames` more were given to the DAC.
    pub(crate) fn gave(&self, frames: u64, rate: u32) {
        // Only the playback thread adds.
        let empty = f64::from_bits(self.dac_empty.load(Relaxed)) + frames as f64 / f64::from(rate);
        self.dac_empty.store(empty.to_bits(), Relaxed);
    }

    /// How long the DAC plays on with what it has been given; `None` until it plays.
    pub(crate) fn dac_lasts(&self) -> Option<Duration> {
        let left =
            f64::from_bits(self.dac_empty.load(Relaxed)) - self.epoch.elapsed().as_secs_f64();
        (!left.is_nan()).then(|| Duration::from_secs_f64(left.max(0.0)))
    }

    /// The engine was given `seconds` of silence: nothing came in.
    pub(crate) fn silence(&self, seconds: f64) {
        // Only the engine's thread adds.
        let sum = f64::from_bits(self.silence.load(Relaxed)) + seconds;
        self.silence.store(sum.to_bits(), Relaxed);
    }

    /// Sound under way in seconds; `None` until the DAC plays.
    pub(crate) fn seconds(&self) -> Option<f64> {
        let load = |number: &AtomicU64| f64::from_bits(number.load(Relaxed));
        let level = load(&self.capture) + load(&self.silence) - load(&self.playback);
        level.is_finite().then_some(level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dac_lasts_as_long_as_what_it_was_given() {
        let level = Level::default();
        level.played(30_000, 30_000, 88_200);
        level.gave(1_000, 88_200);
        assert_eq!(level.dac_lasts(), None, "it only fills");
        level.played(31_000, 8_820, 88_200);
        let near = |seconds: f64| (level.dac_lasts().unwrap().as_secs_f64() - seconds).abs() < 0.01;
        assert!(near(0.1), "{:?}", level.dac_lasts());
        level.gave(4_410, 88_200);
        assert!(near(0.15), "{:?}", level.dac_lasts());
        level.played(35_410, 0, 88_200);
        assert_eq!(level.dac_lasts(), Some(Duration::ZERO));
        level.reset();
        assert_eq!(level.dac_lasts(), None);
    }

    #[test]
    fn what_came_in_and_was_not_played_is_under_way() {
        let level = Level::default();
        assert_eq!(level.seconds(), None);
        level.captured(4_410, 44_100);
        assert_eq!(level.seconds(), None, "the DAC does not play yet");
        level.played(30_000, 30_000, 705_600);
        assert_eq!(level.seconds(), None, "it only fills");
        level.played(35_280, 28_224, 705_600);
        let near = |seconds: f64| (level.seconds().unwrap() - seconds).abs() < 0.01;
        // 100 ms in, 10 ms played, at the same moment.
        assert!(near(0.09), "{:?}", level.seconds());
        level.silence(0.05);
        assert!(near(0.14), "{:?}", level.seconds());
        level.reset();
        assert_eq!(level.seconds(), None);
    }
}
