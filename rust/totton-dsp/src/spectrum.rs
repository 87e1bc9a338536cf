//! A moment of sound by frequency.
//!
//! The frames are weighted with the seven-term Blackman-Harris window (coefficients:
//! H.-H. Albrecht, "A family of cosine-sum windows for high-resolution
//! measurements", ICASSP 2001). Its side lobes lie 180 dB below a tone, its main lobe is
//! 2.6 bins wide and so close to a bell curve that a parabola through three levels in dB
//! finds a tone between two bins within 0.01 dB.
//!
//! Levels are those of sines: a sine of amplitude 1 has 0 dB. Noise of one power reads
//! lower in narrow bands than in wide ones, and depends on the number of frames.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// Bands of a spectrum.
pub const BANDS: usize = 256;

/// The lowest band in Hz.
pub const LOW_HZ: f64 = 20.0;

/// The level of silence in dB: below it nothing is told.
pub const FLOOR_DB: f64 = -200.0;

/// The most that a tone between two bins loses in each, in dB, rounded up.
const SCALLOP_DB: f64 = 0.5;

const WINDOW: [f64; 7] = [
    0.271_051_400_693_42,
    -0.433_297_939_234_48,
    0.218_122_999_543_11,
    -0.065_925_446_388_03,
    0.010_811_742_098_37,
    -0.000_776_584_825_22,
    0.000_013_887_217_35,
];

/// The highest band in Hz of a sound of `rate` Hz: half the rate.
#[must_use]
pub fn high_hz(rate: u32) -> f64 {
    f64::from(rate) / 2.0
}

/// Frames of one spectrum at `rate` Hz: a power of two, at least a sixth of a second. Rates of one
/// family get bins of the same width: 5.4 or 5.9 Hz.
#[must_use]
pub fn frames(rate: u32) -> usize {
    (rate as usize / 6).max(64).next_power_of_two()
}

/// Takes sound of one rate apart into [`BANDS`] bands, evenly spaced on a logarithmic scale from
/// [`LOW_HZ`] to half the rate. All memory is allocated when it is made, but for the answers.
pub struct Analyser {
    transform: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    time: Vec<f32>,
    bins: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    /// Of each bin, of the channel that has most of it.
    powers: Vec<f32>,
    bands: Vec<Band>,
    /// The power of a bin that a sine of amplitude 1 is right at.
    full_scale: f64,
}

/// Where a band lies, in bins.
#[derive(Debug, Clone, Copy)]
struct Band {
    low: f64,
    centre: f64,
    high: f64,
}

impl Analyser {
    /// An analyser for sound of `rate` Hz.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        let frames = frames(rate);
        let transform = RealFftPlanner::new().plan_fft_forward(frames);
        let window: Vec<f32> = (0..frames).map(|n| weight(n, frames)).collect();
        let sum: f64 = window.iter().map(|weight| f64::from(*weight)).sum();
        Self {
            time: transform.make_input_vec(),
            bins: transform.make_output_vec(),
            scratch: transform.make_scratch_vec(),
            powers: vec![0.0; frames / 2 + 1],
            bands: bands(rate, frames),
            // A sine's power is shared by its two frequencies.
            full_scale: (sum / 2.0).powi(2),
            transform,
            window,
        }
    }

    /// Frames that it takes at a time.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.window.len()
    }

    /// The level in each band in dB, of the channel that is loudest there: of a band wider than a
    /// bin the highest. Each channel has [`Analyser::frames`] frames. What is constant is left out;
    /// a sample that is not finite counts as silence.
    ///
    /// # Panics
    /// When a channel has another number of frames.
    pub fn levels(&mut self, channels: &[Vec<f32>]) -> Vec<f64> {
        self.powers.fill(0.0);
        for channel in channels {
            self.weigh(channel);
            if self.time.iter().all(|sample| *sample == 0.0) {
                continue;
            }
            let done = self.transform.process_with_scratch(
                &mut self.time,
                &mut self.bins,
                &mut self.scratch,
            );
            debug_assert!(done.is_ok(), "the lengths are those that it has itself made");
            for (power, bin) in self.powers.iter_mut().zip(&self.bins) {
                *power = power.max(bin.norm_sqr());
            }
        }
        self.bands.iter().map(|band| self.level(*band)).collect()
    }

    /// Puts the weighted samples of `channel` in place, without what is constant in them.
    fn weigh(&mut self, channel: &[f32]) {
        assert_eq!(channel.len(), self.window.len(), "frames of a spectrum");
        let finite = |sample: &f32| if sample.is_finite() { *sample } else { 0.0 };
        let (mut sum, mut weights) = (0.0, 0.0);
        for (sample, weight) in channel.iter().zip(&self.window) {
            sum += f64::from(finite(sample) * weight);
            weights += f64::from(*weight);
        }
        let mean = (sum / weights) as f32;
        for ((to, sample), weight) in self.time.iter_mut().zip(channel).zip(&self.window) {
            *to = (finite(sample) - mean) * weight;
        }
    }

    /// The highest level of a band in dB.
    fn level(&self, band: Band) -> f64 {
        let last = self.powers.len() - 1;
        let within = |bin: f64| (bin.max(1.0) as usize).min(last);
        // A tone within the band may be loudest in a bin just outside of it.
        let near = within((band.low - 0.5).ceil())..=within((band.high + 0.5).floor());
        let mut level = self.between(band.centre);
        let mut loudest = *near.start();
        for bin in near {
            if self.powers[bin] > self.powers[loudest] {
                loudest = bin;
            }
            if (band.low..band.high).contains(&(bin as f64)) {
                level = level.max(self.decibels(bin));
            }
        }
        match self.peak(loudest) {
            Some((bin, peak)) if (band.low..band.high).contains(&bin) => level.max(peak),
            _ => level,
        }
    }

    fn decibels(&self, bin: usize) -> f64 {
        (10.0 * (f64::from(self.powers[bin]) / self.full_scale).log10()).max(FLOOR_DB)
    }

    /// The levels in dB at `bin` and at its neighbours, where it has two that are not constant.
    fn around(&self, bin: usize) -> Option<[f64; 3]> {
        let inner = 2..self.powers.len() - 1;
        inner.contains(&bin).then(|| [bin - 1, bin, bin + 1].map(|bin| self.decibels(bin)))
    }

    /// The level in dB at a frequency in bins, by the parabola through the next three.
    fn between(&self, bin: f64) -> f64 {
        let nearest = (bin.round() as usize).clamp(1, self.powers.len() - 1);
        let Some([before, at, after]) = self.around(nearest) else {
            return self.decibels(nearest);
        };
        let x = bin - nearest as f64;
        let level = at + x * (after - before) / 2.0 + x * x * ((before + after) / 2.0 - at);
        let (lowest, highest) = (before.min(at).min(after), before.max(at).max(after));
        level.clamp(lowest, highest + SCALLOP_DB)
    }

    /// Where in bins and how loud in dB the tone is whose loudest bin is `bin`.
    fn peak(&self, bin: usize) -> Option<(f64, f64)> {
        let [before, at, after] = self.around(bin)?;
        let curve = before - 2.0 * at + after;
        if before > at || after > at || curve >= 0.0 {
            return None;
        }
        let x = (before - after) / (2.0 * curve);
        // In noise the neighbours may be far lower than any tone's: no parabola fits them.
        let rise = (-(before - after) * x / 4.0).min(SCALLOP_DB);
        Some((bin as f64 + x, at + rise))
    }
}

fn weight(n: usize, frames: usize) -> f32 {
    let phase = std::f64::consts::TAU * n as f64 / frames as f64;
    let terms = WINDOW.iter().enumerate();
    terms.map(|(k, term)| term * (k as f64 * phase).cos()).sum::<f64>() as f32
}

fn bands(rate: u32, frames: usize) -> Vec<Band> {
    let step = (high_hz(rate) / LOW_HZ).powf(1.0 / (BANDS - 1) as f64);
    let half = step.sqrt();
    let bins_a_hz = frames as f64 / f64::from(rate);
    (0..BANDS)
        .map(|band| {
            let centre = LOW_HZ * step.powi(band as i32) * bins_a_hz;
            Band { low: centre / half, centre, high: centre * half }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frequencies of the bands in Hz.
    fn frequencies(rate: u32) -> Vec<f64> {
        let step = (high_hz(rate) / LOW_HZ).powf(1.0 / (BANDS - 1) as f64);
        (0..BANDS).map(|band| LOW_HZ * step.powi(band as i32)).collect()
    }

    fn tone(rate: u32, hz: f64, amplitude: f64) -> Vec<f32> {
        let step = std::f64::consts::TAU * hz / f64::from(rate);
        (0..frames(rate)).map(|n| (amplitude * (step * n as f64 + 0.3).sin()) as f32).collect()
    }

    fn loudest(levels: &[f64]) -> (usize, f64) {
        let all = levels.iter().copied().enumerate();
        all.max_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap()
    }

    #[test]
    fn a_sine_stands_at_its_frequency_with_its_level_wherever_it_falls_between_the_bins() {
        for rate in [44_100, 192_000, 705_600] {
            let (mut analyser, frequencies) = (Analyser::new(rate), frequencies(rate));
            let spacing = frequencies[1] / frequencies[0];
            for number in 0..60 {
                // From 25 Hz to 0.45 of the rate, each somewhere else within its bin.
                let part = f64::from(number) / 59.0;
                let hz = 25.0 * (0.45 * f64::from(rate) / 25.0).powf(part);
                let levels = analyser.levels(&[tone(rate, hz, 0.5)]);
                let (band, level) = loudest(&levels);
                assert!((level + 6.0206).abs() < 0.05, "{hz} Hz of {rate}: {level} dB");
                let ratio = (frequencies[band] / hz).max(hz / frequencies[band]);
                assert!(ratio < spacing.sqrt() * 1.001, "{hz} Hz at {} Hz", frequencies[band]);
            }
        }
    }

    #[test]
    fn full_scale_is_zero_and_a_tone_leaks_nowhere() {
        for (rate, hz) in [(44_100, 997.3), (705_600, 18_000.7)] {
            let levels = Analyser::new(rate).levels(&[tone(rate, hz, 1.0)]);
            assert!(loudest(&levels).1.abs() < 0.02, "{:?}", loudest(&levels));
            // Seven bins on either side belong to the main lobe.
            let lobe = 8.0 * f64::from(rate) / frames(rate) as f64;
            for (frequency, level) in frequencies(rate).into_iter().zip(&levels) {
                let spacing = 1.04;
                let far = frequency * spacing < hz - lobe || frequency > (hz + lobe) * spacing;
                assert!(!far || *level < -140.0, "{hz} Hz leaks {level} dB to {frequency} Hz");
            }
        }
    }

    #[test]
    fn a_sound_above_the_bands_of_a_low_rate_is_seen_at_a_high_one() {
        let (rate, hz) = (705_600, 300_000.0);
        let levels = Analyser::new(rate).levels(&[tone(rate, hz, 0.001)]);
        let (band, level) = loudest(&levels);
        assert!((level + 60.0).abs() < 0.05 && band > 245, "{band}: {level}");
    }

    #[test]
    fn silence_and_a_constant_are_at_the_floor() {
        let mut analyser = Analyser::new(48_000);
        let frames = analyser.frames();
        assert_eq!(analyser.levels(&[vec![0.0; frames]]), [FLOOR_DB; BANDS]);
        assert_eq!(analyser.levels(&[]), [FLOOR_DB; BANDS]);
        let levels = analyser.levels(&[vec![0.5; frames]]);
        assert!(levels.iter().all(|level| *level < -140.0), "{levels:?}");
    }

    #[test]
    fn each_band_is_that_of_its_loudest_channel() {
        let mut analyser = Analyser::new(48_000);
        let (low, high) = (tone(48_000, 100.0, 0.1), tone(48_000, 5000.0, 1.0));
        let opposite: Vec<f32> = low.iter().map(|sample| -sample).collect();
        let alone = analyser.levels(std::slice::from_ref(&low));
        assert_eq!(analyser.levels(&[low.clone(), opposite]), alone, "nothing cancels");
        let both = analyser.levels(&[low, high]);
        assert!(loudest(&both).1.abs() < 0.02);
        let below = frequencies(48_000).iter().position(|hz| *hz > 1000.0).unwrap();
        assert!((loudest(&both[..below]).1 + 20.0).abs() < 0.02);
    }

    #[test]
    fn what_is_not_finite_counts_as_silence() {
        let mut analyser = Analyser::new(48_000);
        let mut samples = tone(48_000, 1000.0, 1.0);
        (samples[5], samples[77]) = (f32::NAN, f32::INFINITY);
        let (_, level) = loudest(&analyser.levels(&[samples]));
        assert!(level.abs() < 0.02, "{level}");
    }

    #[test]
    fn noise_is_told_by_its_power_in_a_bin_and_never_above_it() {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (f64::from((state >> 33) as i32 - (1 << 30)) / 2f64.powi(30)) as f32
        };
        let mut analyser = Analyser::new(48_000);
        let samples: Vec<f32> = (0..analyser.frames()).map(|_| next()).collect();
        let levels = analyser.levels(&[samples]);
        // Uniform from -1 to 1 has a power of 1/3, a bin of this window that of 2.63 bins' width:
        // two thirds of it over half the frames, against a sine's of one half.
        let bin = 10.0 * (2.0 / 3.0 * 2.63 / (analyser.frames() as f64 / 2.0)).log10();
        let (_, highest) = loudest(&levels);
        assert!(highest < bin + 12.0, "{highest} dB, a bin has {bin}");
        let wide = levels[128..].iter().sum::<f64>() / 128.0;
        assert!((bin..bin + 10.0).contains(&wide), "{wide} dB, a bin has {bin}");
    }
}
