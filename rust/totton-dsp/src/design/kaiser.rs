//! The Kaiser-windowed sinc.
//!
//! Formulas: J. F. Kaiser, "Nonrecursive digital filter design using the
//! I0-sinh window function", 1974; A. V. Oppenheim and R. W. Schafer,
//! "Discrete-Time Signal Processing", section 7.5.3.

use std::f64::consts::PI;

/// The window's shape parameter for an attenuation of 50 dB or more.
#[must_use]
pub fn beta(attenuation_db: f64) -> f64 {
    0.1102 * (attenuation_db - 8.7)
}

/// Width from passband to stopband as a fraction of the rate of the taps: the
/// main lobe of the window's spectrum. Kaiser's own estimate is 2 % narrower, and
/// at high attenuation misses it by some dB at the very edge.
#[must_use]
pub fn transition_width(taps: usize, attenuation_db: f64) -> f64 {
    2.0 * beta(attenuation_db).hypot(PI) / (PI * (taps.max(2) - 1) as f64)
}

/// Modified Bessel function of the first kind, order 0, by its power series.
/// Every term is positive, so the sum keeps the full precision.
#[must_use]
pub fn bessel_i0(x: f64) -> f64 {
    let quarter = 0.25 * x * x;
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-18 {
        term *= quarter / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}

/// `taps` values of a sinc with its cutoff (-6 dB) at `cutoff`, a fraction of
/// the rate of the taps, under a Kaiser window; their sum is close to 1.
#[must_use]
pub fn windowed_sinc(taps: usize, cutoff: f64, beta: f64) -> Vec<f64> {
    let centre = (taps - 1) as f64 / 2.0;
    let scale = 1.0 / bessel_i0(beta);
    let mut values = vec![0.0; taps];
    for n in 0..taps.div_ceil(2) {
        let distance = centre - n as f64;
        let position = distance / centre;
        let window = bessel_i0(beta * (1.0 - position * position).max(0.0).sqrt()) * scale;
        let value = window * sinc(2.0 * cutoff * distance) * 2.0 * cutoff;
        values[n] = value;
        values[taps - 1 - n] = value;
    }
    values
}

/// `sin(pi x) / (pi x)`. The argument is brought into one turn before it is
/// multiplied by pi: it reaches 10^6 turns in the longest filters.
fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let turns = x - 2.0 * (x * 0.5).round();
    (PI * turns).sin() / (PI * x)
}
