//! The input at another rate by some parts in a million: what follows the DAC's clock where
//! nothing can make the input's own clock run faster or slower.
//!
//! `rubato`'s asynchronous resampler, a windowed sinc of [`SINC_FRAMES`] frames (Blackman-Harris
//! squared) at 256 positions between two frames and a cubic through the four nearest of them.
//! Measured in the tests below: what it adds to a sine is 190 dB below it, and 20 kHz of an input
//! of 44.1 kHz comes out 0.002 dB lower.

use audioadapter_buffers::direct::SequentialSliceOfVecs;
use rubato::{
    Adjustable, Async, FixedAsync, Resampler as _, Resizable, SincInterpolationParameters,
    WindowFunction,
};

use crate::error::Error;

/// Length of the sinc in input frames.
const SINC_FRAMES: usize = 256;

/// Positions between two frames for which the sinc is known.
const POSITIONS: usize = 256;

/// The largest change of the rate, either way: more than the control law asks for.
const LARGEST: f64 = 1.002;

/// Resamples planes of frames, as many as come. Only [`Resampler::new`] allocates.
pub(super) struct Resampler {
    inner: Async<f64>,
    made: Vec<Vec<f64>>,
    channels: usize,
}

impl Resampler {
    /// For `channels` channels and at most `frames` frames at a time.
    ///
    /// # Errors
    /// [`Error::Engine`] when it cannot be made.
    pub(super) fn new(channels: usize, frames: usize) -> Result<Self, Error> {
        let sinc = SincInterpolationParameters::new(SINC_FRAMES, WindowFunction::BlackmanHarris2)
            .oversampling_factor(POSITIONS);
        let inner = Async::new_sinc(1.0, LARGEST, &sinc, frames, channels, FixedAsync::Input)
            .map_err(|error| Error::Engine { reason: format!("the resampler: {error}") })?;
        let made = vec![vec![0.0; inner.output_frames_max()]; channels];
        Ok(Self { inner, made, channels })
    }

    /// What it delays the sound by, in frames.
    pub(super) fn delay_frames(&self) -> usize {
        self.inner.output_delay()
    }

    /// Makes `frames` frames of `planes` into 1 + `correction` times as many; on average, since
    /// what is between two frames waits for the next. The rate is led to the new one within them.
    pub(super) fn turn(
        &mut self,
        planes: &[Vec<f64>],
        frames: usize,
        correction: f64,
    ) -> (&[Vec<f64>], usize) {
        let relative = (1.0 + correction).clamp(1.0 / LARGEST, LARGEST);
        let Self { inner, made, channels } = self;
        let made_frames = made.first().map_or(0, Vec::len);
        let resampled = (|| {
            inner.set_chunk_size(frames).ok()?;
            inner.set_resample_ratio_relative(relative, true).ok()?;
            let given = SequentialSliceOfVecs::new(planes, *channels, frames).ok()?;
            let mut taken = SequentialSliceOfVecs::new_mut(made, *channels, made_frames).ok()?;
            inner.process_into_buffer(&given, &mut taken, None).ok()
        })();
        debug_assert!(resampled.is_some() || frames == 0, "{frames} frames do not fit");
        (&self.made, resampled.map_or(0, |(_, count)| count))
    }

    /// Forgets what it has heard: what comes next does not follow it.
    pub(super) fn forget(&mut self) {
        self.inner.reset();
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    const RATE: f64 = 44_100.0;
    const FRAMES: usize = 1 << 16;

    /// A sine of `hz`, resampled in pieces of many lengths.
    fn resampled(hz: f64, correction: f64) -> Vec<f64> {
        let (most, mut random) = (960, 1u64);
        let mut resampler = Resampler::new(2, most).unwrap();
        let mut planes = vec![vec![0.0; most]; 2];
        let (mut out, mut done) = (vec![], 0);
        while done < FRAMES {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let count = (1 + (random >> 33) as usize % most).min(FRAMES - done);
            for (k, sample) in planes[0][..count].iter_mut().enumerate() {
                *sample = (TAU * hz / RATE * (done + k) as f64).sin();
            }
            let (made, frames) = resampler.turn(&planes, count, correction);
            out.extend_from_slice(&made[0][..frames]);
            done += count;
        }
        out
    }

    /// The amplitude of the sine of `step` radians a frame that fits `samples` best, and what is
    /// left, as a part of it: both in dB.
    fn fitted(samples: &[f64], step: f64) -> (f64, f64) {
        let (mut cc, mut ss, mut sc, mut yc, mut ys) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (k, y) in samples.iter().enumerate() {
            let (s, c) = (step * k as f64).sin_cos();
            (cc, ss, sc) = (cc + c * c, ss + s * s, sc + s * c);
            (yc, ys) = (yc + y * c, ys + y * s);
        }
        let det = cc * ss - sc * sc;
        let (a, b) = ((yc * ss - ys * sc) / det, (ys * cc - yc * sc) / det);
        let left: f64 = samples
            .iter()
            .enumerate()
            .map(|(k, y)| {
                let (s, c) = (step * k as f64).sin_cos();
                (y - a * c - b * s).powi(2)
            })
            .sum();
        let amplitude = a.hypot(b);
        let ratio = left / samples.len() as f64 / (amplitude * amplitude / 2.0);
        (20.0 * amplitude.log10(), 10.0 * ratio.log10())
    }

    #[test]
    fn a_sine_comes_out_at_its_new_pitch_and_with_nothing_added() {
        for hz in [997.0, 10_000.0, 19_000.0, 20_000.0] {
            for correction in [-1500e-6, -1e-6, 0.0, 123e-6, 1500e-6] {
                let out = resampled(hz, correction);
                let settled = &out[2 * SINC_FRAMES + 960..];
                let (level, rest) = fitted(settled, TAU * hz / RATE / (1.0 + correction));
                println!(
                    "{hz} Hz, {:+.0} ppm: {level:+.5} dB, THD+N {rest:.1} dB",
                    correction * 1e6
                );
                assert!(level.abs() < 0.002, "{hz} Hz: {level} dB");
                assert!(rest < -170.0, "{hz} Hz, {correction}: {rest} dB");
            }
        }
    }

    #[test]
    fn as_many_frames_come_as_the_correction_says() {
        for correction in [-1500e-6, 0.0, 700e-6] {
            let wanted = FRAMES as f64 * (1.0 + correction);
            let found = resampled(997.0, correction).len() as f64;
            // The sinc reaches beyond the last frame.
            assert!((found - wanted).abs() <= SINC_FRAMES as f64 / 2.0, "{found} of {wanted}");
        }
    }

    #[test]
    fn a_step_comes_out_after_the_delay_and_nothing_of_it_after_it_is_forgotten() {
        let mut resampler = Resampler::new(1, 1024).unwrap();
        let delay = resampler.delay_frames();
        let planes = vec![vec![1.0; 1024]];
        let (made, count) = resampler.turn(&planes, 1024, 0.0);
        let first = made[0][..count].iter().position(|sample| *sample > 0.5).unwrap();
        assert!(first.abs_diff(delay) <= 1, "{first} of {delay}");
        resampler.forget();
        let (made, count) = resampler.turn(&[vec![0.0; 1024]], 1024, 0.0);
        assert!(made[0][..count].iter().all(|sample| *sample == 0.0));
    }
}
