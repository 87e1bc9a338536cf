//! Using another configuration, and other filters.

use std::sync::atomic::Ordering::Relaxed;

use totton_protocol::FaultKind;

use super::facts::{engine_facts, prospect};
use super::prepare;
use super::{Phase, Plan, Supervisor};
use crate::audio::realtime;
use crate::config::Config;
use crate::error::Error;
use crate::filters::FilterSet;

/// What good files end.
pub(super) const ENDED_BY_A_RELOAD: [FaultKind; 7] = [
    FaultKind::ConfigurationRefused,
    FaultKind::FilterMissing,
    FaultKind::FilterTruncated,
    FaultKind::FilterUnsuitable,
    FaultKind::FilterDamaged,
    FaultKind::FilterUnreadable,
    FaultKind::EqualiserRefused,
];

impl Supervisor {
    /// Reads configuration and filters again, and uses them if they are good.
    pub(super) fn reload(&mut self) -> Result<(), Error> {
        let base = Config::load(&self.plan.config_file)?;
        let (config, filters) = prepare::load(&base, &self.plan.settings.get().0)?;
        let before = std::mem::replace(&mut self.plan.base, base);
        let output = self.plan.base.output.clone();
        // Gain and mute may have been set on the page meanwhile: only what changed in the file counts.
        self.plan.settings.change(|settings| {
            if output.gain_db != before.output.gain_db {
                settings.sound.gain_db = output.gain_db;
            }
            if output.mute != before.output.mute {
                settings.sound.mute = output.mute;
            }
        });
        self.board.faults_end(&ENDED_BY_A_RELOAD);
        self.replace(config, filters, "Reloaded");
        self.board.flow().reloads.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Uses another configuration and its filters: as they are where that does not concern the
    /// stream, by a cross-fade where only the filter changes, else with a new stream.
    pub(super) fn replace(&mut self, config: Config, filters: FilterSet, what: &str) {
        let old = std::mem::replace(&mut self.plan.config, config);
        let new = &self.plan.config;
        self.board.facts().config = new.clone();
        if new.realtime.lock_memory && !old.realtime.lock_memory {
            realtime::lock_memory();
        }
        // Everything but what has been dealt with above, and the filter's place.
        let same = Config { output: old.output.clone(), filter: old.filter.clone(), ..new.clone() };
        let (same_ends, same_filters) = (same == old, filters == self.plan.filters);
        self.plan.filters = filters;
        if same_ends && same_filters {
            log::info!("{what}; the stream goes on as it was");
        } else if same_ends && self.crossfade() {
            log::info!("{what}; the new filter fades in");
        } else if !matches!(self.phase, Phase::Stuck) {
            log::info!("{what}; the stream is opened anew with the new settings");
            self.board.facts().engine = prospect(&self.plan.config, &self.plan.filters);
            // What is missing now shows in the state; the change itself has been done.
            let _ = self.restart();
        }
        self.board.apply_sound();
    }

    /// Fades the filter of the present filter set into the running stream. False
    /// when that cannot be done, and the stream must be opened anew.
    pub(super) fn crossfade(&mut self) -> bool {
        let load = self.board.facts().engine.as_ref().map_or(0.0, |engine| engine.load);
        let Phase::Streaming(running) = &mut self.phase else { return false };
        let Plan { config, filters, build_engine, .. } = &self.plan;
        let outgoing = 20.0 * running.filter.worst_case_gain.log10();
        let ended_by = self.board.flow().filter_swaps.load(Relaxed) + 1;
        let done = running.crossfade(config, filters, build_engine, load);
        match &done {
            Ok(()) => {
                let mut facts = self.board.facts();
                facts.outgoing_gain_db = Some((outgoing, ended_by));
                facts.engine = Some(engine_facts(config, &running.filter, load));
            }
            Err(error) => log::warn!("The new filter cannot be faded in: {error}"),
        }
        done.is_ok()
    }
}
