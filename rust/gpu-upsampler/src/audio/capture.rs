//! The capture thread: device → samples → ring.

use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use super::flow::Flow;
use super::ring::FrameWriter;
use super::stream::Orders;
use super::tap::Tap;
use crate::device::{CaptureDevice, Layout};
use crate::error::Error;
use crate::sample::decode;

/// How long one wait for the device may take.
const WAIT: Duration = Duration::from_millis(20);

/// After this time without a frame the input counts as idle. A host that plays
/// sends every millisecond; aloop delivers at least each period.
const IDLE_AFTER: Duration = Duration::from_millis(50);

/// How often to look whether the host has gone back to the stream's rate.
const RATE_WAIT: Duration = Duration::from_millis(5);

/// Frames that are taken from a device of this layout at a time, at most.
pub(super) fn burst_frames(layout: &Layout) -> usize {
    layout.period_frames.max(1) * 4
}

/// Takes frames from `device` until ordered to end.
pub(super) fn run(
    mut device: Box<dyn CaptureDevice>,
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
        let count = match device.read(&mut bytes, WAIT) {
            Ok(0) => {
                // Said only after the device has been asked and had nothing: a machine that stood
                // still for a while finds frames waiting when it comes back.
                if heard.elapsed() >= IDLE_AFTER && !flow.input_idle.swap(true, Relaxed) {
                    flow.input_pauses.fetch_add(1, Relaxed);
                }
                continue;
            }
            Ok(count) => {
                captured += count as u64;
                flow.level.captured(captured, layout.rate);
                count
            }
            Err(Error::Xrun { .. }) => {
                flow.capture_xruns.fetch_add(1, Relaxed);
                continue;
            }
            // What the host sends now is not for this stream. The supervisor sees it too.
            Err(Error::RateChanged { .. }) => {
                flow.input_idle.store(true, Relaxed);
                flow.rate_changed.store(true, Relaxed);
                thread::sleep(RATE_WAIT);
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
        flow.to_engine.note(&ring);
        let mut written = 0;
        // While the engine is behind, the device's buffer fills, overruns, and that is counted.
        while written < count && !orders.ended() {
            match ring.write(&planes, written..count) {
                0 => ring.wait(WAIT),
                done => written += done,
            }
        }
        flow.input_frames.fetch_add(written as u64, Relaxed);
    }
    Ok(())
}

/// Samples among the first `frames` frames whose magnitude is at least `level`.
fn count_from(level: f64, planes: &[Vec<f64>], frames: usize) -> u64 {
    let loud = |plane: &Vec<f64>| plane[..frames].iter().filter(|s| s.abs() >= level).count();
    planes.iter().map(loud).sum::<usize>() as u64
}
