//! An equaliser that is folded into the filter when it is loaded, so that it
//! costs nothing while the stream runs.
//!
//! [`text`] reads Equalizer APO and AutoEQ files, [`band`] has the responses,
//! [`fold`] multiplies them into a filter's taps. Everything is minimum phase.

pub mod band;
pub mod fold;
pub mod text;

pub use band::{Band, Shape};

/// A preamplification, bands, and curves; they all multiply.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Equaliser {
    /// Gain before the bands in dB.
    pub preamp_db: f64,
    /// Parametric bands.
    pub bands: Vec<Band>,
    /// Graphic curves.
    pub curves: Vec<Curve>,
}

/// A gain over frequency, linear in dB over the logarithm of the frequency, and
/// constant beyond its ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Frequencies in Hz, rising, with their gains in dB; at least one.
    pub points: Vec<(f64, f64)>,
}

impl Curve {
    /// The gain at a frequency in dB.
    #[must_use]
    pub fn gain_db(&self, frequency_hz: f64) -> f64 {
        let after = self.points.partition_point(|(hz, _)| *hz < frequency_hz);
        match (after.checked_sub(1).map(|before| self.points[before]), self.points.get(after)) {
            (Some((low, from)), Some(&(high, to))) => {
                let position = (frequency_hz / low).ln() / (high / low).ln();
                from + (to - from) * position
            }
            (Some((_, gain)), None) | (None, Some(&(_, gain))) => gain,
            (None, None) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests;
