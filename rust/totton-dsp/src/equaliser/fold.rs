//! An equaliser into the taps of a filter.

use realfft::RealFftPlanner;
use rustfft::num_complex::Complex;

use super::Equaliser;
use crate::design::minimum_phase;
use crate::filter::MAX_TAPS;
use crate::{Error, Filter, Origin, Phase};

/// What is cut off at the end of the taps is this far below their energy.
const CUT_ENERGY: f64 = 1e-20;

/// Decay times until a band's ringing is cut: -200 dB.
const DECAYS: f64 = 23.0;

/// The longest tail in seconds that a band may ring on for.
const LONGEST_TAIL_SECONDS: f64 = 10.0;

/// The shortest transform: the cepstrum of a curve with points down to 20 Hz dies
/// away well within it at every rate.
const SHORTEST_TRANSFORM: usize = 1 << 17;

impl Equaliser {
    /// The filter with this equaliser in it. It has as many taps as before, or
    /// more where the bands ring on beyond them (-200 dB of the energy).
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a band outside the input's band or one that rings
    /// for longer than 10 seconds.
    pub fn apply(&self, filter: &Filter) -> Result<Filter, Error> {
        let header = filter.header();
        let rate = f64::from(header.output_rate_hz());
        let tail = (self.tail_seconds(f64::from(header.input_rate_hz))? * rate) as usize;
        let taps = filter.taps().len();
        let length = (taps + tail).next_power_of_two().max(SHORTEST_TRANSFORM);

        let mut planner = RealFftPlanner::<f64>::new();
        let (forward, inverse) =
            (planner.plan_fft_forward(length), planner.plan_fft_inverse(length));
        let mut time = forward.make_input_vec();
        time[..taps].copy_from_slice(filter.taps());
        let mut bins = forward.make_output_vec();
        let done = forward.process(&mut time, &mut bins);
        debug_assert!(done.is_ok(), "the lengths fit: {done:?}");

        let preamp = 10f64.powf(self.preamp_db / 20.0) / length as f64;
        let hz = |bin: usize| bin as f64 * rate / length as f64;
        for (bin, value) in bins.iter_mut().enumerate() {
            let responses = self.bands.iter().map(|band| band.response(hz(bin), rate));
            *value *= responses.product::<Complex<f64>>() * preamp;
        }
        if !self.curves.is_empty() {
            let nepers = |bin: usize| {
                let gain: f64 = self.curves.iter().map(|curve| curve.gain_db(hz(bin))).sum();
                gain / 20.0 * std::f64::consts::LN_10
            };
            let curve = (0..bins.len()).map(nepers);
            let curve = minimum_phase::spectrum(&mut planner, curve, length);
            bins.iter_mut().zip(curve).for_each(|(value, curve)| *value *= curve);
        }
        bins[0].im = 0.0;
        bins[length / 2].im = 0.0;
        let done = inverse.process(&mut bins, &mut time);
        debug_assert!(done.is_ok(), "the lengths fit and the ends are real: {done:?}");

        time.truncate(needed(&time, taps).min(MAX_TAPS));
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
        Filter::new(header.input_rate_hz, header.ratio, phase, origin, time)
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
