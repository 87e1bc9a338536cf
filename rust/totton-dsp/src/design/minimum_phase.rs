//! Minimum phase by the homomorphic method.
//!
//! The logarithm of the magnitude is transformed to the real cepstrum; folding
//! the cepstrum's negative times onto the positive ones and transforming back
//! gives the logarithm of the one causal, minimum-phase response of that
//! magnitude (A. V. Oppenheim and R. W. Schafer, "Discrete-Time Signal
//! Processing", chapter 13).
//!
//! Zeros on the unit circle have no logarithm, and their cepstrum would die away
//! too slowly for any transform. So the magnitude is floored smoothly:
//! `|H|^2 + floor^2`, the floor just below the
//! stopband. The floor
//! bounds how fast the cepstrum dies, and so how long the transform must be.

use realfft::RealFftPlanner;
use rustfft::num_complex::Complex;

/// Transform length over the number of taps, at least; more taps mean less
/// aliasing of the cepstrum. Beyond the largest length, memory is what matters.
const OVERSAMPLING: usize = 16;
const LARGEST_TRANSFORM: usize = 1 << 27;

/// The floor below the attenuation of the design, in dB: low enough to leave the
/// stopband's lobes alone, high enough to fill the notches between them.
const FLOOR_BELOW_DB: f64 = 6.0;

/// The minimum-phase response, of the same length, with the magnitude of
/// `linear` (any phase), floored 6 dB under `attenuation_db` below
/// the largest magnitude.
/// `progress` is told the part of the work done, 0 to 1.
#[must_use]
pub fn from_linear(linear: &[f64], attenuation_db: f64, progress: &mut dyn FnMut(f64)) -> Vec<f64> {
    let taps = linear.len();
    let wanted = (OVERSAMPLING * taps).next_power_of_two();
    let length = wanted.min(LARGEST_TRANSFORM.max(2 * taps.next_power_of_two())).max(4096);
    let mut planner = RealFftPlanner::<f64>::new();

    let mut time = vec![0.0; length];
    time[..taps].copy_from_slice(linear);
    let mut spectrum = vec![Complex::default(); length / 2 + 1];
    forward(&mut planner, &mut time, &mut spectrum);
    progress(0.25);

    let peak = spectrum.iter().map(Complex::norm_sqr).fold(0.0, f64::max);
    let floor = peak * 10f64.powf(-(attenuation_db + FLOOR_BELOW_DB) / 10.0);
    let nepers = spectrum.iter().map(|bin| 0.5 * (bin.norm_sqr() + floor).ln()).collect();
    drop(spectrum);
    let mut spectrum = self::spectrum(&mut planner, nepers, length);
    progress(0.75);

    inverse(&mut planner, &mut spectrum, &mut time);
    progress(1.0);
    time.truncate(taps);
    time.shrink_to_fit();
    time
}

/// The spectrum of the minimum-phase response of `length` values whose magnitude
/// has the natural logarithm `nepers`, from 0 Hz to half the rate.
pub(crate) fn spectrum(
    planner: &mut RealFftPlanner<f64>,
    nepers: Vec<f64>,
    length: usize,
) -> Vec<Complex<f64>> {
    let mut spectrum: Vec<_> = nepers.iter().map(|value| Complex::new(*value, 0.0)).collect();
    drop(nepers);
    let mut cepstrum = vec![0.0; length];
    inverse(planner, &mut spectrum, &mut cepstrum);
    fold_cepstrum(&mut cepstrum);
    forward(planner, &mut cepstrum, &mut spectrum);
    spectrum.iter_mut().for_each(|bin| *bin = bin.exp());
    // The imaginary parts at 0 Hz and at half the rate are zero by symmetry.
    spectrum[0].im = 0.0;
    spectrum[length / 2].im = 0.0;
    spectrum
}

/// Folds the cepstrum of an even sequence onto its causal half.
fn fold_cepstrum(cepstrum: &mut [f64]) {
    let half = cepstrum.len() / 2;
    cepstrum[1..half].iter_mut().for_each(|value| *value *= 2.0);
    cepstrum[half + 1..].fill(0.0);
}

fn forward(planner: &mut RealFftPlanner<f64>, time: &mut [f64], bins: &mut [Complex<f64>]) {
    let transform = planner.plan_fft_forward(time.len());
    let done = transform.process(time, bins);
    debug_assert!(done.is_ok(), "the lengths fit: {done:?}");
}

/// The inverse, scaled by 1 over the length.
fn inverse(planner: &mut RealFftPlanner<f64>, bins: &mut [Complex<f64>], time: &mut [f64]) {
    let transform = planner.plan_fft_inverse(time.len());
    let done = transform.process(bins, time);
    debug_assert!(done.is_ok(), "the lengths fit and the ends are real: {done:?}");
    let scale = 1.0 / time.len() as f64;
    time.iter_mut().for_each(|value| *value *= scale);
}
