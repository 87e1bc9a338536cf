//! Restarts the box when nobody listens: when no sound has flowed for a minute.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::device::power;
use crate::feed::Events;
use crate::store::waiting;

/// So long without sound, and nobody listens.
const QUIET: Duration = Duration::from_secs(60);

/// Whether a restart waits for quiet. It is forgotten when this service ends: the page then offers
/// the restart.
pub struct QuietRestart(watch::Sender<bool>);

impl QuietRestart {
    /// Starts a task on this thread that restarts the box by the sockets in `power`; it ends when
    /// `closed` turns true.
    pub fn start(events: Events, power: &Path, closed: watch::Receiver<bool>) -> Self {
        let (sender, wanted) = watch::channel(false);
        let (power, own) = (power.to_owned(), sender.clone());
        actix_web::rt::spawn(async move {
            let mut ending = closed.clone();
            tokio::select! {
                _ = ending.wait_for(|closed| *closed) => {}
                () = watch_for_quiet(events, wanted, own, power) => {}
            }
        });
        Self(sender)
    }

    /// Restart as soon as nobody listens, or not any more.
    pub fn want(&self, wanted: bool) {
        self.0.send_replace(wanted);
    }

    /// Whether a restart waits.
    pub fn is_wanted(&self) -> bool {
        *self.0.borrow()
    }
}

/// Since when no sound has flowed.
struct Quiet(Instant);

impl Quiet {
    /// Whether it has been quiet for long enough.
    fn lasts(&mut self, playing: bool, now: Instant) -> bool {
        if playing {
            self.0 = now;
        }
        now.saturating_duration_since(self.0) >= QUIET
    }
}

async fn watch_for_quiet(
    mut events: Events,
    mut wanted: watch::Receiver<bool>,
    own: watch::Sender<bool>,
    power: std::path::PathBuf,
) {
    while wanted.wait_for(|wanted| *wanted).await.is_ok() {
        let mut quiet = Quiet(Instant::now());
        loop {
            let playing = events.borrow_and_update().as_ref().is_some_and(|event| event.playing);
            if !*wanted.borrow() || quiet.lasts(playing, Instant::now()) {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        if own.send_replace(false) {
            log::info!("nobody has listened for {} s: the box restarts", QUIET.as_secs());
            let power = power.clone();
            if let Err(problem) = waiting(move || power::ask(&power, power::Request::Reboot)).await
            {
                log::warn!("the update waits for a restart by hand: {problem}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_without_sound_is_quiet_and_a_short_pause_is_not() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut quiet = Quiet(start);
        for second in 0..300 {
            // Between two pieces of music.
            assert!(!quiet.lasts(second % 50 < 10, at(second)), "second {second}");
        }
        // It played last at second 259.
        assert!(!quiet.lasts(false, at(318)));
        assert!(quiet.lasts(false, at(319)));
        assert!(!quiet.lasts(true, at(320)));
    }
}
