//! The capture thread: device → samples → ring.

use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use super::flow::Flow;
use super::orders::Orders;
use super::resample::Resampler;
use super::ring::FrameWriter;
use super::tap::Tap;
use crate::device::{CaptureDevice, Layout};
use crate::error::Error;
use crate::sample::decode;

/// How long one wait for the device may take.
const WAIT: Duration = Duration::from_millis(20);

/// The longest wait for a frame until the input counts as idle.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The shortest wait for the device.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// How often to look whether the host has gone back to the stream's rate.
const RATE_WAIT: Duration = Duration::from_millis(5);

/// Frames that are taken from a device of this layout at a time, at most.
pub(super) fn burst_frames(layout: &Layout) -> usize {
    layout.period_frames.max(1) * 4
}

/// When an input without frames counts as idle: the engine is then given silence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    /// No wait shorter than this is one.
    shortest: Duration,
    /// A wait of this length is one.
    limit: Duration,
    /// So long does the DAC play on, at the least, when the engine gets its first block of
    /// silence: where it holds less than usual, a shorter wait is a pause.
    reserve: Duration,
}

impl Pause {
    /// Of an input that delivers every `period`, to a DAC that holds `prefill` on average while
    /// blocks of `block` come and go.
    ///
    /// A host that plays sends every millisecond; aloop delivers at least each period. When the
    /// last frames have come the DAC may hold as little as `prefill - block / 2`. Half of that is
    /// left for the engine's first block of silence, so that the DAC does not run dry; but two
    /// periods are no pause, however little it holds.
    pub(super) fn new(prefill: Duration, block: Duration, period: Duration) -> Self {
        let reserve = (prefill.saturating_sub(block / 2) / 2).min(LONGEST_PAUSE);
        let shortest = 2 * period;
        Self { shortest, limit: reserve.max(shortest), reserve }
    }

    /// How long to wait on until it is a pause, after `waited` and with a DAC that still
    /// `lasts` so long, where that is known.
    fn due_in(&self, waited: Duration, lasts: Option<Duration>) -> Duration {
        let limit = self.limit.saturating_sub(waited);
        let Some(lasts) = lasts else { return limit };
        lasts.saturating_sub(self.reserve).max(self.shortest.saturating_sub(waited)).min(limit)
    }
}

/// Takes frames from `device` until ordered to end, through the `resampler` where there is one; says
/// that it is idle after a `pause` without any.
pub(super) fn run(
    mut device: Box<dyn CaptureDevice>,
    mut resampler: Option<Resampler>,
    pause: Pause,
    mut ring: FrameWriter,
    tap: &Tap,
    flow: &Flow,
    orders: &Orders,
) -> Result<(), Error> {
    let layout = device.layout().clone();
    let frames = burst_frames(&layout);
    let mut bytes = vec![0; frames * layout.frame_bytes()];
    let mut planes = vec![vec![0.0; frames]; layout.channels];
    // The largest positive value of the format.
    let full_scale = 1.0 - 0.5f64.powi(layout.format.bits() as i32 - 1);
    device.start()?;
    let mut heard = Instant::now();
    let mut captured = 0;
    while !orders.ended() {
        flow.capture_turns.fetch_add(1, Relaxed);
        let due_in = || pause.due_in(heard.elapsed(), flow.level.dac_lasts());
        let wait = if flow.is_idle() { WAIT } else { due_in().clamp(SHORTEST_WAIT, WAIT) };
        let count = match device.read(&mut bytes, wait) {
            Ok(_) if flow.rate_is_foreign.load(Relaxed) => {
                leave_out(flow, &ring);
                continue;
            }
            Ok(0) => {
                // Said only after the device has been asked and had nothing: a machine that stood
                // still for a while finds frames waiting when it comes back.
                if due_in().is_zero() && !flow.input_idle.swap(true, Relaxed) {
                    flow.input_pauses.fetch_add(1, Relaxed);
                    if let Some(resampler) = &mut resampler {
                        resampler.forget();
                    }
                    ring.wake_reader();
                }
                continue;
            }
            Ok(count) => count,
            Err(Error::Xrun { .. }) => {
                flow.capture_xruns.fetch_add(1, Relaxed);
                continue;
            }
            Err(Error::RateChanged { .. }) => {
                leave_out(flow, &ring);
                continue;
            }
            Err(error) => return Err(error),
        };
        heard = Instant::now();
        flow.input_idle.store(false, Relaxed);
        flow.rate_changed.store(false, Relaxed);
        decode(layout.format, &bytes[..count * layout.frame_bytes()], &mut planes);
        flow.input_meter.note(&planes, count);
        tap.note(&planes, count);
        let at_full_scale = count_from(full_scale, &planes, count);
        flow.input_full_scale_samples.fetch_add(at_full_scale, Relaxed);
        let (planes, count) = match &mut resampler {
            Some(resampler) => resampler.turn(&planes, count, flow.resampling.get()),
            None => (&planes[..], count),
        };
        captured += count as u64;
        flow.level.captured(captured, layout.rate);
        flow.to_engine.note(&ring);
        let mut written = 0;
        // While the engine is behind, the device's buffer fills, overruns, and that is counted.
        while written < count && !orders.ended() {
            match ring.write(planes, written..count) {
                0 => ring.wait(WAIT),
                done => written += done,
            }
        }
        flow.input_frames.fetch_add(written as u64, Relaxed);
    }
    Ok(())
}

/// What the host sends now, at another rate, is not for this stream. The supervisor sees it too.
fn leave_out(flow: &Flow, ring: &FrameWriter) {
    flow.input_idle.store(true, Relaxed);
    flow.rate_changed.store(true, Relaxed);
    ring.wake_reader();
    thread::sleep(RATE_WAIT);
}

/// Samples among the first `frames` frames whose magnitude is at least `level`.
fn count_from(level: f64, planes: &[Vec<f64>], frames: usize) -> u64 {
    let loud = |plane: &Vec<f64>| plane[..frames].iter().filter(|s| s.abs() >= level).count();
    planes.iter().map(loud).sum::<usize>() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: f64) -> Duration {
        Duration::from_secs_f64(ms / 1000.0)
    }

    #[test]
    fn a_pause_is_noticed_while_the_dac_holds_enough_for_a_block_of_silence() {
        for prefill in [20.0, 50.0, 100.0, 400.0] {
            for block in [1.0, 5.0, 10.0, 20.0] {
                let after = Pause::new(ms(prefill), ms(block), ms(1.0)).limit;
                let least = ms(prefill - block / 2.0);
                assert!(
                    after <= least / 2 && after <= LONGEST_PAUSE,
                    "{prefill} {block}: {after:?}"
                );
            }
        }
        // The defaults at 44.1 kHz.
        let after = Pause::new(ms(100.0), ms(23.2), ms(5.0)).limit;
        assert!(after > ms(44.0) && after < ms(45.0), "{after:?}");
        // One period late is no pause.
        assert_eq!(Pause::new(ms(20.0), ms(20.0), ms(10.0)).limit, ms(20.0));
    }

    #[test]
    fn a_pause_is_noticed_sooner_where_the_dac_holds_less() {
        let pause = Pause::new(ms(100.0), ms(20.0), ms(5.0));
        let due_in = |waited: f64, lasts: f64| pause.due_in(ms(waited), Some(ms(lasts)));
        assert_eq!(pause.due_in(ms(30.0), None), ms(15.0), "the DAC only fills");
        // It plays on for 45 ms when the silence is due.
        assert_eq!(due_in(5.0, 75.0), ms(30.0));
        assert_eq!(due_in(35.0, 45.0), ms(0.0));
        // Never later than without that knowledge, and never within two periods.
        assert_eq!(due_in(5.0, 300.0), ms(40.0));
        assert_eq!(due_in(45.0, 300.0), ms(0.0));
        assert_eq!(due_in(5.0, 0.0), ms(5.0));
        assert_eq!(due_in(10.0, 0.0), ms(0.0));
    }
}
