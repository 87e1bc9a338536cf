//! One update at a time: gives a bundle to the updater and follows it to its end.

use std::io::Write;
use std::net::Shutdown;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::updater::{Listener, Phase, Progress, Updater};
use crate::problem::Problem;

/// Longest silence of the updater after the bundle is whole; it may have to sync a slow disk.
const SILENCE: Duration = Duration::from_secs(120);

/// The update under way.
#[derive(Clone)]
pub struct Installer {
    updater: Updater,
    place: Arc<Semaphore>,
    progress: Arc<Mutex<Option<Progress>>>,
}

impl Installer {
    /// With the updater's sockets in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self {
            updater: Updater::new(folder),
            place: Arc::new(Semaphore::new(1)),
            progress: Arc::default(),
        }
    }

    /// Why no update is possible; none when one is.
    pub fn away(&self) -> Option<String> {
        self.updater.state().err().map(|problem| problem.detail().to_owned())
    }

    /// How far the update under way is, or where the last one ended.
    pub fn progress(&self) -> Option<Progress> {
        self.progress.lock().ok().and_then(|progress| progress.clone())
    }

    /// Whether one is under way.
    pub fn is_busy(&self) -> bool {
        self.place.available_permits() == 0
    }

    /// The only place, to be kept until the update has ended.
    ///
    /// # Errors
    /// 409 when it is taken.
    pub fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.place).try_acquire_owned().map_err(|_| {
            Problem::new(
                StatusCode::CONFLICT,
                "updater-busy",
                "The updater does not take a bundle now",
                "an update is under way",
                "Wait until it has ended.",
            )
        })
    }

    /// Installs what `give` writes, or only checks it; the updater's last words. Waits for it.
    /// `give` ends at the first write that fails.
    ///
    /// # Errors
    /// 409 when there is no updater or it is busy, 422 with its reason when it has failed.
    pub fn install(
        &self,
        check: bool,
        give: impl FnOnce(&mut dyn Write),
    ) -> Result<String, Problem> {
        self.show(Progress { phase: Phase::Start, ..Progress::default() });
        // Listening first: no end can be missed.
        let mut listener = self.updater.listen()?;
        let mut bundle = self.updater.install(check)?;
        // When the updater takes no more it has failed, and the follower hears why.
        let ended = std::thread::scope(|scope| {
            let follower = scope.spawn(move || self.follow(&mut listener));
            give(&mut bundle);
            // The end of the bundle; dropping it early makes the updater give up.
            let _ = bundle.shutdown(Shutdown::Write);
            follower.join().unwrap_or_else(|_| Err("the follower ended".to_owned()))
        });
        ended.map_err(|words| {
            let words = if words.is_empty() {
                self.updater.state().map(|(_, words)| words).unwrap_or_default()
            } else {
                words
            };
            failed(if words.is_empty() { "the updater gives no reason".into() } else { words })
        })
    }

    fn show(&self, now: Progress) {
        if let Ok(mut progress) = self.progress.lock() {
            *progress = Some(now);
        }
    }

    /// Hears the updater to its end: its last words.
    fn follow(&self, listener: &mut Listener) -> Result<String, String> {
        let mut heard = Instant::now();
        let mut words = String::new();
        loop {
            match listener.heard() {
                Ok(Some(now)) => {
                    heard = Instant::now();
                    if !now.info.is_empty() {
                        words.clone_from(&now.info);
                    }
                    let phase = now.phase;
                    self.show(now);
                    match phase {
                        Phase::Success => return Ok(words),
                        Phase::Failure => return Err(words),
                        _ => {}
                    }
                }
                Ok(None) if heard.elapsed() > SILENCE => {
                    return Err("the updater says nothing any more".to_owned());
                }
                Ok(None) => {}
                Err(error) => return Err(format!("the updater has gone: {error}")),
            }
        }
    }
}

fn failed(detail: String) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "update-failed",
        "The bundle was not installed",
        detail,
        "Check that the bundle is for this device and signed; the running system is as it was.",
    )
}
