//! Equaliser profiles as the page edits them, and the text of Equalizer APO that
//! the daemon takes.

use std::fmt::Write;

use realfft::RealFftPlanner;
use serde::{Deserialize, Serialize};
use totton_dsp::equaliser::{self, Curve as DspCurve};
use totton_dsp::{Equaliser, Filter, Origin, Phase};
use totton_protocol::Name;
use totton_protocol::text::quoted;
use utoipa::ToSchema;

use crate::problem::Problem;

/// The most bands and the most curves of a profile.
pub const BANDS: usize = 100;

/// The most points of a curve.
pub const POINTS: usize = 1000;

/// What a band does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    Peaking,
    LowShelf,
    HighShelf,
    LowPass,
    HighPass,
    Notch,
    BandPass,
}

/// Each shape with totton-dsp's name, Equalizer APO's word, and whether it has a gain.
const SHAPES: [(Shape, equaliser::Shape, &str, bool); 7] = [
    (Shape::Peaking, equaliser::Shape::Peaking, "PK", true),
    (Shape::LowShelf, equaliser::Shape::LowShelf, "LSC", true),
    (Shape::HighShelf, equaliser::Shape::HighShelf, "HSC", true),
    (Shape::LowPass, equaliser::Shape::LowPass, "LPQ", false),
    (Shape::HighPass, equaliser::Shape::HighPass, "HPQ", false),
    (Shape::Notch, equaliser::Shape::Notch, "NO", false),
    (Shape::BandPass, equaliser::Shape::BandPass, "BP", false),
];

/// One band.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Band {
    pub shape: Shape,
    /// Centre or corner in Hz.
    #[schema(minimum = 1, maximum = 100000)]
    pub frequency_hz: f64,
    /// Gain in dB; passes and notches have none.
    #[schema(minimum = -60, maximum = 60)]
    pub gain_db: f64,
    /// Quality.
    #[schema(minimum = 0.01, maximum = 1000)]
    pub q: f64,
    /// Whether it does anything.
    pub on: bool,
}

/// A graphic curve: gains over rising frequencies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// Pairs of a frequency in Hz and a gain in dB.
    #[schema(min_items = 1, max_items = 1000)]
    pub points: Vec<[f64; 2]>,
}

/// An equaliser with a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// A name for people.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// Gain before the bands in dB.
    #[schema(minimum = -120, maximum = 60)]
    pub preamp_db: f64,
    #[schema(max_items = 100)]
    pub bands: Vec<Band>,
    #[serde(default)]
    #[schema(max_items = 100)]
    pub curves: Vec<Curve>,
    /// Whose work it is, to be shown with it.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub credit: Option<String>,
}

impl Profile {
    /// Reads a text of Equalizer APO or AutoEQ.
    ///
    /// # Errors
    /// 422 with the line at fault.
    pub fn parse(name: &str, text: &str) -> Result<Self, Problem> {
        let read = Equaliser::parse(text, "the text").map_err(|error| {
            Problem::not_accepted(
                error.to_string(),
                "Send Preamp:, Filter: and GraphicEQ: lines, as Equalizer APO and AutoEQ write them.",
            )
        })?;
        let bands = read.bands.iter().map(|band| Band {
            shape: SHAPES
                .iter()
                .find(|row| row.1 == band.shape)
                .map_or(Shape::Peaking, |row| row.0),
            frequency_hz: band.frequency_hz,
            gain_db: band.gain_db,
            q: (band.q * 1e4).round() / 1e4,
            on: true,
        });
        let profile = Self {
            name: name.trim().to_owned(),
            preamp_db: read.preamp_db,
            bands: bands.collect(),
            curves: read
                .curves
                .into_iter()
                .map(|curve| Curve {
                    points: curve.points.into_iter().map(|(hz, db)| [hz, db]).collect(),
                })
                .collect(),
            credit: None,
        };
        profile.check()?;
        Ok(profile)
    }

    /// Checks every value.
    ///
    /// # Errors
    /// 422 naming the first that is not accepted.
    pub fn check(&self) -> Result<(), Problem> {
        let refuse = |what: String, accepted: &str| {
            Err(Problem::not_accepted(what, format!("Accepted: {accepted}.")))
        };
        // As the daemon takes it.
        let plain = |text: &str| text.parse::<Name>().is_ok();
        if !plain(&self.name) {
            let found = format!("name is {}", quoted(&self.name));
            return refuse(found, "1 to 200 visible characters on one line");
        }
        if !self.credit.as_deref().is_none_or(|text| text.is_empty() || plain(text)) {
            return refuse("credit is too long".to_owned(), "at most 200 characters on one line");
        }
        if !(-120.0..=60.0).contains(&self.preamp_db) {
            return refuse(format!("preamp_db is {}", self.preamp_db), "-120 to 60 (dB)");
        }
        if self.bands.len() > BANDS || self.curves.len() > BANDS {
            return refuse("there are too many bands or curves".to_owned(), "at most 100 of each");
        }
        for (number, band) in self.bands.iter().enumerate().map(|(index, band)| (index + 1, band)) {
            if !(1.0..=100_000.0).contains(&band.frequency_hz) {
                let what = format!("frequency_hz of band {number} is {}", band.frequency_hz);
                return refuse(what, "1 to 100000 (Hz)");
            }
            if !(-60.0..=60.0).contains(&band.gain_db) {
                return refuse(
                    format!("gain_db of band {number} is {}", band.gain_db),
                    "-60 to 60 (dB)",
                );
            }
            if !(0.01..=1000.0).contains(&band.q) {
                return refuse(format!("q of band {number} is {}", band.q), "0.01 to 1000");
            }
        }
        for Curve { points } in &self.curves {
            let rising = points.windows(2).all(|pair| pair[0][0] < pair[1][0]);
            let inside = |&[hz, db]: &[f64; 2]| {
                (0.1..=400_000.0).contains(&hz) && (-200.0..=60.0).contains(&db)
            };
            if points.is_empty() || points.len() > POINTS || !rising || !points.iter().all(inside) {
                let accepted = "1 to 1000 points of rising frequencies, -200 to 60 dB";
                return refuse("a curve has other points".to_owned(), accepted);
            }
        }
        Ok(())
    }

    /// The text of Equalizer APO.
    pub fn text(&self) -> String {
        let mut text = format!("Preamp: {} dB\n", self.preamp_db);
        for (index, band) in self.bands.iter().enumerate() {
            let Some((.., word, gain)) = SHAPES.iter().find(|row| row.0 == band.shape) else {
                continue;
            };
            let on = if band.on { "ON" } else { "OFF" };
            let _ = write!(text, "Filter {}: {on} {word} Fc {} Hz", index + 1, band.frequency_hz);
            if *gain {
                let _ = write!(text, " Gain {} dB", band.gain_db);
            }
            let _ = writeln!(text, " Q {}", band.q);
        }
        for curve in &self.curves {
            let points: Vec<_> = curve.points.iter().map(|[hz, db]| format!("{hz} {db}")).collect();
            let _ = writeln!(text, "GraphicEQ: {}", points.join("; "));
        }
        text
    }

    /// Whether it changes nothing.
    pub fn is_flat(&self) -> bool {
        self.preamp_db == 0.0 && self.curves.is_empty() && !self.bands.iter().any(|band| band.on)
    }

    /// What the equaliser really does: it is folded into a single tap just as the
    /// daemon folds it into its filter, and the taps' spectrum is taken. Pairs of
    /// a frequency in Hz and a level in dB, 20 Hz to 20 kHz.
    ///
    /// # Errors
    /// 422 for bands that cannot be folded.
    pub fn measure(&self) -> Result<Vec<[f64; 2]>, Problem> {
        const RATE: u32 = 44_100;
        const RATIO: u32 = 4;
        let refused = |error: totton_dsp::Error| {
            Problem::not_accepted(error.to_string(), "Change the band; the daemon cannot use it.")
        };
        let shape = |shape| SHAPES.iter().find(|row| row.0 == shape).map(|row| row.1);
        let equaliser = Equaliser {
            preamp_db: self.preamp_db,
            bands: self
                .bands
                .iter()
                .filter(|band| band.on)
                .filter_map(|band| {
                    Some(equaliser::Band {
                        shape: shape(band.shape)?,
                        frequency_hz: band.frequency_hz,
                        gain_db: band.gain_db,
                        q: band.q,
                    })
                })
                .collect(),
            curves: self
                .curves
                .iter()
                .map(|curve| DspCurve {
                    points: curve.points.iter().map(|&[hz, db]| (hz, db)).collect(),
                })
                .collect(),
        };
        let origin = Origin::Imported { source: "one tap".to_owned() };
        let tap = Filter::new(RATE, RATIO, Phase::Minimum, origin, vec![f64::from(RATIO)]);
        let folded = equaliser.apply(&tap.map_err(refused)?).map_err(refused)?;

        let taps = folded.taps();
        let length = taps.len().next_power_of_two().max(1 << 17);
        let transform = RealFftPlanner::<f64>::new().plan_fft_forward(length);
        let (mut time, mut bins) = (transform.make_input_vec(), transform.make_output_vec());
        time[..taps.len()].copy_from_slice(taps);
        transform
            .process(&mut time, &mut bins)
            .map_err(|error| Problem::failed(format!("the spectrum: {error}")))?;
        let rate = f64::from(RATE * RATIO);
        Ok((0..=160)
            .map(|index| 20.0 * 1000_f64.powf(f64::from(index) / 160.0))
            .map(|hz| {
                let bin = (hz / rate * length as f64).round() as usize;
                let level = 20.0 * (bins[bin].norm() / f64::from(RATIO)).max(1e-10).log10();
                [(hz * 10.0).round() / 10.0, (level * 100.0).round() / 100.0]
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Preamp: -6.2 dB\nFilter 1: ON LSC Fc 105 Hz Gain 5.5 dB Q 0.71\n\
        Filter 2: ON PK Fc 3200 Hz Gain -3.1 dB Q 2\nFilter 3: ON HPQ Fc 20 Hz Q 0.7\n\
        GraphicEQ: 20 0; 1000 1.5; 20000 -2\n";

    #[test]
    fn a_text_comes_back_as_it_was() {
        let profile = Profile::parse("My headphone", TEXT).unwrap();
        assert_eq!((profile.bands.len(), profile.curves.len()), (3, 1));
        assert_eq!(profile.bands[0].shape, Shape::LowShelf);
        assert_eq!(profile.text(), TEXT);
        let again = Profile::parse("My headphone", &profile.text()).unwrap();
        assert_eq!(again, profile);
    }

    #[test]
    fn a_band_that_is_off_is_written_and_does_nothing() {
        let mut profile = Profile::parse("x", "Filter: ON PK Fc 1000 Hz Gain 9 dB Q 1").unwrap();
        profile.bands[0].on = false;
        assert!(profile.text().contains("Filter 1: OFF PK"));
        assert!(profile.is_flat());
        assert!(profile.measure().unwrap().iter().all(|[_, db]| db.abs() < 0.01));
    }

    #[test]
    fn the_measured_response_is_the_bands_own() {
        let profile =
            Profile::parse("x", "Preamp: -2 dB\nFilter: ON PK Fc 1000 Hz Gain 6 dB Q 1.4").unwrap();
        let points = profile.measure().unwrap();
        let near = |wanted: f64| {
            points
                .iter()
                .min_by(|a, b| (a[0] - wanted).abs().total_cmp(&(b[0] - wanted).abs()))
                .unwrap()[1]
        };
        assert!((near(1000.0) - 4.0).abs() < 0.05, "{}", near(1000.0));
        assert!((near(30.0) + 2.0).abs() < 0.05 && (near(19_000.0) + 2.0).abs() < 0.05);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let good = Profile::parse("x", TEXT).unwrap();
        let mut bad = good.clone();
        bad.bands[1].q = 0.0;
        assert!(bad.check().unwrap_err().detail().contains("q of band 2"));
        bad = Profile { preamp_db: f64::NAN, ..good.clone() };
        assert!(bad.check().is_err());
        bad = Profile { name: "a\nb".into(), ..good.clone() };
        assert!(bad.check().is_err());
        bad = Profile { curves: vec![Curve { points: vec![[9.0, 0.0], [8.0, 0.0]] }], ..good };
        assert!(bad.check().is_err());
        let error = Profile::parse("x", "Filter: ON XX Fc 1 Hz").unwrap_err();
        assert!(
            error.detail().contains("line 1") || error.detail().contains(":1"),
            "{}",
            error.detail()
        );
    }
}
