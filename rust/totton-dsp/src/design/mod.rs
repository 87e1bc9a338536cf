//! Filter design: Kaiser-windowed sinc prototypes of linear, minimum and mixed phase.
//!
//! [`kaiser`] makes the linear-phase prototype, [`minimum_phase`] turns its
//! magnitude into a minimum-phase or mixed-phase response of the same length.

mod corner;
pub mod kaiser;
pub mod minimum_phase;

use crate::filter::{MAX_TAPS, RATIOS};
use crate::{Error, Filter, Origin, Phase};

/// The prototype of a minimum or mixed phase attenuates this much more than is
/// wanted, in dB: then its lobes lie so far below the floor that
/// [`minimum_phase`] puts under the magnitude that the cepstrum dies away within a
/// few lengths of the filter. It widens the transition band by a ninth.
const PROTOTYPE_MARGIN_DB: f64 = 20.0;

/// What to design.
#[derive(Debug, Clone, PartialEq)]
pub struct DesignSpec {
    /// Taps at the output rate, 16 to 2^26.
    pub taps: usize,
    /// Output frames for each input frame: 1, 2, 4, 8 or 16.
    pub ratio: u32,
    /// Rate of the input in Hz.
    pub input_rate_hz: u32,
    /// Linear, minimum or mixed phase.
    pub phase: Phase,
    /// For mixed phase: how much of it is linear, above 0 and below 1.
    pub linear_part: f64,
    /// Stopband attenuation in dB, 60 to 240.
    pub attenuation_db: f64,
    /// End of the passband in Hz; `None` puts the start of the stopband on half
    /// the input rate, where the first image begins.
    pub passband_hz: Option<f64>,
}

impl Default for DesignSpec {
    fn default() -> Self {
        Self {
            taps: 640_000,
            ratio: 16,
            input_rate_hz: 44_100,
            phase: Phase::Minimum,
            linear_part: 0.5,
            attenuation_db: 180.0,
            passband_hz: None,
        }
    }
}

/// Passband and stopband edges in Hz.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Edges {
    passband_hz: f64,
    stopband_hz: f64,
}

impl DesignSpec {
    /// Taps of the linear-phase prototype. A mixed phase reaches further to both
    /// sides than either of its ends: with the window of two thirds of the taps,
    /// what is cut off lies below the stopband.
    fn prototype_taps(&self) -> usize {
        if self.phase == Phase::Mixed { self.taps * 2 / 3 } else { self.taps }
    }

    /// Attenuation of the linear-phase prototype in dB.
    fn prototype_attenuation_db(&self) -> f64 {
        let margin = if self.phase == Phase::Linear { 0.0 } else { PROTOTYPE_MARGIN_DB };
        self.attenuation_db + margin
    }

    /// Checks the values and places the transition band.
    fn edges(&self) -> Result<Edges, Error> {
        if !RATIOS.contains(&self.ratio) {
            return Err(Error::invalid("ratio", self.ratio, "accepted are 1, 2, 4, 8 and 16"));
        }
        if !(16..=MAX_TAPS).contains(&self.taps) {
            return Err(Error::invalid("taps", self.taps, format!("accepted is 16 to {MAX_TAPS}")));
        }
        if !(60.0..=240.0).contains(&self.attenuation_db) {
            let accepted = "accepted is 60 to 240 dB";
            return Err(Error::invalid("attenuation", self.attenuation_db, accepted));
        }
        if self.phase == Phase::Unknown {
            let accepted = "linear, minimum and mixed phase can be designed";
            return Err(Error::invalid("phase", self.phase, accepted));
        }
        if !(self.linear_part > 0.0 && self.linear_part < 1.0) {
            let accepted = "accepted is above 0 and below 1";
            return Err(Error::invalid("linear part", self.linear_part, accepted));
        }
        let input = f64::from(self.input_rate_hz);
        let output = input * f64::from(self.ratio);
        let width =
            kaiser::transition_width(self.prototype_taps(), self.prototype_attenuation_db())
                * output;
        let passband_hz = self.passband_hz.unwrap_or(0.5 * input - width);
        let edges = Edges { passband_hz, stopband_hz: passband_hz + width };
        if !(passband_hz > 0.0 && edges.stopband_hz < input && edges.stopband_hz < output) {
            return Err(Error::invalid(
                "passband",
                format!("{passband_hz:.1} Hz"),
                format!(
                    "{} taps at {output} Hz need {width:.1} Hz from passband to stopband, and the \
                     stopband must start below {input} Hz; use more taps, less attenuation or \
                     another passband",
                    self.taps
                ),
            ));
        }
        Ok(edges)
    }
}

/// What a design tells about itself beyond its filter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// See [`minimum_phase::Response::aliasing_db`]; `None` for linear phase.
    pub cepstrum_aliasing_db: Option<f64>,
}

/// Designs a filter. `progress` is told the work done, 0 to 1, and what is next.
///
/// The taps sum to the ratio: the gain at 0 Hz is 1.
///
/// # Errors
///
/// [`Error::Invalid`] for a value out of its range, or when the taps are too few
/// for the attenuation and the passband.
pub fn design(
    spec: &DesignSpec,
    progress: &mut dyn FnMut(f64, &'static str),
) -> Result<Filter, Error> {
    design_with_report(spec, progress).map(|(filter, _)| filter)
}

/// As [`design`], with what the design tells about itself.
///
/// # Errors
///
/// As [`design`].
pub fn design_with_report(
    spec: &DesignSpec,
    progress: &mut dyn FnMut(f64, &'static str),
) -> Result<(Filter, Report), Error> {
    let edges = spec.edges()?;
    let output_rate = f64::from(spec.input_rate_hz) * f64::from(spec.ratio);
    let cutoff = 0.5 * (edges.passband_hz + edges.stopband_hz) / output_rate;
    let beta = kaiser::beta(spec.prototype_attenuation_db());

    progress(0.0, "window");
    let mut taps = kaiser::windowed_sinc(spec.prototype_taps(), cutoff, beta);
    let linear_part = (spec.phase == Phase::Mixed).then_some(spec.linear_part);
    let mut report = Report { cepstrum_aliasing_db: None };
    if spec.phase != Phase::Linear {
        let wanted = minimum_phase::Wanted {
            taps: spec.taps,
            attenuation_db: spec.attenuation_db,
            linear_part: linear_part.unwrap_or(0.0),
        };
        progress(0.2, "phase");
        let response = minimum_phase::from_linear(&taps, wanted, &mut |done| {
            progress(0.2 + 0.8 * done, "phase");
        });
        report.cepstrum_aliasing_db = Some(response.aliasing_db);
        taps = response.taps;
    }
    let scale = f64::from(spec.ratio) / taps.iter().sum::<f64>();
    taps.iter_mut().for_each(|tap| *tap *= scale);
    progress(1.0, "done");

    let origin = Origin::Kaiser {
        passband_hz: edges.passband_hz,
        stopband_hz: edges.stopband_hz,
        attenuation_db: spec.attenuation_db,
        beta,
        linear_part,
    };
    let filter = Filter::new(spec.input_rate_hz, spec.ratio, spec.phase, origin, taps)?;
    Ok((filter, report))
}

#[cfg(test)]
mod tests;
