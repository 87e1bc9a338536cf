//! Crossfeed for headphones after Benjamin Bauer, with the coefficients of bs2b.
//!
//! Each side is the sum of its own sound through a high-boost and the other
//! side's through a low-pass, both of one pole. The formulas are those of `init()`
//! and `cross_feed_d()` in libbs2b 3.1 (Boris Mikhaylov,
//! <http://bs2b.sourceforge.net/>), here in `f64`.

use std::f64::consts::PI;

/// The coefficients for one cut-off, level and rate.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Coefficients {
    a0_low: f64,
    b1_low: f64,
    a0_high: f64,
    a1_high: f64,
    b1_high: f64,
    gain: f64,
}

impl Coefficients {
    /// `cut_hz` is the low-pass' cut-off in Hz; `feed_db` how much lower the other side is at low
    /// frequencies, in dB; `rate` in Hz.
    fn new(cut_hz: f64, feed_db: f64, rate: f64) -> Self {
        let low_db = feed_db * -5.0 / 6.0 - 3.0;
        let high_db = feed_db / 6.0 - 3.0;
        let low = 10f64.powf(low_db / 20.0);
        let high = 1.0 - 10f64.powf(high_db / 20.0);
        let cut_high_hz = cut_hz * 2f64.powf((low_db - 20.0 * high.log10()) / 12.0);
        let x_low = (-2.0 * PI * cut_hz / rate).exp();
        let x_high = (-2.0 * PI * cut_high_hz / rate).exp();
        Self {
            a0_low: low * (1.0 - x_low),
            b1_low: x_low,
            a0_high: 1.0 - high * (1.0 - x_high),
            a1_high: -x_high,
            b1_high: x_high,
            gain: 1.0 / (1.0 - high + low),
        }
    }
}

/// A crossfeed and its memory.
#[derive(Debug, Clone)]
pub struct Crossfeed {
    coefficients: Coefficients,
    low: [f64; 2],
    high: [f64; 2],
    before: [f64; 2],
}

impl Crossfeed {
    /// Cut-off in Hz, level in dB, rate in Hz.
    pub fn new(cut_hz: f64, feed_db: f64, rate: u32) -> Self {
        let coefficients = Coefficients::new(cut_hz, feed_db, f64::from(rate));
        Self { coefficients, low: [0.0; 2], high: [0.0; 2], before: [0.0; 2] }
    }

    /// One frame, left and right.
    pub fn frame(&mut self, input: [f64; 2]) -> [f64; 2] {
        let Coefficients { a0_low, b1_low, a0_high, a1_high, b1_high, gain } = self.coefficients;
        // A sample that is no number must not stay in the memory for ever.
        let input = input.map(|sample| if sample.is_finite() { sample } else { 0.0 });
        for (side, sample) in input.into_iter().enumerate() {
            self.low[side] = a0_low * sample + b1_low * self.low[side];
            self.high[side] =
                a0_high * sample + a1_high * self.before[side] + b1_high * self.high[side];
            self.before[side] = sample;
        }
        [gain * (self.high[0] + self.low[1]), gain * (self.high[1] + self.low[0])]
    }
}

/// The most that a crossfeed can bring out of inputs of full scale, as an
/// amplitude: the sum of the magnitudes of both impulse responses.
///
/// The high-boost's is `1 - g (1 - x)`, then `-g (1 - x) xⁿ` for n = 1, 2...,
/// where `g` is its `high` and `x` its pole: in total `1 - g + 2 g x`.
pub fn worst_case_gain(cut_hz: f64, feed_db: f64, rate: u32) -> f64 {
    let Coefficients { a0_low, b1_low, a0_high, b1_high: x, gain, .. } =
        Coefficients::new(cut_hz, feed_db, f64::from(rate));
    let high = (1.0 - a0_high) / (1.0 - x);
    let low = a0_low / (1.0 - b1_low);
    gain * (1.0 - high + 2.0 * high * x + low)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gain from the left to the left and to the right side at `hz`, by the discrete sum.
    fn gains(cut_hz: f64, feed_db: f64, hz: f64) -> [f64; 2] {
        let rate = 44_100;
        let mut crossfeed = Crossfeed::new(cut_hz, feed_db, rate);
        let mut sums = [(0.0, 0.0); 2];
        for n in 0..20_000 {
            let out = crossfeed.frame([if n == 0 { 1.0 } else { 0.0 }, 0.0]);
            let angle = 2.0 * PI * hz * f64::from(n) / f64::from(rate);
            for (sum, sample) in sums.iter_mut().zip(out) {
                sum.0 += sample * angle.cos();
                sum.1 -= sample * angle.sin();
            }
        }
        sums.map(|(re, im)| re.hypot(im))
    }

    #[test]
    fn at_low_frequencies_the_other_side_is_lower_by_the_level() {
        for (cut_hz, feed_db) in [(700.0, 4.5), (700.0, 6.0), (650.0, 9.5)] {
            let [own, other] = gains(cut_hz, feed_db, 0.0);
            let difference = 20.0 * (own / other).log10();
            assert!((difference - feed_db).abs() < 1e-6, "{difference} dB");
            // Both sides together are what they were.
            assert!((own + other - 1.0).abs() < 1e-6, "{own} + {other}");
        }
    }

    #[test]
    fn high_frequencies_stay_on_their_side() {
        let [own, other] = gains(700.0, 4.5, 15_000.0);
        assert!(20.0 * (other / own).log10() < -25.0, "{own} {other}");
    }

    #[test]
    fn the_coefficients_are_those_of_bs2b() {
        // At its default level (700 Hz, 4.5 dB) and 44.1 kHz, computed with another program.
        let c = Coefficients::new(700.0, 4.5, 44_100.0);
        let expected =
            [0.043_637_767_9, 0.905_078_951_3, 0.969_844_562_0, -0.867_860_136_3, 0.812_005_663_5];
        let found = [c.a0_low, c.b1_low, c.a0_high, c.a1_high, c.gain];
        for (found, expected) in found.into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }

    #[test]
    fn the_worst_case_is_reached_and_not_exceeded() {
        let (rate, mut crossfeed) = (44_100, Crossfeed::new(700.0, 4.5, 44_100));
        let mut responses = [vec![], vec![]];
        for n in 0..10_000 {
            let out = crossfeed.frame([if n == 0 { 1.0 } else { 0.0 }, 0.0]);
            responses[0].push(out[0]);
            responses[1].push(out[1]);
        }
        // The input that brings out the most: each sample of the sign that adds.
        let sum: f64 = responses.iter().flatten().map(|sample: &f64| sample.abs()).sum();
        assert!((sum - worst_case_gain(700.0, 4.5, rate)).abs() < 1e-9, "{sum}");
    }
}
