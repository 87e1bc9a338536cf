//! What a filter really does, measured on its taps.
//!
//! [`plot`] draws it.

pub mod plot;

use std::f64::consts::PI;

use realfft::RealFftPlanner;
use rustfft::num_complex::Complex;

use crate::{Filter, Origin};

/// Frequencies measured for each tap, at least, while memory allows.
const OVERSAMPLING: usize = 8;
const LARGEST_TRANSFORM: usize = 1 << 27;

/// Up to here the passband counts, in Hz: the limit of hearing.
const AUDIBLE_HZ: f64 = 20_000.0;

/// What is earlier than this before the largest tap is pre-ringing: a minimum-phase
/// rise of the sharpest filters takes this long.
const PRE_RINGING_SECONDS: f64 = 1e-4;

/// Zeros are counted by the turns of the phase. Where it turns by more than this
/// between two frequencies, in radians, a zero is too near to the unit circle for that.
const LARGEST_TURN: f64 = 2.9;

/// The figures of a filter. Levels are relative to the gain at 0 Hz.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// The passband was measured up to here, in Hz.
    pub passband_hz: f64,
    /// Largest deviation from the gain at 0 Hz in the passband, in dB.
    pub ripple_db: f64,
    /// The stopband was measured from here on, in Hz: the first image's edge.
    pub stopband_hz: f64,
    /// Highest level in the stopband, in dB; `None` when there is no stopband,
    /// because the ratio is 1.
    pub stopband_db: Option<f64>,
    /// Group delay at 1 kHz, in seconds.
    pub delay_1k_seconds: f64,
    /// Group delay at the end of the passband, in seconds.
    pub delay_edge_seconds: f64,
    /// Time of the largest tap, in seconds.
    pub peak_seconds: f64,
    /// Energy earlier than 0.1 ms before the largest tap over the whole energy, in
    /// dB: what rings before the sound, without the rise to the largest tap itself.
    pub pre_ringing_db: f64,
    /// The largest tap; 1.0 is a filter that passes its input.
    pub peak: f64,
    /// Zeros of the response outside the unit circle: none is minimum phase. `None`
    /// when some lie on the circle, as they do in linear phase, or too near to tell.
    pub zeros_outside: Option<usize>,
}

/// A filter's taps and their spectrum.
pub struct Measurement<'a> {
    filter: &'a Filter,
    /// From 0 Hz to half the output rate.
    bins: Vec<Complex<f64>>,
    /// The spectrum of the taps times their times, for the group delay.
    ramped: Vec<Complex<f64>>,
}

impl<'a> Measurement<'a> {
    /// Measures a filter.
    #[must_use]
    pub fn new(filter: &'a Filter) -> Self {
        let taps = filter.taps();
        let least = (2 * taps.len()).next_power_of_two();
        let wanted = (OVERSAMPLING * taps.len()).next_power_of_two();
        let length = wanted.min(LARGEST_TRANSFORM.max(least)).max(1 << 14);
        let transform = RealFftPlanner::<f64>::new().plan_fft_forward(length);
        let spectrum = |value: &dyn Fn(usize, f64) -> f64| {
            let mut time = transform.make_input_vec();
            for (n, (slot, tap)) in time.iter_mut().zip(taps).enumerate() {
                *slot = value(n, *tap);
            }
            let mut bins = transform.make_output_vec();
            let done = transform.process(&mut time, &mut bins);
            debug_assert!(done.is_ok(), "the lengths fit: {done:?}");
            bins
        };
        let (bins, ramped) = (spectrum(&|_, tap| tap), spectrum(&|n, tap| n as f64 * tap));
        Self { filter, bins, ramped }
    }

    fn rate(&self) -> f64 {
        f64::from(self.filter.header().output_rate_hz())
    }

    fn bin(&self, hz: f64) -> usize {
        let last = self.bins.len() - 1;
        ((hz / self.rate() * 2.0 * last as f64).round() as usize).min(last)
    }

    fn hz(&self, bin: usize) -> f64 {
        bin as f64 * 0.5 * self.rate() / (self.bins.len() - 1) as f64
    }

    /// The level of a bin in dB, relative to the gain at 0 Hz (or to the ratio,
    /// when nothing passes at 0 Hz).
    fn level_db(&self, bin: usize) -> f64 {
        let header = self.filter.header();
        let gain = if header.dc_gain.abs() > 1e-3 { header.dc_gain.abs() } else { 1.0 };
        let reference = gain * f64::from(header.ratio);
        20.0 * (self.bins[bin].norm() / reference).max(1e-20).log10()
    }

    /// Group delay of a bin in seconds.
    fn delay(&self, bin: usize) -> f64 {
        (self.ramped[bin] / self.bins[bin]).re / self.rate()
    }

    fn peak_index(&self) -> usize {
        let largest = |best: (usize, f64), (n, tap): (usize, &f64)| {
            if tap.abs() > best.1 { (n, tap.abs()) } else { best }
        };
        self.filter.taps().iter().enumerate().fold((0, 0.0), largest).0
    }

    /// The figures.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let (header, taps) = (self.filter.header(), self.filter.taps());
        let half = 0.5 * f64::from(header.input_rate_hz);
        let (passband, stopband_hz) = edges(&header.origin).unwrap_or((0.9 * half, half));
        let passband_hz = passband.min(AUDIBLE_HZ);
        let (edge, stop) = (self.bin(passband_hz), self.bin(stopband_hz));
        let ripple = (0..=edge).map(|bin| self.level_db(bin).abs()).fold(0.0, f64::max);
        let stopband = (stop..self.bins.len()).map(|bin| self.level_db(bin));
        let energy = |taps: &[f64]| taps.iter().map(|tap| tap * tap).sum::<f64>();
        let peak = self.peak_index();
        let rise = (PRE_RINGING_SECONDS * self.rate()) as usize;
        let before = (energy(&taps[..peak.saturating_sub(rise)]) / energy(taps)).max(1e-40);
        Figures {
            passband_hz,
            ripple_db: ripple,
            stopband_hz,
            stopband_db: (header.ratio > 1).then(|| stopband.fold(f64::NEG_INFINITY, f64::max)),
            delay_1k_seconds: self.delay(self.bin(1000.0)),
            delay_edge_seconds: self.delay(edge),
            peak_seconds: peak as f64 / self.rate(),
            pre_ringing_db: 10.0 * before.log10(),
            peak: taps[peak],
            zeros_outside: self.zeros_outside(),
        }
    }

    /// By the argument principle: each zero outside turns the phase by a whole turn
    /// around the circle, half of it up to half the rate.
    fn zeros_outside(&self) -> Option<usize> {
        let turn = |pair: &[Complex<f64>]| (pair[1] * pair[0].conj()).arg();
        let (sum, largest) = self
            .bins
            .windows(2)
            .map(turn)
            .fold((0.0, 0.0f64), |(sum, most), turn| (sum + turn, most.max(turn.abs())));
        (largest < LARGEST_TURN).then(|| (-sum / PI).round().max(0.0) as usize)
    }
}

/// The edges that a design states.
fn edges(origin: &Origin) -> Option<(f64, f64)> {
    match origin {
        Origin::Kaiser { passband_hz, stopband_hz, .. } => Some((*passband_hz, *stopband_hz)),
        Origin::Equalised { base, .. } => edges(base),
        Origin::Imported { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DesignSpec, Phase, design};

    fn designed(phase: Phase) -> Filter {
        let spec =
            DesignSpec { taps: 20_001, phase, attenuation_db: 150.0, ..DesignSpec::default() };
        design(&spec, &mut |_, _| {}).unwrap()
    }

    #[test]
    fn a_linear_phase_filter_delays_by_half_its_length() {
        let filter = designed(Phase::Linear);
        let figures = Measurement::new(&filter).figures();
        let half = 10_000.0 / 705_600.0;
        assert_eq!(figures.peak_seconds, half);
        assert!((figures.delay_1k_seconds - half).abs() < 1e-12);
        assert!((figures.delay_edge_seconds - half).abs() < 1e-12);
        assert!(figures.ripple_db < 1e-5, "{figures:?}");
        assert!(figures.stopband_db.unwrap() < -148.0, "{figures:?}");
        assert!(figures.pre_ringing_db > -25.0, "it rings before the peak: {figures:?}");
        assert_eq!(figures.zeros_outside, None, "they are on the circle");
    }

    #[test]
    fn a_minimum_phase_filter_has_less_delay_and_pre_ringing() {
        let filter = designed(Phase::Minimum);
        let figures = Measurement::new(&filter).figures();
        assert!(figures.delay_1k_seconds < 1e-3, "{figures:?}");
        assert!(figures.stopband_db.unwrap() < -145.0, "{figures:?}");
        assert!(figures.peak_seconds < 5e-4, "{figures:?}");
        assert!(figures.pre_ringing_db < -60.0, "{figures:?}");
    }

    #[test]
    fn a_level_is_relative_to_the_gain_at_0_hz() {
        let origin = Origin::Imported { source: "pair".into() };
        let filter = Filter::new(44_100, 1, Phase::Unknown, origin, vec![0.25, 0.25]).unwrap();
        let measurement = Measurement::new(&filter);
        assert_eq!(measurement.level_db(0), 0.0);
        let quarter = measurement.level_db(measurement.bin(11_025.0));
        assert!((quarter - 20.0 * 0.5f64.sqrt().log10()).abs() < 1e-9, "{quarter}");
        assert_eq!(measurement.figures().stopband_db, None);
    }

    #[test]
    fn the_plots_are_drawn_from_the_filter() {
        let filter = designed(Phase::Minimum);
        let svg = Measurement::new(&filter).svg("short.filter");
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert_eq!(svg.matches("<polyline").count(), 5, "one curve for each of five charts");
        assert!(svg.contains("short.filter") && !svg.contains("NaN") && !svg.contains("inf"));
    }
}
