//! Putting in force what listeners set, and what only the supervisor can tell.

use totton_protocol::Dac;

use super::prepare::{self, Prepared, Wanted};
use super::{Phase, Supervisor};
use crate::choices;

impl Supervisor {
    /// Begins to get ready what `wanted` needs.
    pub(super) fn prepare(&mut self, wanted: Wanted) {
        let now = match &self.phase {
            Phase::Streaming(running) => {
                Some((running.stream.input().rate, running.filter.filter.ratio()))
            }
            _ => None,
        };
        let dac = self.plan.devices.find_playback(&self.plan.config.playback);
        let accepted = dac.map(|dac| dac.rates().to_vec()).unwrap_or_default();
        if let Some(engine) = &mut self.board.facts().engine {
            let names = [
                wanted.settings.filter.as_ref().map(|path| format!("the filter {path}")),
                wanted.settings.equaliser.as_ref().map(|e| format!("the equaliser {}", e.name)),
            ];
            let names: Vec<_> = names.into_iter().flatten().collect();
            engine.preparing = Some(match names.is_empty() {
                true => "the configuration's filter".to_owned(),
                false => names.join(", "),
            });
        }
        let base = self.plan.base.clone();
        // A thread that cannot be started drops the reply's way: the asker is told so.
        if let Err(reason) = prepare::begin(base, wanted, now, accepted, self.sender.clone()) {
            log::error!("{reason}");
        }
    }

    /// Uses what is ready; or says why it cannot be, and what was in force stays.
    pub(super) fn use_prepared(&mut self, prepared: Prepared) {
        let Prepared { wanted, ready } = prepared;
        if let Some(engine) = &mut self.board.facts().engine {
            engine.preparing = None;
        }
        let outcome = ready.map(|(config, filters)| {
            let store = &self.plan.settings;
            let unchanged = store.get().1 == wanted.revision;
            store.change(|settings| {
                let sound = if unchanged { wanted.settings.sound } else { settings.sound };
                *settings = totton_protocol::Settings { sound, ..wanted.settings.clone() };
            });
            self.board.faults_end(&super::replace::ENDED_BY_A_RELOAD[1..]);
            self.replace(config, filters, "The settings are in force");
        });
        if let Err(error) = &outcome {
            let message = format!("The settings are refused, the old ones stay: {error}");
            self.board.note_fault(error.fault(), &message);
        }
        // Who asked may have given up waiting.
        let _ = wanted.reply.send(outcome);
    }

    /// The DACs that there are.
    pub(super) fn dacs(&mut self) -> Vec<Dac> {
        let playing = self.board.facts().output.as_ref().map(|output| output.name.clone());
        choices::dacs(self.plan.devices.dacs(), playing.as_deref())
    }
}
