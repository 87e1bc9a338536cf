//! A filter: taps at the output rate, and the header that says what they are.
//!
//! [`mod@format`] has the layout of the `.filter` file, [`file`] reads and writes it,
//! [`import`] reads taps of other programs.

pub mod file;
pub mod format;
pub mod import;

use serde::{Deserialize, Serialize};

use crate::Error;

/// The ratios that a filter may have.
pub const RATIOS: [u32; 5] = [1, 2, 4, 8, 16];

/// The most taps that a filter may have: 2^26, four times the largest filter in use.
pub const MAX_TAPS: usize = 1 << 26;

/// How the filter spreads energy in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Symmetric taps: constant group delay of half the filter, pre-ringing.
    Linear,
    /// The least delay that the magnitude allows: no pre-ringing.
    Minimum,
    /// Between the two: low delay with part of the energy before the peak.
    Mixed,
    /// Imported taps whose phase nobody stated.
    Unknown,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Linear => "linear",
            Self::Minimum => "minimum",
            Self::Mixed => "mixed",
            Self::Unknown => "unknown",
        })
    }
}

/// The family of rates that are integer multiples of one base rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RateFamily {
    /// Multiples of 44.1 kHz.
    #[serde(rename = "44100")]
    Hz44100,
    /// Multiples of 48 kHz.
    #[serde(rename = "48000")]
    Hz48000,
}

impl RateFamily {
    /// The family of a rate in Hz; `None` for a rate of neither family.
    #[must_use]
    pub fn of(rate_hz: u32) -> Option<Self> {
        match rate_hz {
            0 => None,
            r if r % 44_100 == 0 => Some(Self::Hz44100),
            r if r % 48_000 == 0 => Some(Self::Hz48000),
            _ => None,
        }
    }
}

/// Where taps come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Origin {
    /// A Kaiser-windowed sinc made by [`crate::design()`].
    Kaiser {
        /// End of the passband in Hz.
        passband_hz: f64,
        /// Start of the stopband in Hz.
        stopband_hz: f64,
        /// Stopband attenuation aimed at, in dB.
        attenuation_db: f64,
        /// The window's shape parameter.
        beta: f64,
        /// How much of a mixed phase is linear.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        linear_part: Option<f64>,
    },
    /// Taps taken from another file as they were.
    Imported {
        /// The name of that file.
        source: String,
    },
    /// Another filter with an equaliser folded in.
    Equalised {
        /// Where that filter comes from.
        base: Box<Origin>,
        /// The equaliser's preamplification in dB.
        preamp_db: f64,
        /// How many bands and curves it has.
        bands: usize,
    },
}

impl Origin {
    /// The same design with every frequency times `factor`.
    fn scaled(&self, factor: f64) -> Self {
        let mut scaled = self.clone();
        match &mut scaled {
            Self::Kaiser { passband_hz, stopband_hz, .. } => {
                *passband_hz *= factor;
                *stopband_hz *= factor;
            }
            Self::Equalised { base, .. } => **base = base.scaled(factor),
            Self::Imported { .. } => {}
        }
        scaled
    }
}

/// What a filter's taps are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Rate of the input in Hz that the taps are meant for.
    pub input_rate_hz: u32,
    /// Output frames for each input frame: 1, 2, 4, 8 or 16.
    pub ratio: u32,
    /// How the taps spread energy in time.
    pub phase: Phase,
    /// Gain at 0 Hz from input to output, linear: the sum of the taps over the ratio.
    pub dc_gain: f64,
    /// Where the taps come from.
    pub origin: Origin,
}

impl Header {
    /// That of the same taps for inputs of another rate in Hz.
    pub(crate) fn at(&self, input_rate_hz: u32) -> Self {
        let factor = f64::from(input_rate_hz) / f64::from(self.input_rate_hz);
        Self { input_rate_hz, origin: self.origin.scaled(factor), ..self.clone() }
    }

    /// Rate of the output in Hz.
    #[must_use]
    pub fn output_rate_hz(&self) -> u32 {
        self.input_rate_hz * self.ratio
    }

    /// The rate family of the input, `None` for a rate of neither.
    #[must_use]
    pub fn rate_family(&self) -> Option<RateFamily> {
        RateFamily::of(self.input_rate_hz)
    }
}

/// Taps at the output rate, with their header. Every tap is finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    header: Header,
    taps: Vec<f64>,
}

impl Filter {
    /// Puts taps and their description together; computes the gain at 0 Hz.
    /// The taps are used as they are given.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a ratio outside [`RATIOS`], an input rate outside
    /// 8 kHz to 768 kHz, a number of taps outside 1 to [`MAX_TAPS`], or taps whose
    /// sum is not finite;
    /// [`Error::Tap`] for a tap that is not finite.
    pub fn new(
        input_rate_hz: u32,
        ratio: u32,
        phase: Phase,
        origin: Origin,
        taps: Vec<f64>,
    ) -> Result<Self, Error> {
        check_shape(input_rate_hz, ratio, taps.len())?;
        if let Some(index) = taps.iter().position(|tap| !tap.is_finite()) {
            return Err(Error::Tap { index, value: taps[index] });
        }
        let dc_gain = taps.iter().sum::<f64>() / f64::from(ratio);
        // Nothing can be scaled by such a gain, and JSON cannot say it.
        if !dc_gain.is_finite() {
            return Err(Error::invalid("gain at 0 Hz", dc_gain, "it must be a finite number"));
        }
        Ok(Self { header: Header { input_rate_hz, ratio, phase, dc_gain, origin }, taps })
    }

    /// The same filter for inputs of `input_rate_hz` and a `ratio` that divides its own.
    ///
    /// Its shape scales with the rate: the taps stay as they are.
    ///
    /// The output of the ratio `R` is limited to the input's band, so every
    /// `R / ratio`-th frame of it is the output of `ratio`: nothing folds back
    /// but what the filter's own stopband leaves. These frames are made of every
    /// `R / ratio`-th tap of each phase, and the taps in between are not needed.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a ratio that does not divide the filter's, or a rate that
    /// [`Filter::new`] refuses.
    pub fn at(&self, input_rate_hz: u32, ratio: u32) -> Result<Self, Error> {
        let own = self.header.ratio;
        if ratio == 0 || !own.is_multiple_of(ratio) {
            return Err(Error::invalid("ratio", ratio, format!("the filter is for {own}")));
        }
        let taps = self.taps.iter().copied().step_by((own / ratio) as usize).collect();
        let Header { phase, origin, .. } = self.header.at(input_rate_hz);
        Self::new(input_rate_hz, ratio, phase, origin, taps)
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The taps, at the output rate, first to last.
    #[must_use]
    pub fn taps(&self) -> &[f64] {
        &self.taps
    }

    /// Output frames for each input frame.
    #[must_use]
    pub fn ratio(&self) -> usize {
        self.header.ratio as usize
    }
}

/// Checks what the header and the engine rely on.
fn check_shape(input_rate_hz: u32, ratio: u32, taps: usize) -> Result<(), Error> {
    if !RATIOS.contains(&ratio) {
        return Err(Error::invalid("ratio", ratio, "accepted are 1, 2, 4, 8 and 16"));
    }
    if !(8_000..=768_000).contains(&input_rate_hz) {
        return Err(Error::invalid("input rate", input_rate_hz, "accepted is 8000 to 768000 Hz"));
    }
    if !(1..=MAX_TAPS).contains(&taps) {
        return Err(Error::invalid("taps", taps, format!("accepted is 1 to {MAX_TAPS}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_another_rate_and_ratio_are_fewer_taps_and_scaled_frequencies() {
        let kaiser = |passband_hz, stopband_hz| Origin::Kaiser {
            passband_hz,
            stopband_hz,
            attenuation_db: 100.0,
            beta: 10.0,
            linear_part: None,
        };
        let base = Box::new(kaiser(20_000.0, 22_050.0));
        let origin = Origin::Equalised { base, preamp_db: -3.0, bands: 2 };
        let taps: Vec<f64> = (0..11).map(f64::from).collect();
        let filter = Filter::new(44_100, 4, Phase::Minimum, origin, taps).unwrap();
        let found = filter.at(88_200, 2).unwrap();
        assert_eq!(found.taps(), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        let Header { input_rate_hz, ratio, phase, dc_gain, origin } = found.header();
        assert_eq!((*input_rate_hz, *ratio, *phase, *dc_gain), (88_200, 2, Phase::Minimum, 15.0));
        let base = Box::new(kaiser(40_000.0, 44_100.0));
        assert_eq!(*origin, Origin::Equalised { base, preamp_db: -3.0, bands: 2 });
        assert_eq!(filter.at(44_100, 4).unwrap(), filter);
        for (rate, ratio) in [(44_100, 8), (44_100, 3), (44_100, 0), (4000, 4)] {
            assert!(filter.at(rate, ratio).is_err(), "{rate} Hz, {ratio}");
        }
    }
}
