//! Using another configuration, and other filters.

use std::sync::atomic::Ordering::Relaxed;

use totton_protocol::FaultKind;

use super::facts::engine_facts;
use super::prepare::Ready;
use super::{Phase, Supervisor};
use crate::audio::realtime;
use crate::config::Config;

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
    /// Uses another configuration and its filters: as they are where that does not concern the
    /// stream, by a cross-fade where only the filter changes, else with a new stream. `done` hears
    /// that it is so.
    pub(super) fn replace(
        &mut self,
        ready: Ready,
        what: &str,
        done: impl FnOnce() + Send + 'static,
    ) {
        let Ready { config, filters, same_filters, prospect, made, alone, .. } = ready;
        let old = std::mem::replace(&mut self.plan.config, config);
        let new = &self.plan.config;
        self.board.facts().config = new.clone();
        if new.realtime.lock_memory && !old.realtime.lock_memory {
            realtime::lock_memory();
        }
        // Everything but what has been dealt with above, and the filter's place.
        let same = Config { output: old.output.clone(), filter: old.filter.clone(), ..new.clone() };
        let same_ends = same == old;
        let before = std::mem::replace(&mut self.plan.filters, filters);
        if !same_filters {
            before.end();
        }
        if same_ends && same_filters {
            log::info!("{what}; the stream goes on as it was");
            done();
        } else {
            // What was asked for before is for what is no longer in use.
            self.generation += 1;
            (self.asked, self.made) = (None, made.map(Ok));
            if same_ends && self.fits() {
                log::info!("{what}; the new filter fades in");
                done();
            } else {
                log::info!("{what}; the stream is opened anew with the new settings");
                if alone {
                    // Memory has room for one engine: the old one goes first.
                    self.close();
                }
                if !matches!(self.phase, Phase::Streaming(_)) {
                    self.board.facts().engine = prospect;
                }
                // What is missing now shows in the state; the change itself has been done.
                self.renew(None, Some(Box::new(|_| done())));
            }
            self.look_ahead();
        }
        self.board.apply_sound();
    }

    /// Whether the engine in hand is for the open stream.
    fn fits(&self) -> bool {
        match (&self.phase, &self.made) {
            (Phase::Streaming(running), Some(Ok(made))) => made.key == running.key(),
            _ => false,
        }
    }

    /// Fades the engine in hand into the open stream, as soon as that takes one.
    pub(super) fn fade_in(&mut self) {
        if self.is_fading() {
            return;
        }
        let swaps = self.board.flow().filter_swaps.load(Relaxed);
        let Phase::Streaming(running) = &mut self.phase else { return };
        let Some(Ok(made)) =
            self.made.take_if(|made| made.as_ref().is_ok_and(|made| made.key == running.key()))
        else {
            return;
        };
        let load = self.board.facts().engine.as_ref().map_or(0.0, |engine| engine.load);
        let outgoing = 20.0 * running.filter.worst_case_gain.log10();
        let ended_by = swaps + 1;
        match running.crossfade(made, load) {
            Ok(None) => {
                let equaliser = running.stands_in.then(|| self.plan.filters.equaliser()).flatten();
                let preparing = equaliser.map(|name| format!("the equaliser {name}"));
                let mut facts = self.board.facts();
                facts.outgoing_gain_db = Some((outgoing, ended_by));
                let engine = engine_facts(&self.plan.config, &running.filter, load);
                facts.engine = Some(totton_protocol::Engine { preparing, ..engine });
                drop(facts);
                self.board.apply_sound();
            }
            Ok(Some(made)) => {
                self.made = Some(Ok(made));
                self.renew(None, None);
            }
            Err(error) => {
                log::warn!("The new filter cannot be faded in: {error}");
                self.renew(None, None);
            }
        }
    }
}
