//! Getting other filters and equalisers ready, beside the sound and beside the
//! state machine: reading and folding take seconds for a long filter.

use std::sync::mpsc::{Sender, SyncSender};
use std::thread;

use totton_protocol::Settings;

use super::{Event, Outcome};
use crate::config::{CaptureRate, Config, INPUT_RATES};
use crate::error::Error;
use crate::filters::{FilterSet, Profile};

/// Settings on their way to be in force.
#[derive(Debug)]
pub struct Wanted {
    pub settings: Settings,
    /// The revision that they were made from: what has changed since is kept.
    pub revision: u64,
    pub reply: SyncSender<Result<(), Error>>,
}

/// Settings and what they need, ready.
#[derive(Debug)]
pub struct Prepared {
    pub(super) wanted: Wanted,
    /// The files' configuration with these settings over it, and its filters.
    pub(super) ready: Result<(Config, FilterSet), Error>,
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

/// Gets `wanted` ready in a thread of its own, which tells `events` of it. Of the equaliser's
/// filters the one for `now`, an input rate in Hz and a ratio, comes first; then those for the
/// other rates that the host may choose, so that its choice waits for none.
pub(super) fn begin(
    base: Config,
    wanted: Wanted,
    now: Option<(u32, usize)>,
    accepted: Vec<u32>,
    events: Sender<Event>,
) -> Outcome {
    let work = move || {
        let ready = load(&base, &wanted.settings).and_then(|(config, filters)| {
            now.map_or(Ok(()), |(rate, ratio)| filters.get(rate, ratio).map(drop))?;
            Ok((config, filters))
        });
        let later = ready.as_ref().ok().cloned();
        if events.send(Event::Prepared(Box::new(Prepared { wanted, ready }))).is_err() {
            return;
        }
        if let Some((config, filters)) = later {
            fold_ahead(&config, &filters, &accepted);
        }
    };
    thread::Builder::new()
        .name("prepare".to_owned())
        .spawn(work)
        .map(drop)
        .map_err(|source| Error::Thread { name: "prepare", source }.to_string())
}

fn fold_ahead(config: &Config, filters: &FilterSet, accepted: &[u32]) {
    if config.capture.rate != CaptureRate::Auto {
        return;
    }
    for rate in INPUT_RATES {
        if let Ok(ratio) = filters.ratio(config, rate, |rate| accepted.contains(&rate))
            && let Err(error) = filters.get(rate, ratio)
        {
            log::warn!("not ready for inputs of {rate} Hz: {error}");
        }
    }
}
