//! Putting in force what listeners set, and what only the supervisor can tell.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::SyncSender;

use totton_protocol::Dac;

use super::prepare::{Change, Prepared, Ready, Task, Wanted};
use super::replace::ENDED_BY_A_RELOAD;
use super::{Outcome, Phase, Supervisor};
use crate::choices;
use crate::error::Error;

impl Supervisor {
    /// Has `wanted` got ready.
    pub(super) fn apply(&mut self, wanted: Wanted) {
        let names = [
            wanted.settings.filter.as_ref().map(|path| format!("the filter {path}")),
            wanted.settings.equaliser.as_ref().map(|e| format!("the equaliser {}", e.name)),
        ];
        let names: Vec<_> = names.into_iter().flatten().collect();
        self.say_preparing(match names.is_empty() {
            true => "the configuration's filter".to_owned(),
            false => names.join(", "),
        });
        self.prepare_new(Change::Settings(wanted));
    }

    /// Has configuration and filters read again.
    pub(super) fn reload(&mut self, reply: Option<SyncSender<Outcome>>) {
        self.prepare_new(Change::Files { reply });
    }

    fn say_preparing(&self, what: String) {
        if let Some(engine) = &mut self.board.facts().engine {
            engine.preparing = Some(what);
        }
    }

    fn prepare_new(&mut self, change: Change) {
        self.changes += 1;
        self.prepare(change, self.changes);
    }

    fn prepare(&mut self, change: Change, number: u64) {
        let now = match &self.phase {
            Phase::Streaming(running) => Some(running.key()),
            _ => None,
        };
        self.worker.change(Task {
            change,
            number,
            base: self.plan.base.clone(),
            settings: self.plan.settings.get().0,
            filters: self.plan.filters.clone(),
            now,
            room: self.room(),
            generation: self.generation,
        });
    }

    /// Uses what is ready; or says why it cannot be, and what was in force stays.
    pub(super) fn use_prepared(&mut self, Prepared { task, ready }: Prepared) {
        if ready.is_ok() && task.generation != self.generation {
            // It was made from what is no longer in use.
            return self.prepare(task.change, task.number);
        }
        match task.change {
            Change::Settings(wanted) => self.use_settings(wanted, ready),
            Change::Files { reply } => self.use_files(ready, reply),
        }
    }

    fn use_settings(&mut self, wanted: Wanted, ready: Result<Ready, Error>) {
        if let Some(engine) = &mut self.board.facts().engine {
            engine.preparing = None;
        }
        let Wanted { settings: wanted, revision, reply } = wanted;
        // Who asked may have given up waiting.
        let tell = move |outcome| drop(reply.send(outcome));
        let ready = match ready {
            Ok(ready) => ready,
            Err(error) => {
                let message = format!("The settings are refused, the old ones stay: {error}");
                self.board.note_fault(error.fault(), &message);
                return tell(Err(error));
            }
        };
        let store = &self.plan.settings;
        let unchanged = store.get().1 == revision;
        store.change(|settings| {
            let sound = if unchanged { wanted.sound } else { settings.sound };
            *settings = totton_protocol::Settings { sound, ..wanted };
        });
        self.board.faults_end(&ENDED_BY_A_RELOAD[1..]);
        self.replace(ready, "The settings are in force", move || tell(Ok(())));
    }

    fn use_files(&mut self, ready: Result<Ready, Error>, reply: Option<SyncSender<Outcome>>) {
        let tell = move |outcome| drop(reply.map(|reply| reply.send(outcome)));
        let ready = match ready {
            Ok(ready) => ready,
            Err(error) => {
                let message = format!("Reload refused, the old settings stay: {error}");
                self.board.fault_strikes(error.fault(), &message);
                return tell(Err(message));
            }
        };
        let before = std::mem::replace(&mut self.plan.base, ready.base.clone());
        let (now, before) = (&ready.base.output, &before.output);
        self.plan.settings.change(|settings| now.change(&mut settings.sound, before));
        self.board.faults_end(&ENDED_BY_A_RELOAD);
        self.board.flow().reloads.fetch_add(1, Relaxed);
        self.replace(ready, "Reloaded", move || tell(Ok(())));
    }

    /// The DACs that there are.
    pub(super) fn dacs(&mut self) -> Vec<Dac> {
        let playing = self.board.facts().output.as_ref().map(|output| output.name.clone());
        choices::dacs(self.plan.devices.dacs(), playing.as_deref())
    }
}
