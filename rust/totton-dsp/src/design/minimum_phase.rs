//! Minimum and mixed phase by the homomorphic method.
//!
//! The logarithm of the magnitude is transformed to the real cepstrum; folding
//! the cepstrum's negative times onto the positive ones and transforming back
//! gives the logarithm of the one causal, minimum-phase response of that
//! magnitude (A. V. Oppenheim and R. W. Schafer, "Discrete-Time Signal
//! Processing", chapter 13).
//!
//! Zeros on the unit circle have no logarithm, and their cepstrum would die away
//! too slowly for any transform. So the magnitude is floored smoothly:
//! `|H|^2 + floor^2`, the floor just below the stopband. What then dies away last
//! comes from the corner where the transition band meets the floor: a Kaiser window
//! falls steepest there. It takes a transform of 100 times the filter until that lies
//! below the stopband. Where memory has no room for it, the zeros whose cepstrum would
//! not be over at the end of the transform are found one by one and taken out of the
//! logarithm ([`Corner`]): then 8 times the filter is enough. What is left is measured
//! in every design, [`Response::aliasing_db`].
//!
//! Only the logarithm needs that many frequencies. The response itself is hardly
//! longer than the filter, so from the cepstrum on a few times its length do: the
//! spectrum at fewer frequencies is that of the cepstrum wrapped around.

use std::f64::consts::TAU;

use realfft::RealFftPlanner;
use rustfft::num_complex::Complex;

use super::corner::Corner;

/// Length of the transforms of the logarithm over the number of taps, at least; and
/// the largest length, or twice that of the transforms of the response.
const FINE: usize = 100;
const LARGEST_TRANSFORM: usize = 1 << 27;

/// Length of the transforms of the response over the number of taps, at least.
const COARSE: usize = 4;

/// A zero is taken out when its cepstrum falls by less than this over the half of the
/// transform that is its causal part, in nepers: 1e-13.
const OVER: f64 = 30.0;

/// The floor below the attenuation of the design, in dB: what it adds to a stopband
/// that is as high as the wanted one keeps within a decibel of it.
pub(super) const FLOOR_BELOW_DB: f64 = 6.0;

/// What to make of a linear-phase prototype.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Taps of the response; the rest is cut off.
    pub taps: usize,
    /// The magnitude is floored 6 dB under this, below the largest magnitude, in dB.
    pub attenuation_db: f64,
    /// How much of the phase is linear: 0 is minimum phase, towards 1 it becomes
    /// the constant delay of the prototype.
    pub linear_part: f64,
}

/// What [`from_linear`] makes.
#[derive(Debug, Clone)]
pub struct Response {
    pub taps: Vec<f64>,
    /// The energy of what the aliasing of the cepstrum changes in the response, over
    /// the energy of the response, in dB; an estimate that is too high.
    pub aliasing_db: f64,
}

/// A response with the magnitude of `linear`, which has symmetric taps.
/// `progress` is told the part of the work done, 0 to 1.
#[must_use]
pub fn from_linear(linear: &[f64], wanted: Wanted, progress: &mut dyn FnMut(f64)) -> Response {
    let coarse = (COARSE * wanted.taps).next_power_of_two().max(4096);
    let fine = (FINE * wanted.taps).next_power_of_two();
    let fine = fine.min(LARGEST_TRANSFORM).max(2 * coarse);
    with_lengths(linear, wanted, fine, coarse, progress)
}

/// [`from_linear`] with transforms of `fine` values for the logarithm and of
/// `coarse` values for the response, powers of two.
pub(super) fn with_lengths(
    linear: &[f64],
    wanted: Wanted,
    fine: usize,
    coarse: usize,
    progress: &mut dyn FnMut(f64),
) -> Response {
    let Wanted { taps, attenuation_db, linear_part } = wanted;
    let mut cepstrum = vec![0.0; fine];
    cepstrum[..linear.len()].copy_from_slice(linear);
    let mut bins = vec![Complex::default(); fine / 2 + 1];
    // A planner for each: what it keeps is as large as the transform.
    forward(&mut RealFftPlanner::new(), &mut cepstrum, &mut bins);
    progress(0.4);
    let peak = bins.iter().map(Complex::norm_sqr).fold(0.0, f64::max);
    let floor = peak * 10f64.powf(-(attenuation_db + FLOOR_BELOW_DB) / 10.0);
    let short = fine < FINE * taps;
    let corner = if short { corner(linear, &bins, floor) } else { Corner::none() };
    progress(0.5);
    for (bin, value) in bins.iter_mut().enumerate() {
        let mut nepers = 0.5 * (value.norm_sqr() + floor).ln();
        if short {
            nepers -= corner.nepers(angle(bin, fine));
        }
        *value = Complex::new(nepers, 0.0);
    }
    inverse(&mut RealFftPlanner::new(), &mut bins, &mut cepstrum);
    drop(bins);
    progress(0.9);

    fold_cepstrum(&mut cepstrum);
    let end = end_of_cepstrum(&cepstrum, coarse);
    wrap(&mut cepstrum, coarse);
    let mut planner = RealFftPlanner::<f64>::new();
    let mut bins = vec![Complex::default(); coarse / 2 + 1];
    forward(&mut planner, &mut cepstrum, &mut bins);
    if short {
        // At 0 Hz and at half the rate there is no phase.
        let last = bins.len() - 1;
        for (bin, value) in bins.iter_mut().enumerate() {
            let zeros = corner.logarithm(angle(bin, coarse));
            value.re += zeros.re;
            value.im += if bin == 0 || bin == last { 0.0 } else { zeros.im };
        }
    }
    let aliasing_db = aliasing_db(&mut planner, end, &bins);

    let delay = linear_part * (linear.len() - 1) as f64 / 2.0;
    for (bin, value) in bins.iter_mut().enumerate() {
        let turns = (bin as f64 / coarse as f64 * delay).fract();
        value.im = (1.0 - linear_part) * value.im - TAU * turns;
    }
    exponentiate(&mut bins);
    let mut time = cepstrum;
    inverse(&mut planner, &mut bins, &mut time);
    progress(1.0);
    if linear_part > 0.0 {
        let start = quietest_cut(&time, taps);
        time.rotate_left(start);
    }
    time.truncate(taps);
    time.shrink_to_fit();
    Response { taps: time, aliasing_db }
}

/// The angle of a bin of a transform, in radians for each tap.
fn angle(bin: usize, length: usize) -> f64 {
    TAU * (bin as f64 / length as f64)
}

/// The zeros whose cepstrum is not over at half the length of the transform.
fn corner(linear: &[f64], bins: &[Complex<f64>], floor: f64) -> Corner {
    let length = 2 * (bins.len() - 1);
    let below = bins.iter().position(|bin| bin.norm_sqr() < floor);
    let start = below.unwrap_or(0).saturating_sub(1);
    Corner::find(linear, floor, angle(start, length), 2.0 * OVER / length as f64)
}

/// The last eighth of a folded cepstrum, wrapped to `length` values: the cepstrum
/// decays, so what lies beyond its end and was folded back into it is no more.
fn end_of_cepstrum(folded: &[f64], length: usize) -> Vec<f64> {
    let half = folded.len() / 2;
    let mut end = vec![0.0; length];
    for (n, value) in folded.iter().enumerate().take(half).skip(half - half / 8) {
        end[n % length] += value;
    }
    end
}

/// Wraps a sequence around: its spectrum at `length` frequencies stays as it is.
fn wrap(sequence: &mut Vec<f64>, length: usize) {
    let (start, rest) = sequence.split_at_mut(length);
    for part in rest.chunks(length) {
        start.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
    }
    sequence.truncate(length);
    sequence.shrink_to_fit();
}

/// See [`Response::aliasing_db`]. A small change of the logarithm changes the
/// spectrum by that part of itself.
fn aliasing_db(
    planner: &mut RealFftPlanner<f64>,
    mut change: Vec<f64>,
    logarithm: &[Complex<f64>],
) -> f64 {
    let mut bins = vec![Complex::default(); logarithm.len()];
    forward(planner, &mut change, &mut bins);
    let (mut changed, mut whole) = (0.0, 0.0);
    for (change, logarithm) in bins.iter().zip(logarithm) {
        let power = (2.0 * logarithm.re).exp();
        changed += power * change.norm_sqr();
        whole += power;
    }
    10.0 * (changed / whole).max(1e-40).log10()
}

/// Where a window of `taps` values leaves the least energy outside, in a response
/// that goes around: a mixed phase reaches back beyond time 0 a little.
fn quietest_cut(response: &[f64], taps: usize) -> usize {
    let grain = (taps / 64).max(1);
    let energies: Vec<f64> =
        response.chunks(grain).map(|part| part.iter().map(|x| x * x).sum()).collect();
    let (count, window) = (energies.len(), taps / grain);
    // Small sums of what is outside: a difference of large ones would lose them.
    let outside = |start: usize| -> f64 {
        (start + window..start + count).map(|part| energies[part % count]).sum()
    };
    let starts = (0..=window).map(|back| (count - back) % count);
    let best = starts.min_by(|a, b| outside(*a).total_cmp(&outside(*b)));
    best.unwrap_or(0) * grain % response.len()
}

/// The spectrum of the minimum-phase response of `length` values whose magnitude
/// has the natural logarithm `nepers`, from 0 Hz to half the rate.
pub(crate) fn spectrum(
    planner: &mut RealFftPlanner<f64>,
    nepers: impl Iterator<Item = f64>,
    length: usize,
) -> Vec<Complex<f64>> {
    let mut bins: Vec<_> = nepers.map(|value| Complex::new(value, 0.0)).collect();
    complete_logarithm(planner, &mut bins, &mut vec![0.0; length]);
    exponentiate(&mut bins);
    bins
}

/// Gives the logarithm of a magnitude the imaginary part of minimum phase.
fn complete_logarithm(
    planner: &mut RealFftPlanner<f64>,
    bins: &mut [Complex<f64>],
    cepstrum: &mut [f64],
) {
    inverse(planner, bins, cepstrum);
    fold_cepstrum(cepstrum);
    forward(planner, cepstrum, bins);
}

/// The exponential of a logarithmic spectrum.
fn exponentiate(bins: &mut [Complex<f64>]) {
    bins.iter_mut().for_each(|bin| *bin = bin.exp());
    // At 0 Hz and at half the rate the spectrum of real taps is real.
    let last = bins.len() - 1;
    bins[0].im = 0.0;
    bins[last].im = 0.0;
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
