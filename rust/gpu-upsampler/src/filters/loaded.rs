//! One filter in memory, and an equaliser for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use totton_dsp::{Equaliser, Filter};
use totton_protocol::FaultKind;

use crate::error::Error;

/// A filter and the file it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedFilter {
    pub file: PathBuf,
    pub filter: Arc<Filter>,
    /// Name of the equaliser that is folded in.
    pub equaliser: Option<String>,
    /// The most that any input of full scale can come out at, as an amplitude.
    pub worst_case_gain: f64,
    /// Index of the largest tap: what the filter delays a click by, in output frames.
    pub peak: usize,
}

/// The largest sum of the taps' magnitudes over the phases: an output sample is
/// the sum of one phase's taps times input samples, and the worst input has full
/// scale everywhere, with the sign of the tap that it meets.
fn worst_case_gain(filter: &Filter) -> f64 {
    let mut phases = vec![0.0; filter.ratio()];
    for frame in filter.taps().chunks(filter.ratio()) {
        phases.iter_mut().zip(frame).for_each(|(sum, tap)| *sum += tap.abs());
    }
    phases.into_iter().fold(0.0, f64::max)
}

impl LoadedFilter {
    /// Reads the filter in `file`.
    ///
    /// # Errors
    /// [`Error::Filter`] when it is missing or damaged.
    pub fn load(file: &Path) -> Result<Self, Error> {
        let filter = Filter::load(file).map_err(|e| Error::Filter {
            file: file.to_owned(),
            fault: fault(&e),
            reason: e.to_string(),
        })?;
        Ok(Self::new(file.to_owned(), filter))
    }

    pub(super) fn new(file: PathBuf, filter: Filter) -> Self {
        let worst_case_gain = worst_case_gain(&filter);
        let taps = filter.taps().iter().enumerate();
        let peak = taps.max_by(|(_, a), (_, b)| a.abs().total_cmp(&b.abs()));
        let peak = peak.map_or(0, |(index, _)| index);
        Self { file, filter: Arc::new(filter), equaliser: None, worst_case_gain, peak }
    }

    /// The same with an equaliser for inputs of `rate` Hz, made while `go_on` says so.
    ///
    /// # Errors
    /// [`Error::Profile`] when the equaliser does not fit the rate, [`Error::Stopped`].
    pub(super) fn equalised(
        &self,
        rate: u32,
        profile: &Profile,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Self, Error> {
        let refused = |error: totton_dsp::Error| match error {
            totton_dsp::Error::Stopped => Error::Stopped,
            error => Error::Profile { name: profile.name.clone(), reason: error.to_string() },
        };
        let filter = profile.equaliser.apply_while(&self.filter, rate, go_on).map_err(refused)?;
        let equaliser = Some(profile.name.clone());
        Ok(Self { equaliser, ..Self::new(self.file.clone(), filter) })
    }

    /// The same, lower by `gain_db`, a negative number.
    ///
    /// # Errors
    /// [`Error::Engine`]: the taps were fit, and are smaller.
    pub(super) fn lowered(&self, gain_db: f64) -> Result<Self, Error> {
        let header = self.filter.header();
        let gain = 10f64.powf(gain_db / 20.0);
        let taps = self.filter.taps().iter().map(|tap| tap * gain).collect();
        let (rate, ratio) = (header.input_rate_hz, header.ratio);
        let filter = Filter::new(rate, ratio, header.phase, header.origin.clone(), taps)
            .map_err(|error| Error::Engine { reason: error.to_string() })?;
        Ok(Self::new(self.file.clone(), filter))
    }

    /// Bytes of the taps.
    pub(super) fn bytes(&self) -> usize {
        std::mem::size_of_val(self.filter.taps())
    }

    /// The same filter for a smaller `ratio`; itself for its own.
    pub(super) fn at_ratio(&self, ratio: usize) -> Option<Self> {
        if self.filter.ratio() == ratio {
            return Some(self.clone());
        }
        let ratio = u32::try_from(ratio).ok()?;
        let filter = self.filter.at(self.filter.header().input_rate_hz, ratio).ok()?;
        Some(Self::new(self.file.clone(), filter))
    }
}

/// What kind of fault a filter's error is.
fn fault(error: &totton_dsp::Error) -> FaultKind {
    match error {
        totton_dsp::Error::Io { .. } => FaultKind::FilterMissing,
        totton_dsp::Error::Length { .. } => FaultKind::FilterTruncated,
        totton_dsp::Error::Checksum { .. } | totton_dsp::Error::Tap { .. } => {
            FaultKind::FilterDamaged
        }
        _ => FaultKind::FilterUnreadable,
    }
}

/// An equaliser and its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    pub name: String,
    pub equaliser: Equaliser,
}

impl Profile {
    /// The profile that the settings hold, if any.
    ///
    /// # Errors
    /// [`Error::Profile`] when its text cannot be used.
    pub fn of(settings: &totton_protocol::Settings) -> Result<Option<Self>, Error> {
        let Some(totton_protocol::Equaliser { name, text }) = &settings.equaliser else {
            return Ok(None);
        };
        let name = name.as_str().to_owned();
        match crate::equaliser::check(&name, text.as_str()) {
            Ok(equaliser) => Ok(Some(Self { name, equaliser })),
            Err(refusal) => Err(Error::Profile { name, reason: refusal.message }),
        }
    }
}
