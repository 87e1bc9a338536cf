//! The zeros that make the cepstrum of a floored magnitude long.
//!
//! The power of a linear-phase prototype with the amplitude A, floored, is
//! `A^2 + floor`. Its zeros are where A is plus or minus `i sqrt(floor)`. Those
//! nearest to the unit circle are a chain that starts where the transition band meets
//! the floor: there A falls by a factor e over the angle `1 / slope`, and the first
//! zero lies `pi / 2` of these off the circle, the second three times as far. A zero
//! at the distance d adds `exp(-d n) / n` to the cepstrum, so that a handful of them
//! decides how long a transform must be.
//!
//! They are few and simple, so they need no transform: [`Corner::find`] follows the
//! chain by Newton's method on the taps, their part is taken out of the logarithm, and
//! what they add to the logarithm of the minimum-phase response is put back as the
//! formula that it is. A zero that is not quite where it was found costs nothing but
//! a longer rest: what is taken out and what is put back are one and the same.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use rustfft::num_complex::Complex;

/// The most zeros (with their conjugates: pairs) that are followed.
const MOST: usize = 24;

/// Newton's method ends after this many steps, or after a step that is this part of the
/// distance to the circle.
const STEPS: usize = 30;
const CLOSE_ENOUGH: f64 = 1e-4;

/// Taps between two values of the exponential that are not made from their neighbours.
const RECKONED: usize = 32;

/// A pair of zeros at `exp(-depth + i angle)` and its conjugate, as their factor
/// `(1 - z/w)(1 - z*/w)` at `w = exp(i a)` needs it: with R = exp(-depth), it is
/// `exp(-i a)` times `(1 + R^2) cos a - 2 R cos angle + i (1 - R^2) sin a`.
#[derive(Debug, Clone, Copy)]
struct Pair {
    /// 1 + R^2.
    sum: f64,
    /// (1 + R^2) cos(reference) - 2 R cos(angle).
    offset: f64,
    /// 1 - R^2.
    difference: f64,
}

/// Pairs of zeros next to one place of the unit circle.
#[derive(Debug, Clone)]
pub(super) struct Corner {
    pairs: Vec<Pair>,
    /// An angle next to all of them. Differences from its cosine are exact where the
    /// cosines themselves hardly differ.
    reference: f64,
}

impl Corner {
    /// Follows the zeros of `A^2 + floor` from the angle `start` on, after which `A^2` falls
    /// below the floor, as far as they are nearer to the circle than `depth`, in nepers
    /// for each tap. Taps that are not symmetric have no such A, and no zeros here.
    pub(super) fn find(taps: &[f64], floor: f64, start: f64, depth: f64) -> Self {
        let mut corner = Self { pairs: Vec::new(), reference: start };
        if !taps.iter().zip(taps.iter().rev()).all(|(a, b)| a == b) {
            return corner;
        }
        let (value, slope) = amplitude(taps, Complex::new(start, 0.0));
        let fall = -(slope / value).re;
        if !fall.is_finite() || fall <= 0.0 {
            return corner;
        }
        // A is positive or negative here, and turns by a quarter to the first zero.
        let first = Complex::new(start, FRAC_PI_2 / fall);
        let mut sign = -value.re.signum();
        let mut found: Vec<Complex<f64>> = Vec::new();
        while found.len() < MOST {
            let guess = match found[..] {
                [] => first,
                [one] => one + Complex::new(0.0, 2.0 * one.im),
                [.., before, last] => last + last - before,
            };
            let target = Complex::new(0.0, sign * floor.sqrt());
            let Some(zero) = newton(taps, guess, target) else { break };
            // One that was there before, or one that is deep enough: the end.
            let deeper = found.last().is_none_or(|last| zero.im > last.im);
            if !deeper || zero.im > depth || zero.re >= PI {
                break;
            }
            corner.pairs.push(Pair::new(zero, start));
            found.push(zero);
            sign = -sign;
        }
        corner
    }

    /// How many pairs of zeros there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// No zeros.
    pub(super) fn none() -> Self {
        Self { pairs: Vec::new(), reference: 0.0 }
    }

    /// What the zeros add to the logarithm of a minimum-phase response at an angle: its
    /// real part alone, in nepers.
    pub(super) fn nepers(&self, angle: f64) -> f64 {
        let (cosine, sine) = self.off_reference(angle);
        // A product of more than this could be too small for a number.
        let parts = self.pairs.chunks(8).map(|pairs| {
            let powers = pairs.iter().map(|pair| pair.factor(cosine, sine).norm_sqr());
            powers.product::<f64>().ln()
        });
        0.5 * parts.sum::<f64>()
    }

    /// The same with the phase as its imaginary part, which is continuous from 0 Hz on.
    pub(super) fn logarithm(&self, angle: f64) -> Complex<f64> {
        let (cosine, sine) = self.off_reference(angle);
        // Each factor lies in the upper half plane, so its own argument is continuous.
        let phase = |pair: &Pair| pair.factor(cosine, sine).arg() - angle;
        Complex::new(self.nepers(angle), self.pairs.iter().map(phase).sum())
    }

    /// The cosine of an angle less that of the reference, and its sine.
    fn off_reference(&self, angle: f64) -> (f64, f64) {
        let (sum, difference) = (0.5 * (angle + self.reference), 0.5 * (angle - self.reference));
        (-2.0 * sum.sin() * difference.sin(), angle.sin())
    }
}

impl Pair {
    fn new(zero: Complex<f64>, reference: f64) -> Self {
        let (angle, depth) = (zero.re, zero.im);
        let radius = (-depth).exp();
        let sum = 1.0 + radius * radius;
        // 2 R is (1 + R^2) - (1 - R)^2, and the second is small.
        let apart = -2.0 * (0.5 * (reference + angle)).sin() * (0.5 * (reference - angle)).sin();
        let offset = sum * apart + (-depth).exp_m1().powi(2) * angle.cos();
        Self { sum, offset, difference: -(-2.0 * depth).exp_m1() }
    }

    fn factor(&self, cosine: f64, sine: f64) -> Complex<f64> {
        Complex::new(self.sum * cosine + self.offset, self.difference * sine)
    }
}

/// Where A is `target`, from a guess on; `None` when Newton's method does not get there.
fn newton(taps: &[f64], guess: Complex<f64>, target: Complex<f64>) -> Option<Complex<f64>> {
    let mut at = guess;
    for _ in 0..STEPS {
        let (value, slope) = amplitude(taps, at);
        let step = (value - target) / slope;
        at -= step;
        // Two zeros of the chain are nearer to each other than this.
        if !at.is_finite() || (at - guess).norm() > TAU / taps.len() as f64 {
            return None;
        }
        if step.norm() < CLOSE_ENOUGH * at.im {
            return Some(at);
        }
    }
    None
}

/// The amplitude A of symmetric taps at a complex angle, and its derivative: the sum of
/// `tap cos(distance angle)` over the taps, distances counted from their middle.
fn amplitude(taps: &[f64], angle: Complex<f64>) -> (Complex<f64>, Complex<f64>) {
    let middle = 0.5 * (taps.len() - 1) as f64;
    let turn = (Complex::<f64>::i() * angle).exp();
    let back = turn.inv();
    let mut value = Complex::<f64>::default();
    let mut slope = value;
    let half = taps.len() / 2;
    for (part, taps) in taps[..half].chunks(RECKONED).enumerate() {
        let distance = middle - (part * RECKONED) as f64;
        let mut ahead = (Complex::<f64>::i() * angle * distance).exp();
        let mut behind = ahead.inv();
        for (n, tap) in taps.iter().enumerate() {
            value += (ahead + behind) * *tap;
            slope += (ahead - behind) * (*tap * (distance - n as f64));
            (ahead, behind) = (ahead * back, behind * turn);
        }
    }
    if !taps.len().is_multiple_of(2) {
        value += taps[half];
    }
    (value, slope * Complex::<f64>::i())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::kaiser;

    fn prototype() -> (Vec<f64>, f64) {
        (kaiser::windowed_sinc(2001, 0.03, kaiser::beta(160.0)), 1e-14)
    }

    fn corner(depth: f64) -> (Vec<f64>, f64, Corner) {
        let (taps, floor) = prototype();
        let angles = (0..40_000).map(|n| PI * f64::from(n) / 40_000.0);
        let below = |angle: &f64| amplitude(&taps, Complex::from(*angle)).0.norm_sqr() < floor;
        let start = angles.skip(2300).find(below).unwrap();
        let corner = Corner::find(&taps, floor, start, depth);
        (taps, floor, corner)
    }

    #[test]
    fn the_amplitude_is_the_sum_of_cosines_and_its_slope() {
        let taps = [0.25, -0.5, 1.0, -0.5, 0.25];
        let angle = Complex::new(0.7, 0.2);
        let (value, slope) = amplitude(&taps, angle);
        let wanted = (angle * 2.0).cos() * 0.5 - angle.cos() + 1.0;
        assert!((value - wanted).norm() < 1e-14, "{value}");
        let wanted = -(angle * 2.0).sin() + angle.sin();
        assert!((slope - wanted).norm() < 1e-14, "{slope}");
    }

    #[test]
    fn the_chain_is_followed_up_to_the_depth_that_is_asked_for() {
        let counts: Vec<_> = [0.1, 1.0, 3.0, 5.0].map(|d| corner(d / 2001.0).2.len()).to_vec();
        assert!(counts[0] == 0 && counts[1] > 0 && counts.is_sorted(), "{counts:?}");
        assert!(counts[2] > counts[1] + 1 && counts[3] > counts[2], "{counts:?}");
        assert_eq!(corner(1.0).2.len(), MOST);
    }

    #[test]
    fn without_its_zeros_the_floored_power_is_smooth_at_the_corner() {
        let (taps, floor, corner) = corner(5.0 / 2001.0);
        let grain = 0.05 / 2001.0;
        let bend = |value: &dyn Fn(f64) -> f64| -> f64 {
            let at = |n: i32| value(corner.reference + f64::from(n) * grain);
            (-40..40).map(|n| (at(n - 1) - 2.0 * at(n) + at(n + 1)).abs()).fold(0.0, f64::max)
        };
        let log =
            |angle: f64| 0.5 * (amplitude(&taps, Complex::from(angle)).0.norm_sqr() + floor).ln();
        let (before, after) = (bend(&log), bend(&|angle| log(angle) - corner.nepers(angle)));
        assert!(after < 0.05 * before, "{after} of {before}");
    }

    #[test]
    fn the_logarithm_is_that_of_a_minimum_phase_response() {
        let corner = corner(3.0 / 2001.0).2;
        assert!(corner.len() > 2);
        let length = 1 << 17;
        let mut planner = realfft::RealFftPlanner::<f64>::new();
        let angle = |bin: usize| std::f64::consts::TAU * bin as f64 / length as f64;
        let nepers = (0..=length / 2).map(|bin| corner.nepers(angle(bin)));
        let wanted = crate::design::minimum_phase::spectrum(&mut planner, nepers, length);
        for (bin, wanted) in wanted.iter().enumerate().skip(1).take(length / 2 - 1) {
            let found = corner.logarithm(angle(bin)).exp();
            assert!((found - wanted).norm() < 1e-7 * wanted.norm(), "{bin}: {found} {wanted}");
        }
    }

    #[test]
    fn taps_without_symmetry_have_no_corner() {
        assert_eq!(Corner::find(&[1.0, 0.5, 0.25], 1e-3, 1.0, 1.0).len(), 0);
    }
}
