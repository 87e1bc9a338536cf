//! The settings: what listeners set, in force at once and on the disk soon after.
//!
//! - [`file`]: reading and writing them so that a power cut leaves the old or the new
//! - [`disk`]: the few calls of a file system that this takes, behind a trait
//! - [`writer`]: the thread that writes

pub mod disk;
pub mod file;
pub mod writer;

#[cfg(test)]
mod power_cuts;

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use totton_protocol::settings::Foreign;
use totton_protocol::{Settings, SettingsState};

/// The settings in force, shared by whoever reads, changes and writes them.
pub struct Store {
    inner: Mutex<Inner>,
    changed: Condvar,
    /// What another version has written beside them.
    foreign: Foreign,
}

struct Inner {
    settings: Settings,
    /// Counts up at each change; `stored`: the one that the disk holds.
    revision: u64,
    stored: u64,
    ended: bool,
}

impl Store {
    /// A store of `settings`; `stored` says whether the disk holds them already.
    pub fn new(settings: Settings, stored: bool) -> Self {
        Self::with_foreign(settings, stored, Foreign::default())
    }

    /// As [`Store::new`], with what another version has written beside the settings.
    pub fn with_foreign(settings: Settings, stored: bool, foreign: Foreign) -> Self {
        let revision = 1;
        let inner = Inner { settings, revision, stored: if stored { 1 } else { 0 }, ended: false };
        Self { inner: Mutex::new(inner), changed: Condvar::new(), foreign }
    }

    /// What another version has written beside the settings.
    pub fn foreign(&self) -> &Foreign {
        &self.foreign
    }

    /// A thread that died while it held the lock left the settings whole: each change is one
    /// assignment.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settings in force, and their revision.
    pub fn get(&self) -> (Settings, u64) {
        let inner = self.lock();
        (inner.settings.clone(), inner.revision)
    }

    /// The sound settings in force.
    pub fn sound(&self) -> totton_protocol::Sound {
        self.lock().settings.sound
    }

    /// How the settings stand.
    pub fn state(&self) -> SettingsState {
        let inner = self.lock();
        SettingsState { revision: inner.revision, stored: inner.stored == inner.revision }
    }

    /// Changes the settings; tells what they are now, and their revision.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) -> (Settings, u64) {
        let mut inner = self.lock();
        let mut settings = inner.settings.clone();
        change(&mut settings);
        if settings != inner.settings {
            inner.settings = settings;
            inner.revision += 1;
            self.changed.notify_all();
        }
        (inner.settings.clone(), inner.revision)
    }

    /// Waits at most `timeout` for something that the disk does not hold; gives it with its
    /// revision. `None` after the timeout, or at the end.
    fn unstored(&self, timeout: Duration) -> Option<(Settings, u64)> {
        let waits = |inner: &mut Inner| inner.stored == inner.revision && !inner.ended;
        let (inner, _) = self
            .changed
            .wait_timeout_while(self.lock(), timeout, waits)
            .unwrap_or_else(PoisonError::into_inner);
        (inner.stored != inner.revision).then(|| (inner.settings.clone(), inner.revision))
    }

    /// Waits for the end, at most `timeout`; tells whether it has come.
    fn ended_within(&self, timeout: Duration) -> bool {
        let (inner, _) = self
            .changed
            .wait_timeout_while(self.lock(), timeout, |inner| !inner.ended)
            .unwrap_or_else(PoisonError::into_inner);
        inner.ended
    }

    fn note_stored(&self, revision: u64) {
        self.lock().stored = revision;
    }

    fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }
}
