//! Equaliser texts of Equalizer APO and AutoEQ.
//!
//! Understood are `Preamp:`, `Filter:` or `Filter 1:` with `ON` or `OFF`, and
//! `GraphicEQ:`; `#` starts a comment. Filters are `PK`, `PEQ` or `Modal`
//! (peaking), `LS`, `LSC`, `HS`, `HSC` (shelves), `LP`, `LPQ`, `HP`, `HPQ`, `NO`
//! (notch), `BP` and `None`, with `Fc 105 Hz Gain -2.6 dB Q 0.70` or
//! `BW Oct 1.2`. Anything else is an error that names the line: an equaliser that
//! is only half understood would sound wrong without a word.
//!
//! Format: the configuration reference of Equalizer APO.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2};
use std::ops::RangeInclusive;
use std::path::Path;

use super::{Band, Curve, Equaliser, Shape};
use crate::Error;

/// The most bands and points: more is not an equaliser but a mistake.
const MOST: usize = 10_000;

/// What the preamplifications may come to, in dB.
const PREAMP_DB: RangeInclusive<f64> = -120.0..=60.0;

/// Bandwidths in octaves whose quality is one that `Q` accepts.
const BANDWIDTH: RangeInclusive<f64> = 0.0015..=10.0;

impl Equaliser {
    /// Reads an equaliser text from a file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], or [`Error::Equaliser`] with file, line and reason.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::Io { path: path.to_owned(), action: "read", source };
        let bytes = std::fs::read(path).map_err(io)?;
        Self::parse(&String::from_utf8_lossy(&bytes), &path.display().to_string())
    }

    /// Reads an equaliser text; `name` is for the errors.
    ///
    /// # Errors
    ///
    /// [`Error::Equaliser`] with name, line and reason.
    pub fn parse(text: &str, name: &str) -> Result<Self, Error> {
        let mut equaliser = Self::default();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            equaliser.line(line).map_err(|reason| Error::Equaliser {
                name: name.to_owned(),
                line: index + 1,
                reason,
            })?;
        }
        Ok(equaliser)
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            return Ok(());
        }
        let Some((key, value)) = line.split_once(':') else {
            return Err(format!("`{line}` is no setting; expected is `Preamp: …` or `Filter: …`"));
        };
        let key: Vec<&str> = key.split_whitespace().collect();
        match key[..] {
            ["Preamp"] => {
                let gain = value.trim();
                let gain = gain.strip_suffix("dB").unwrap_or(gain);
                self.preamp_db += number("preamp", gain, PREAMP_DB)?;
                if !PREAMP_DB.contains(&self.preamp_db) {
                    return Err(format!(
                        "the preamps add up to {} dB; accepted is {} to {} dB",
                        self.preamp_db,
                        PREAMP_DB.start(),
                        PREAMP_DB.end()
                    ));
                }
            }
            ["Filter"] => self.bands.extend(band(value)?),
            ["Filter", digits] if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                self.bands.extend(band(value)?);
            }
            ["GraphicEQ"] => self.curves.push(curve(value)?),
            _ => {
                return Err(format!(
                    "`{}` is not supported; supported are Preamp, Filter and GraphicEQ",
                    key.join(" ")
                ));
            }
        }
        if self.bands.len() > MOST {
            return Err(format!("more than {MOST} filters"));
        }
        Ok(())
    }
}

/// A number within a range.
fn number(what: &str, text: &str, accepted: RangeInclusive<f64>) -> Result<f64, String> {
    // Some locales write a decimal comma.
    match text.trim().replace(',', ".").parse::<f64>() {
        Ok(value) if accepted.contains(&value) => Ok(value),
        _ => Err(format!(
            "{what} `{}`: accepted is a number from {} to {}",
            text.trim(),
            accepted.start(),
            accepted.end()
        )),
    }
}

/// What follows `Filter:`; nothing when it is off.
fn band(value: &str) -> Result<Option<Band>, String> {
    let mut words = value.split_whitespace().peekable();
    let on = match words.next() {
        Some("ON") => true,
        Some("OFF") => false,
        other => return Err(format!("`{}`: expected is ON or OFF", other.unwrap_or_default())),
    };
    let kind = words.next().unwrap_or_default();
    let (shape, has_gain, default_q) = match kind {
        "None" => return Ok(None),
        "PK" | "PEQ" | "Modal" => (Shape::Peaking, true, None),
        "LS" | "LSC" => (Shape::LowShelf, true, Some(FRAC_1_SQRT_2)),
        "HS" | "HSC" => (Shape::HighShelf, true, Some(FRAC_1_SQRT_2)),
        "LP" => (Shape::LowPass, false, Some(FRAC_1_SQRT_2)),
        "HP" => (Shape::HighPass, false, Some(FRAC_1_SQRT_2)),
        "LPQ" => (Shape::LowPass, false, None),
        "HPQ" => (Shape::HighPass, false, None),
        "NO" => (Shape::Notch, false, Some(30.0)),
        "BP" => (Shape::BandPass, false, None),
        other => {
            return Err(format!(
                "filter `{other}` is not supported; supported are PK, LS, LSC, HS, HSC, LP, LPQ, \
                 HP, HPQ, NO, BP and None"
            ));
        }
    };
    let (mut frequency, mut gain, mut q) = (None, None, None);
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_default();
        match word {
            "Fc" => frequency = Some(number("Fc", value(), 1.0..=400_000.0)?),
            "Gain" => gain = Some(number("gain", value(), -60.0..=60.0)?),
            "Q" => q = Some(number("Q", value(), 0.01..=1000.0)?),
            "BW" if words.next_if_eq(&"Oct").is_some() => {
                let octaves = number("bandwidth", words.next().unwrap_or_default(), BANDWIDTH)?;
                q = Some(0.5 / (0.5 * LN_2 * octaves).sinh());
            }
            other => return Err(format!("`{other}`: expected is Fc, Gain, Q or BW Oct")),
        }
        words.next_if(|word| matches!(*word, "Hz" | "dB"));
    }
    let missing = |what: &str| format!("filter {kind} has no {what}");
    let band = Band {
        shape,
        frequency_hz: frequency.ok_or_else(|| missing("Fc"))?,
        gain_db: if has_gain { gain.ok_or_else(|| missing("Gain"))? } else { 0.0 },
        q: q.or(default_q).ok_or_else(|| missing("Q"))?,
    };
    Ok(on.then_some(band))
}

/// What follows `GraphicEQ:`, `20 -1.5; 25 0.3; …`.
fn curve(value: &str) -> Result<Curve, String> {
    let mut points: Vec<(f64, f64)> = Vec::new();
    for point in value.split(';').map(str::trim).filter(|point| !point.is_empty()) {
        let Some((frequency, gain)) = point.split_once(char::is_whitespace) else {
            return Err(format!("`{point}`: expected is a frequency and a gain"));
        };
        let frequency = number("frequency", frequency, 0.1..=400_000.0)?;
        if points.last().is_some_and(|(last, _)| *last >= frequency) {
            return Err(format!("{frequency} Hz does not rise above the point before"));
        }
        points.push((frequency, number("gain", gain, -200.0..=60.0)?));
    }
    if points.is_empty() || points.len() > MOST {
        return Err(format!("{} points; accepted is 1 to {MOST}", points.len()));
    }
    Ok(Curve { points })
}
