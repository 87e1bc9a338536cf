//! The filters that the engine may have to convolve with: see
//! docs/decisions/0003-filters-and-ratios.md.
//!
//! There is a file for each rate family and ratio, `{family}-x{ratio}.filter`,
//! or only for the larger ratios: a filter made for the ratio 16 also holds
//! those for 8, 4, 2 and 1, as every second, fourth... of its taps.
//!
//! An equaliser is folded in for one rate and ratio at a time: its frequencies do
//! not scale with the rate as the filter's shape does. What has been made is kept, up to a bound
//! ([`kept`]).
//!
//! Reading, making a filter for a smaller ratio and folding take long for a long filter: only
//! the thread that prepares does it. The supervisor asks for what takes no time:
//! [`FilterSet::ratio`].

mod kept;
mod loaded;

use std::path::PathBuf;
use std::sync::Arc;

use totton_protocol::FaultKind;

pub use self::kept::{BUDGET_BYTES, Kept};
pub use self::loaded::{LoadedFilter, Profile};
use crate::config::{CaptureRate, Config, RATIOS, RatioChoice, rate_family};
use crate::error::Error;

/// An equaliser that lowers a frequency by more has no stand-in, in dB.
const STAND_IN_FROM_DB: f64 = -40.0;

/// The filters for every rate that the configuration lets the input have. All
/// files are read at once: a change of rate then waits for no disk, and a bad
/// file shows when it is put there and not when the host changes its rate.
#[derive(Debug, Clone)]
pub struct FilterSet {
    /// By family in Hz, then by ratio, rising.
    files: Vec<(u32, LoadedFilter)>,
    /// Why there is none.
    missing: Option<(PathBuf, FaultKind, String)>,
    profile: Option<Profile>,
    /// What has been made of the files so far; shared by all clones.
    made: Arc<Kept>,
}

impl PartialEq for FilterSet {
    fn eq(&self, other: &Self) -> bool {
        self.files == other.files && self.profile == other.profile
    }
}

impl FilterSet {
    /// Reads the filters that `config` names.
    ///
    /// # Errors
    /// [`Error::Filter`] when one is damaged, is not what its name says, or when a family that
    /// the input may have is left without a filter for the ratio.
    pub fn load(config: &Config) -> Result<Self, Error> {
        let needed: &[u32] = match config.capture.rate {
            CaptureRate::Auto => &[44_100, 48_000],
            CaptureRate::Fixed(rate) => &[rate_family(rate)],
        };
        let mut files: Vec<(u32, LoadedFilter)> = Vec::new();
        for family in needed {
            let mut paths: Vec<PathBuf> = vec![];
            for ratio in RATIOS {
                let path = config.filter.path(*family, ratio);
                if !paths.contains(&path) && path.exists() {
                    paths.push(path);
                }
            }
            if paths.is_empty() {
                let file = config.filter.path(*family, RATIOS[RATIOS.len() - 1]);
                let reason = format!(
                    "no such file, and none for a smaller ratio, for inputs of the {family} Hz family"
                );
                return Err(Error::Filter { file, fault: FaultKind::FilterMissing, reason });
            }
            for path in paths {
                // One file for both families: it is read once.
                let loaded = match files.iter().find(|(_, loaded)| loaded.file == path) {
                    Some((_, loaded)) => loaded.clone(),
                    None => LoadedFilter::load(&path)?,
                };
                check(&loaded, *family, config)?;
                files.push((*family, loaded));
            }
        }
        let set = Self { files, missing: None, profile: None, made: Arc::default() };
        if let RatioChoice::Fixed(ratio) = config.engine.ratio {
            for family in needed {
                set.source(*family, ratio)?;
            }
        }
        Ok(set)
    }

    /// No filter at all, and why: nothing can be played until there is one.
    #[must_use]
    pub fn none(file: PathBuf, fault: FaultKind, reason: String) -> Self {
        let missing = Some((file, fault, reason));
        Self { files: vec![], missing, profile: None, made: Arc::default() }
    }

    /// The rate families in Hz, and the files of each.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &LoadedFilter)> {
        self.files.iter().map(|(family, loaded)| (*family, loaded))
    }

    /// The same filters with an equaliser, or without.
    #[must_use]
    pub fn with_profile(self, profile: Option<Profile>) -> Self {
        Self { profile, made: Arc::default(), ..self }
    }

    /// The name of the equaliser, where there is one.
    pub fn equaliser(&self) -> Option<&str> {
        self.profile.as_ref().map(|profile| profile.name.as_str())
    }

    /// Bytes of what has been made of the files, and is kept.
    pub fn kept_bytes(&self) -> usize {
        self.made.bytes()
    }

    /// Ends what is kept: these filters are no longer in use, whoever still holds them.
    pub fn end(&self) {
        self.made.end();
    }

    /// Whether that filter can be kept without another one having to go.
    pub fn has_room_for(&self, rate: u32, ratio: usize) -> bool {
        let source = self
            .source(rate, ratio)
            .map_or(0, |source| source.bytes() * ratio / source.filter.ratio().max(1));
        self.made.get((rate, ratio)).is_some() || self.kept_bytes() + source <= BUDGET_BYTES
    }

    /// The filter for inputs of `rate` Hz and `ratio`, with the equaliser. Takes seconds for a
    /// long filter, the first time.
    ///
    /// # Errors
    /// As [`plain`](Self::plain); [`Error::Profile`] when the equaliser does not fit the rate.
    pub fn get(&self, rate: u32, ratio: usize) -> Result<LoadedFilter, Error> {
        self.get_while(rate, ratio, &mut || true)
    }

    /// The same, made while `go_on` says so.
    ///
    /// # Errors
    /// As [`get`](Self::get); [`Error::Stopped`] when it was told to stop.
    pub fn get_while(
        &self,
        rate: u32,
        ratio: usize,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<LoadedFilter, Error> {
        let Some(profile) = &self.profile else { return self.plain(rate, ratio) };
        if let Some(found) = self.made.get((rate, ratio)) {
            return Ok(found);
        }
        let made = self.plain(rate, ratio)?.equalised(rate, profile, go_on)?;
        self.made.keep((rate, ratio), made.clone());
        Ok(made)
    }

    /// The filter without its equaliser, and lowered to what that leaves of the frequency that it
    /// lowers most: no frequency is louder than it will be with it. `None` without an equaliser,
    /// or when that would be close to silence.
    ///
    /// # Errors
    /// As [`plain`](Self::plain).
    pub fn stand_in(&self, rate: u32, ratio: usize) -> Result<Option<LoadedFilter>, Error> {
        let Some(profile) = &self.profile else { return Ok(None) };
        let (least, _) = profile.equaliser.gain_range_db(f64::from(rate) * ratio as f64);
        if least < STAND_IN_FROM_DB {
            return Ok(None);
        }
        self.plain(rate, ratio)?.lowered(least.min(0.0)).map(Some)
    }

    /// The filter for inputs of `rate` Hz and `ratio`, without an equaliser: the file made for
    /// that ratio, else what the file of the next larger ratio holds.
    ///
    /// # Errors
    /// [`Error::Filter`] when there is none for so large a ratio.
    pub fn plain(&self, rate: u32, ratio: usize) -> Result<LoadedFilter, Error> {
        let source = self.source(rate, ratio)?;
        let smaller = source.at_ratio(ratio);
        smaller.ok_or_else(|| Error::Engine { reason: format!("no filter for the ratio {ratio}") })
    }

    /// The file that holds the filter for inputs of `rate` Hz and `ratio`.
    ///
    /// # Errors
    /// [`Error::Filter`] when there is none for so large a ratio.
    pub fn source(&self, rate: u32, ratio: usize) -> Result<&LoadedFilter, Error> {
        let loaded = || self.of_family(rate);
        let holds = |loaded: &&LoadedFilter| loaded.filter.ratio().is_multiple_of(ratio.max(1));
        loaded().find(holds).ok_or_else(|| match loaded().last() {
            Some(largest) => Error::Filter {
                file: largest.file.clone(),
                fault: FaultKind::FilterUnsuitable,
                reason: format!(
                    "it is for the ratio {}, and none is there for the ratio {ratio}",
                    largest.filter.ratio()
                ),
            },
            None => match self.missing.clone() {
                Some((file, fault, reason)) => Error::Filter { file, fault, reason },
                None => Error::Engine { reason: format!("no filter is loaded for {rate} Hz") },
            },
        })
    }

    fn of_family(&self, rate: u32) -> impl Iterator<Item = &LoadedFilter> {
        let family = rate_family(rate);
        self.files.iter().filter(move |(f, _)| *f == family).map(|(_, loaded)| loaded)
    }

    /// The ratio for inputs of `rate` Hz: the fixed one, or the largest that leads to an output
    /// rate in Hz that is `accepted`.
    ///
    /// # Errors
    /// [`Error::NoRate`] when no rate is accepted.
    pub fn ratio(
        &self,
        config: &Config,
        rate: u32,
        accepted: impl Fn(u32) -> bool,
    ) -> Result<usize, Error> {
        let rate_out = |ratio: usize| rate.saturating_mul(ratio as u32);
        let (largest, highest) = (self.largest_ratio(rate), config.playback.max_rate);
        match config.engine.ratio {
            RatioChoice::Fixed(ratio) if accepted(rate_out(ratio)) => Ok(ratio),
            RatioChoice::Fixed(ratio) => {
                let wanted = format!("{} Hz, {ratio} times {rate} Hz", rate_out(ratio));
                Err(Error::NoRate { wanted })
            }
            RatioChoice::Auto => RATIOS
                .into_iter()
                .rev()
                .filter(|ratio| *ratio <= largest && rate_out(*ratio) <= highest)
                .find(|ratio| accepted(rate_out(*ratio)))
                .ok_or_else(|| Error::NoRate {
                    wanted: format!("{rate} Hz times 1, 2, 4... {largest}, at most {highest} Hz"),
                }),
        }
    }

    /// The largest ratio that there is a filter for, for inputs of `rate` Hz.
    pub fn largest_ratio(&self, rate: u32) -> usize {
        self.of_family(rate).map(|loaded| loaded.filter.ratio()).max().unwrap_or(1)
    }
}

fn check(loaded: &LoadedFilter, family: u32, config: &Config) -> Result<(), Error> {
    let header = loaded.filter.header();
    let fault = FaultKind::FilterUnsuitable;
    let wrong = |reason| Err(Error::Filter { file: loaded.file.clone(), fault, reason });
    // A path without a placeholder says: this one for all; a filter's shape scales with the rate.
    if config.filter.is_per_ratio()
        && config.filter.path(family, loaded.filter.ratio()) != loaded.file
    {
        return wrong(format!("it is for the ratio {}, its name says another", header.ratio));
    }
    if config.filter.is_per_family() && rate_family(header.input_rate_hz) != family {
        return wrong(format!(
            "it is for inputs of {} Hz, its name says the family of {family} Hz",
            header.input_rate_hz
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use totton_dsp::{DesignSpec, Equaliser, Measurement, design};

    use super::*;

    fn designed(folder: &Path, name: &str, input_rate_hz: u32, ratio: u32) {
        let spec = DesignSpec {
            taps: 100 * ratio as usize,
            input_rate_hz,
            ratio,
            attenuation_db: 80.0,
            passband_hz: Some(f64::from(input_rate_hz) * 0.4),
            ..DesignSpec::default()
        };
        design(&spec, &mut |_, _| {}).unwrap().save(&folder.join(name)).unwrap();
    }

    fn config(folder: &Path, rest: &str) -> Config {
        let path = folder.join("{family}-x{ratio}.filter");
        let text = format!("[filter]\npath = {path:?}\n{rest}");
        Config::from_text(&text, Path::new("upsampler.toml")).unwrap()
    }

    #[test]
    fn a_filter_of_every_version_so_far_is_read() {
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples");
        let loaded =
            LoadedFilter::load(&samples.join("0.1.0/filters/short-44100-x2.filter")).unwrap();
        let header = loaded.filter.header();
        assert_eq!((header.input_rate_hz, header.ratio), (44_100, 2));
        assert_eq!(loaded.filter.taps().len(), 64);
        // As the design of that version had it: 0 dB at 0 Hz.
        assert!((header.dc_gain - 1.0).abs() < 0.01, "{}", header.dc_gain);
    }

    #[test]
    fn a_larger_ratio_serves_where_the_ratio_has_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        designed(place, "44100-x16.filter", 44_100, 16);
        designed(place, "44100-x4.filter", 44_100, 4);
        designed(place, "48000-x8.filter", 48_000, 8);
        let set = FilterSet::load(&config(place, "")).unwrap();
        let found = |rate, ratio| {
            let loaded = set.get(rate, ratio).unwrap();
            let name = loaded.file.file_name().unwrap().to_str().unwrap().to_owned();
            (name, loaded.filter.ratio(), loaded.filter.taps().len())
        };
        assert_eq!(found(44_100, 16), ("44100-x16.filter".to_owned(), 16, 1600));
        assert_eq!(found(88_200, 8), ("44100-x16.filter".to_owned(), 8, 800));
        assert_eq!(found(176_400, 4), ("44100-x4.filter".to_owned(), 4, 400));
        assert_eq!(found(176_400, 2), ("44100-x4.filter".to_owned(), 2, 200));
        assert_eq!(found(96_000, 8), ("48000-x8.filter".to_owned(), 8, 800));
        assert_eq!((set.largest_ratio(88_200), set.largest_ratio(48_000)), (16, 8));
        let refused = set.get(48_000, 16).unwrap_err().to_string();
        assert!(refused.contains("48000-x8.filter") && refused.contains("ratio 16"), "{refused}");
    }

    #[test]
    fn a_derived_filter_filters_as_the_one_it_comes_from() {
        let folder = tempfile::tempdir().unwrap();
        designed(folder.path(), "44100-x16.filter", 44_100, 16);
        let text = "[capture]\nrate = 44100";
        let set = FilterSet::load(&config(folder.path(), text)).unwrap();
        let figures = |ratio| Measurement::new(&set.get(44_100, ratio).unwrap().filter).figures();
        let whole = figures(16);
        for ratio in [8, 4, 2] {
            let part = figures(ratio);
            assert!((part.ripple_db - whole.ripple_db).abs() < 0.01, "x{ratio}: {part:?}");
            assert!((part.delay_1k_seconds - whole.delay_1k_seconds).abs() < 1e-6, "{part:?}");
            // The images of a ratio fold onto one another: 8 of them add 18 dB at the most.
            let levels = (part.stopband_db.unwrap(), whole.stopband_db.unwrap());
            assert!(levels.0 < levels.1 + 18.1, "x{ratio}: {levels:?}");
        }
    }

    #[test]
    fn the_ratio_follows_the_dac_unless_it_is_fixed() {
        let folder = tempfile::tempdir().unwrap();
        designed(folder.path(), "44100-x16.filter", 44_100, 16);
        designed(folder.path(), "48000-x8.filter", 48_000, 8);
        let ratio = |rest: &str, rate, rates: &[u32]| {
            let config = config(folder.path(), rest);
            let set = FilterSet::load(&config).unwrap();
            let ratio = set.ratio(&config, rate, |rate| rates.contains(&rate))?;
            set.get(rate, ratio).map(|loaded| loaded.filter.ratio())
        };
        let all = crate::device::dac::OUTPUT_RATES;
        assert_eq!(ratio("", 44_100, &all).unwrap(), 16);
        assert_eq!(ratio("", 176_400, &all).unwrap(), 4);
        assert_eq!(ratio("", 48_000, &all).unwrap(), 8, "no filter for more");
        assert_eq!(ratio("", 192_000, &all).unwrap(), 4);
        assert_eq!(ratio("", 44_100, &[88_200, 96_000, 192_000]).unwrap(), 2);
        assert_eq!(ratio("", 88_200, &[88_200, 96_000, 192_000]).unwrap(), 1);
        assert_eq!(ratio("[playback]\nmax_rate = 400000", 44_100, &all).unwrap(), 8);
        assert_eq!(ratio("[engine]\nratio = 2", 44_100, &all).unwrap(), 2);
        let refused = ratio("", 44_100, &[48_000]).unwrap_err().to_string();
        assert!(refused.contains("44100 Hz times 1, 2, 4... 16, at most 768000 Hz"), "{refused}");
        let refused = ratio("[engine]\nratio = 8", 192_000, &all).unwrap_err().to_string();
        assert!(refused.contains("1536000 Hz, 8 times 192000 Hz"), "{refused}");
    }

    #[test]
    fn a_file_that_is_not_what_its_name_says_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        let refusal = || {
            let text = "[capture]\nrate = 48000\n[engine]\nratio = 8";
            FilterSet::load(&config(place, text)).unwrap_err().to_string()
        };
        assert!(refusal().contains("48000-x16.filter"), "{}", refusal());
        designed(place, "48000-x8.filter", 44_100, 8);
        assert!(refusal().contains("its name says the family of 48000 Hz"), "{}", refusal());
        designed(place, "48000-x8.filter", 48_000, 4);
        assert!(refusal().contains("for the ratio 4, its name says another"), "{}", refusal());
        std::fs::remove_file(place.join("48000-x8.filter")).unwrap();
        designed(place, "48000-x4.filter", 48_000, 4);
        assert!(refusal().contains("none is there for the ratio 8"), "{}", refusal());
    }

    #[test]
    fn the_worst_case_gain_is_what_the_worst_input_brings_out() {
        let folder = tempfile::tempdir().unwrap();
        designed(folder.path(), "44100-x16.filter", 44_100, 16);
        let loaded = LoadedFilter::load(&folder.path().join("44100-x16.filter")).unwrap();
        let (taps, ratio) = (loaded.filter.taps(), 16);
        let mut worst = 0.0f64;
        for phase in 0..ratio {
            // An input of full scale whose signs are those of the taps that it meets.
            let sum = |input: &dyn Fn(f64) -> f64| -> f64 {
                taps.iter().skip(phase).step_by(ratio).map(|tap| tap * input(*tap)).sum()
            };
            worst = worst.max(sum(&|tap: f64| tap.signum()));
            assert!(sum(&|_| 1.0).abs() <= loaded.worst_case_gain + 1e-12);
        }
        assert!((loaded.worst_case_gain - worst).abs() < 1e-12 && worst > 1.2, "{worst}");
    }

    #[test]
    fn an_equaliser_keeps_its_frequencies_at_every_rate() {
        let folder = tempfile::tempdir().unwrap();
        designed(folder.path(), "44100-x16.filter", 44_100, 16);
        let profile = Profile {
            name: "dip".to_owned(),
            equaliser: Equaliser::parse("Filter: ON PK Fc 3000 Hz Gain -12 dB Q 1", "dip").unwrap(),
        };
        let config = config(folder.path(), "[capture]\nrate = 44100");
        let set = FilterSet::load(&config).unwrap().with_profile(Some(profile));
        for (rate, ratio) in [(44_100u32, 16usize), (88_200, 8), (176_400, 2)] {
            let loaded = set.get(rate, ratio).unwrap();
            assert_eq!(loaded.equaliser.as_deref(), Some("dip"));
            let gain_db = |hz: f64| {
                let step = std::f64::consts::TAU * hz / f64::from(rate * ratio as u32);
                let (mut re, mut im) = (0.0, 0.0);
                for (n, tap) in loaded.filter.taps().iter().enumerate() {
                    let (sine, cosine) = (step * n as f64).sin_cos();
                    re += tap * cosine;
                    im -= tap * sine;
                }
                20.0 * (f64::hypot(re, im) / ratio as f64).log10()
            };
            assert!((gain_db(3000.0) + 12.0).abs() < 0.05, "{rate}: {}", gain_db(3000.0));
            assert!(gain_db(200.0).abs() < 0.1, "{rate}: {}", gain_db(200.0));
        }
    }
}
