//! An equaliser into the taps of a filter.

use realfft::RealFftPlanner;
use rustfft::num_complex::Complex;

use super::Equaliser;
use super::band::{Tuned, turn};
use crate::design::minimum_phase;
use crate::filter::{Header, MAX_TAPS};
use crate::{Error, Filter, Origin, Phase};

/// What is cut off at the end of the taps is this far below their energy.
const CUT_ENERGY: f64 = 1e-20;

/// Decay times until a band's ringing is cut: -200 dB.
const DECAYS: f64 = 23.0;

/// The longest tail in seconds that a band may ring on for.
const LONGEST_TAIL_SECONDS: f64 = 10.0;

/// The most gain in all. Far beyond what any loudspeaker needs, and far below what a sample of 32
/// bits cannot hold.
const MOST_GAIN_DB: f64 = 240.0;

/// The shortest response of an equaliser, in taps.
const SHORTEST_RESPONSE: usize = 1 << 17;

/// Frequencies between two looks whether to go on.
const TURN: usize = 4096;

impl Equaliser {
    /// The filter with this equaliser in it. It has as many taps as before, or
    /// more where the bands ring on beyond them (-200 dB of the energy).
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check) for the filter's input rate.
    pub fn apply(&self, filter: &Filter) -> Result<Filter, Error> {
        self.apply_while(filter, filter.header().input_rate_hz, &mut || true)
    }

    /// The same for inputs of another rate in Hz, which the filter's shape scales with and the
    /// equaliser's does not; while `go_on` says so: it is asked now and then.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply); [`Error::Stopped`] when it was told to stop.
    pub fn apply_while(
        &self,
        filter: &Filter,
        input_rate_hz: u32,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Filter, Error> {
        let header = filter.header().at(input_rate_hz);
        self.check(header.input_rate_hz)?;
        let response = self.response(&header, go_on)?;
        let taps = filter.taps().len();
        let mut folded = convolved(filter.taps(), response, go_on)?;
        folded.truncate(needed(&folded, taps).min(MAX_TAPS));
        folded.shrink_to_fit();
        let phase = match header.phase {
            Phase::Minimum => Phase::Minimum,
            Phase::Linear | Phase::Mixed => Phase::Mixed,
            Phase::Unknown => Phase::Unknown,
        };
        let origin = Origin::Equalised {
            base: Box::new(header.origin.clone()),
            preamp_db: self.preamp_db,
            bands: self.bands.len() + self.curves.len(),
        };
        Filter::new(header.input_rate_hz, header.ratio, phase, origin, folded)
    }

    /// The equaliser's own impulse response at the output rate of the filters of `header`: as long
    /// as its bands ring, and with curves a second at the least, so that they keep their shape.
    fn response(
        &self,
        header: &Header,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Vec<f64>, Error> {
        let rate = f64::from(header.output_rate_hz());
        let tail = (self.tail_seconds(f64::from(header.input_rate_hz))? * rate) as usize;
        let curves = if self.curves.is_empty() { 0 } else { rate as usize };
        let length = tail.max(curves).next_power_of_two().max(SHORTEST_RESPONSE);
        let mut turns = 0usize;
        let mut stopped = || {
            turns += 1;
            turns.is_multiple_of(TURN) && !go_on()
        };

        let mut planner = RealFftPlanner::<f64>::new();
        let preamp = 10f64.powf(self.preamp_db / 20.0) / length as f64;
        let hz = |bin: usize| bin as f64 * rate / length as f64;
        let bands: Vec<_> = self.bands.iter().map(|band| Tuned::new(band, rate)).collect();
        let mut bins = Vec::with_capacity(length / 2 + 1);
        for bin in 0..=length / 2 {
            if stopped() {
                return Err(Error::Stopped);
            }
            let turn = turn(hz(bin), rate);
            let responses = bands.iter().map(|band| band.response(turn));
            bins.push(responses.product::<Complex<f64>>() * preamp);
        }
        if !self.curves.is_empty() {
            let nepers = |bin: usize| {
                let gain: f64 = self.curves.iter().map(|curve| curve.gain_db(hz(bin))).sum();
                gain / 20.0 * std::f64::consts::LN_10
            };
            let mut curve = Vec::with_capacity(bins.len());
            for bin in 0..bins.len() {
                if stopped() {
                    return Err(Error::Stopped);
                }
                curve.push(nepers(bin));
            }
            let curve = curve.into_iter();
            let curve = minimum_phase::spectrum(&mut planner, curve, length);
            bins.iter_mut().zip(curve).for_each(|(value, curve)| *value *= curve);
        }
        bins[0].im = 0.0;
        bins[length / 2].im = 0.0;
        let inverse = planner.plan_fft_inverse(length);
        let mut response = inverse.make_output_vec();
        let done = inverse.process(&mut bins, &mut response);
        debug_assert!(done.is_ok(), "the lengths fit and the ends are real: {done:?}");
        Ok(response)
    }

    /// Whether it can be folded into filters for inputs of `input_rate_hz`. Takes microseconds a
    /// band.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a band outside the input's band, one that rings for longer than 10
    /// seconds, or more gain in all than anything can be scaled by.
    pub fn check(&self, input_rate_hz: u32) -> Result<(), Error> {
        let rate = f64::from(input_rate_hz);
        self.tail_seconds(rate)?;
        let (_, most) = self.gain_range_db(rate);
        if most > MOST_GAIN_DB {
            let accepted = format!("accepted is up to {MOST_GAIN_DB} dB at every frequency");
            return Err(Error::invalid("gain in all", format!("{most:.0} dB"), accepted));
        }
        Ok(())
    }

    /// The least and the most gain in dB over the frequencies up to half of `rate_hz`: looked at
    /// 24 times an octave and where each band and each curve has its own.
    #[must_use]
    pub fn gain_range_db(&self, rate_hz: f64) -> (f64, f64) {
        let highest = 0.5 * rate_hz;
        let grid =
            (0..).map(|n| 5.0 * 2f64.powf(f64::from(n) / 24.0)).take_while(|hz| *hz < highest);
        let bands = self.bands.iter().map(|band| band.frequency_hz);
        let curves = self.curves.iter().flat_map(|curve| curve.points.iter().map(|(hz, _)| *hz));
        // Beyond the ends: 0 Hz, and half the rate, where the tangent is infinite.
        let all = grid.chain(bands).chain(curves).filter(|hz| *hz < highest).chain([0.0, highest]);
        let tuned: Vec<_> = self.bands.iter().map(|band| Tuned::new(band, rate_hz)).collect();
        let gain = |hz: f64| {
            let turn = turn(hz, rate_hz);
            let bands: f64 = tuned.iter().map(|band| band.response(turn).norm().log10()).sum();
            let curves: f64 = self.curves.iter().map(|curve| curve.gain_db(hz)).sum();
            self.preamp_db + 20.0 * bands + curves
        };
        all.map(gain).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), gain| {
            (low.min(gain), high.max(gain))
        })
    }

    /// How long the slowest band rings.
    fn tail_seconds(&self, input_rate_hz: f64) -> Result<f64, Error> {
        let mut longest = 0.0f64;
        for band in &self.bands {
            if !(band.frequency_hz > 0.0 && band.frequency_hz < 0.5 * input_rate_hz) {
                return Err(Error::invalid(
                    "band frequency",
                    format!("{} Hz", band.frequency_hz),
                    format!("accepted is above 0 and below {} Hz", 0.5 * input_rate_hz),
                ));
            }
            if !(band.q > 0.0 && band.q <= 1000.0 && band.gain_db.abs() <= 60.0) {
                return Err(Error::invalid(
                    "band",
                    format!("gain {} dB, Q {}", band.gain_db, band.q),
                    "accepted is a gain of -60 to 60 dB and a Q above 0 up to 1000",
                ));
            }
            longest = longest.max(DECAYS * band.decay_seconds());
        }
        if longest > LONGEST_TAIL_SECONDS {
            return Err(Error::invalid(
                "band",
                format!("ringing for {longest:.1} s"),
                format!("accepted is up to {LONGEST_TAIL_SECONDS} s; use a lower Q"),
            ));
        }
        Ok(longest)
    }
}

/// The taps convolved with a `response`, a power of two long: piece by piece, each as long as that,
/// so that a filter of any length needs no more memory beside it than transforms of twice the
/// response.
fn convolved(
    taps: &[f64],
    mut response: Vec<f64>,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Vec<f64>, Error> {
    let piece = response.len();
    let length = 2 * piece;
    let mut planner = RealFftPlanner::<f64>::new();
    let (forward, inverse) = (planner.plan_fft_forward(length), planner.plan_fft_inverse(length));
    let transform = |time: &mut Vec<f64>, bins: &mut Vec<Complex<f64>>| {
        let done = forward.process(time, bins);
        debug_assert!(done.is_ok(), "the lengths fit: {done:?}");
    };
    response.resize(length, 0.0);
    let mut spectrum = forward.make_output_vec();
    transform(&mut response, &mut spectrum);
    let scale = 1.0 / length as f64;
    spectrum.iter_mut().for_each(|value| *value *= scale);

    let (mut time, mut bins) = (response, forward.make_output_vec());
    let mut folded = vec![0.0; taps.len() + piece];
    for (at, part) in taps.chunks(piece).enumerate() {
        if !go_on() {
            return Err(Error::Stopped);
        }
        time[..part.len()].copy_from_slice(part);
        time[part.len()..].fill(0.0);
        transform(&mut time, &mut bins);
        bins.iter_mut().zip(&spectrum).for_each(|(value, response)| *value *= response);
        (bins[0].im, bins[piece].im) = (0.0, 0.0);
        let done = inverse.process(&mut bins, &mut time);
        debug_assert!(done.is_ok(), "the lengths fit and the ends are real: {done:?}");
        let end = folded.len().min(at * piece + length);
        folded[at * piece..end].iter_mut().zip(&time).for_each(|(sum, value)| *sum += value);
    }
    Ok(folded)
}

/// Taps to keep: `wanted`, or more while what is cut still matters.
fn needed(taps: &[f64], wanted: usize) -> usize {
    let energy: f64 = taps.iter().map(|tap| tap * tap).sum();
    let mut cut = 0.0;
    for (index, tap) in taps.iter().enumerate().skip(wanted).rev() {
        cut += tap * tap;
        if cut > energy * CUT_ENERGY {
            return index + 1;
        }
    }
    wanted
}
