//! What can be got ready beside the sound and beside the state machine, and what comes of it.

use std::sync::mpsc::SyncSender;

use totton_dsp::Engine;
use totton_protocol::Settings;

use super::Outcome;
use super::facts::prospect;
use super::room::{Room, longest};
use crate::config::{CaptureRate, Config, INPUT_RATES, RatioChoice};
use crate::error::Error;
use crate::filters::{FilterSet, LoadedFilter, Profile};

/// Settings on their way to be in force.
#[derive(Debug)]
pub struct Wanted {
    pub settings: Settings,
    /// The revision that they were made from: what has changed since is kept.
    pub revision: u64,
    pub reply: SyncSender<Result<(), Error>>,
}

/// What somebody has asked to change.
#[derive(Debug)]
pub(super) enum Change {
    /// Other settings.
    Settings(Wanted),
    /// The configuration's files are to be read again.
    Files { reply: Option<SyncSender<Outcome>> },
}

/// A change, and what it is a change of.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) change: Change,
    /// Counts what was asked for: a newer change has a higher one, and keeps it when it is done anew.
    pub(super) number: u64,
    /// The files' configuration.
    pub(super) base: Config,
    /// The settings in force.
    pub(super) settings: Settings,
    /// The filters in use.
    pub(super) filters: FilterSet,
    /// What the open stream has.
    pub(super) now: Option<Key>,
    /// What there is for another engine beside it.
    pub(super) room: Room,
    /// What the supervisor has in use, by number: something else by the time that this is ready
    /// means that it is to be done anew.
    pub(super) generation: u64,
}

/// Configuration and filters, ready to be used.
#[derive(Debug)]
pub(super) struct Ready {
    /// What the files say.
    pub(super) base: Config,
    /// The same, with the settings over it.
    pub(super) config: Config,
    pub(super) filters: FilterSet,
    /// Whether the filters are those in use.
    pub(super) same_filters: bool,
    /// The engine that a stream would have.
    pub(super) prospect: Option<totton_protocol::Engine>,
    /// For the open stream, where it needs another engine.
    pub(super) made: Option<Made>,
    /// Memory has no room for that engine beside the one in use.
    pub(super) alone: bool,
}

impl Ready {
    /// Whether a stream may have that rate and ratio. Where the open one may not, the supervisor
    /// finds another when it opens the stream anew.
    pub(super) fn allows(&self, (rate, ratio): Key) -> bool {
        let rate_fits = match self.config.capture.rate {
            CaptureRate::Auto => true,
            CaptureRate::Fixed(fixed) => fixed == rate,
        };
        let ratio_fits = match self.config.engine.ratio {
            RatioChoice::Auto => true,
            RatioChoice::Fixed(fixed) => fixed == ratio,
        };
        rate_fits && ratio_fits && self.filters.source(rate, ratio).is_ok()
    }
}

/// A change that is ready, or why it cannot be.
#[derive(Debug)]
pub struct Prepared {
    pub(super) task: Task,
    pub(super) ready: Result<Ready, Error>,
}

/// What an engine is for: an input's rate in Hz, and the ratio.
pub(super) type Key = (u32, usize);

/// The engine that a stream needs.
#[derive(Debug, Clone)]
pub(super) struct Need {
    pub(super) key: Key,
    pub(super) config: Config,
    pub(super) filters: FilterSet,
    pub(super) generation: u64,
    /// Only the equaliser is left to be folded in: what can stand in for it has been made.
    pub(super) late: bool,
}

/// An engine and its filter.
pub struct Made {
    pub(super) key: Key,
    pub(super) generation: u64,
    pub(super) filter: LoadedFilter,
    pub(super) engine: Box<dyn Engine>,
    /// It stands in until the equaliser is folded in, which is under way.
    pub(super) stands_in: bool,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { key, generation, filter, stands_in, .. } = self;
        let taps = filter.filter.taps().len();
        write!(f, "Made {{ {key:?}, {generation}, {taps} taps, stands in: {stands_in} }}")
    }
}

/// What may be needed next: the equaliser's filters for the other rates of the host.
#[derive(Debug, Clone)]
pub(super) struct Ahead {
    pub(super) config: Config,
    pub(super) filters: FilterSet,
    /// Rates in Hz that the DAC accepts.
    pub(super) accepted: Vec<u32>,
}

impl Ahead {
    /// Rates of the input in Hz and ratios, the likeliest first: the lowest rates are what most
    /// music has.
    pub(super) fn keys(&self) -> Vec<Key> {
        if self.config.capture.rate != CaptureRate::Auto || self.filters.equaliser().is_none() {
            return vec![];
        }
        let ratio = |rate: u32| {
            let accepted = |rate: u32| self.accepted.contains(&rate);
            Some((rate, self.filters.ratio(&self.config, rate, accepted).ok()?))
        };
        INPUT_RATES.into_iter().filter_map(ratio).collect()
    }
}

/// Reads what `settings` choose, over the configuration `base`.
///
/// # Errors
/// When a filter, an equaliser or a name cannot be used.
pub fn load(base: &Config, settings: &Settings) -> Result<(Config, FilterSet), Error> {
    let config = base.with_settings(settings)?;
    let profile = Profile::of(settings)?;
    let filters = FilterSet::load(&config)?.with_profile(profile);
    Ok((config, filters))
}

impl Task {
    /// Reads what the change needs; the filters in use are used again where they are the same.
    pub(super) fn load(&self, config_file: &std::path::Path) -> Result<Ready, Error> {
        let base = match &self.change {
            Change::Settings(_) => self.base.clone(),
            Change::Files { .. } => Config::load(config_file)?,
        };
        let settings = match &self.change {
            Change::Settings(wanted) => &wanted.settings,
            Change::Files { .. } => &self.settings,
        };
        let (config, filters) = load(&base, settings)?;
        let same_filters = filters == self.filters;
        // What has been folded into them stays.
        let filters = if same_filters { self.filters.clone() } else { filters };
        let prospect = prospect(&config, &filters);
        let taps = longest(&filters).max(longest(&self.filters));
        let alone = !same_filters && self.room.engines(taps) < 2;
        Ok(Ready { base, config, filters, same_filters, prospect, made: None, alone })
    }

    /// Tells whoever has asked that it will not be done.
    pub(super) fn refuse(self, error: Error) {
        match self.change {
            Change::Settings(wanted) => drop(wanted.reply.send(Err(error))),
            Change::Files { reply: Some(reply) } => drop(reply.send(Err(error.to_string()))),
            Change::Files { reply: None } => {}
        }
    }
}
