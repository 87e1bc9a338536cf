//! The playback thread: ring → gain → samples → device.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::flow::Flow;
use super::gain::output::Output;
use super::orders::Orders;
use super::ring::FrameReader;
use super::tap::Tap;
use crate::device::PlaybackDevice;
use crate::dither::Dither;
use crate::error::Error;
use crate::sample::encode;

const WAIT: Duration = Duration::from_millis(20);

/// A DAC that takes nothing for this long is given up and opened anew.
const STALLED_AFTER: Duration = Duration::from_secs(2);

/// How long to wait, when fading out, for sound that the engine still owes.
const FADE_PATIENCE: Duration = Duration::from_millis(100);

/// Nobody hears what is below this, -140 dBFS.
const SILENT: f64 = 1e-7;

/// How long the DAC may take to play what it holds at the end.
const DRAIN_LIMIT: Duration = Duration::from_millis(700);

/// Gives frames to `device` until ordered to end: then fades out and drains.
pub(super) fn run(
    mut device: Box<dyn PlaybackDevice>,
    mut ring: FrameReader,
    tap: &Tap,
    flow: &Flow,
    orders: &Orders,
) -> Result<(), Error> {
    let layout = device.layout().clone();
    let period = layout.period_frames.max(1);
    let mut planes = vec![vec![0.0; period]; layout.channels];
    let mut bytes = vec![0; period * layout.frame_bytes()];
    let mut dither = Dither::to_bits(layout.significant_bits, layout.channels);
    let mut chain = Output::from_silence(layout.rate, layout.channels);
    let mut fading_since: Option<Instant> = None;
    let mut written = 0;
    let mut silent = 0;
    while !orders.ended() {
        if orders.fading() {
            fading_since.get_or_insert_with(Instant::now);
        }
        let frames = ring.read(&mut planes, 0..period);
        let queued = device.queued_frames() as u64;
        flow.queued_frames.store(queued, Relaxed);
        flow.level.played(written, queued, layout.rate);
        if fading_since
            .is_some_and(|t| chain.is_silent() || (frames == 0 && t.elapsed() > FADE_PATIENCE))
        {
            // Silence need not be played to its end: the next stream comes the sooner.
            device.drain(DRAIN_LIMIT, silent);
            return Ok(());
        }
        if frames == 0 {
            ring.wait(WAIT);
            continue;
        }
        let encoded = &mut bytes[..frames * layout.frame_bytes()];
        if !dither.is_on() && is_silence(&planes, frames) {
            // Most of a day: nothing is computed for it.
            chain.pass(frames, &flow.wishes, fading_since.is_some());
            flow.output_meter.note_silence(frames);
            silent += frames;
            encoded.fill(0);
        } else {
            let limited = chain.apply(&mut planes, frames, &flow.wishes, fading_since.is_some());
            flow.limited_samples.fetch_add(limited, Relaxed);
            flow.output_meter.note(&planes, frames);
            silent = silent_at_end(&planes, frames, silent);
            let clipped = encode(layout.format, &planes, 0..frames, encoded, &mut dither);
            flow.clipped_samples.fetch_add(clipped, Relaxed);
        }
        tap.note(&planes, frames);
        let given = write_all(device.as_mut(), encoded, flow, orders)?;
        flow.level.gave(given, layout.rate);
        written += given;
    }
    Ok(())
}

/// Whether the first `frames` frames are digital silence. A comparison of integers: the sign of a
/// zero does not matter.
fn is_silence(planes: &[Vec<f64>], frames: usize) -> bool {
    planes.iter().all(|plane| plane[..frames].iter().all(|sample| sample.to_bits() << 1 == 0))
}

/// Frames of silence at the end of what has been played, when the first `frames` of `planes`
/// come after `before` of them.
fn silent_at_end(planes: &[Vec<f64>], frames: usize, before: usize) -> usize {
    let loud = |plane: &Vec<f64>| plane[..frames].iter().rposition(|x| x.abs() > SILENT);
    match planes.iter().filter_map(loud).max() {
        Some(last) => frames - 1 - last,
        None => before + frames,
    }
}

/// Writes all of `bytes`, through xruns; tells how many frames.
fn write_all(
    device: &mut dyn PlaybackDevice,
    mut bytes: &[u8],
    flow: &Flow,
    orders: &Orders,
) -> Result<u64, Error> {
    let frame_bytes = device.layout().frame_bytes();
    let mut moved = Instant::now();
    let mut written = 0;
    while !bytes.is_empty() && !orders.ended() {
        match device.write(bytes, WAIT) {
            Ok(0) => {
                let waited = moved.elapsed();
                if waited >= STALLED_AFTER {
                    return Err(Error::DeviceStalled {
                        device: device.layout().name.clone(),
                        waited,
                    });
                }
            }
            Ok(frames) => {
                bytes = &bytes[frames * frame_bytes..];
                written += frames as u64;
                flow.output_frames.fetch_add(frames as u64, Relaxed);
                moved = Instant::now();
            }
            Err(Error::Xrun { .. }) => {
                flow.playback_xruns.fetch_add(1, Relaxed);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_zero_of_either_sign_and_nothing_else() {
        assert!(is_silence(&[vec![0.0, -0.0, 1.0], vec![0.0; 3]], 2));
        for sound in [f64::MIN_POSITIVE, -1e-300, 5e-324, f64::NAN] {
            assert!(!is_silence(&[vec![0.0, 0.0], vec![0.0, sound]], 2), "{sound}");
        }
    }

    #[test]
    fn silence_counts_from_the_last_loud_frame_of_any_channel() {
        let planes = [vec![0.5, 0.0, 0.0, 1e-8], vec![0.0, -0.1, 0.0, 0.0]];
        assert_eq!(silent_at_end(&planes, 4, 7), 2);
        assert_eq!(silent_at_end(&planes, 2, 7), 0);
        assert_eq!(silent_at_end(&[vec![0.0; 4], vec![1e-8; 4]], 3, 7), 10);
    }
}
