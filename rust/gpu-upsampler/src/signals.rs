//! SIGHUP, SIGTERM, SIGINT.

use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::Error;
use crate::supervisor::{Event, tell_of_death};
use crate::threads;

/// systemd kills after `TimeoutStopSec=5`; this comes before it.
const LAST_MOMENT: Duration = Duration::from_secs(4);

/// Turns signals into events, in a thread of its own.
///
/// # Errors
/// When the signals cannot be listened to.
pub fn listen(events: Sender<Event>) -> Result<(), Error> {
    let mut signals =
        Signals::new([SIGHUP, SIGTERM, SIGINT]).map_err(|source| Error::Signals { source })?;
    let died = tell_of_death(&events);
    let listen = move || {
        let mut ending = false;
        for signal in signals.forever() {
            if signal == SIGHUP {
                let _ = events.send(Event::Reload { reply: None });
            } else if !ending {
                ending = true;
                let _ = events.send(Event::Terminate);
                end_at_the_last_moment();
            }
        }
    };
    threads::vital("signals", died, || false, listen).map(drop)
}

/// A supervisor that is itself stuck in a device would never come to obey.
fn end_at_the_last_moment() {
    let spawned = thread::Builder::new().name("last-moment".to_owned()).spawn(|| {
        thread::sleep(LAST_MOMENT);
        log::warn!("a device is stuck: ending without closing it");
        // SAFETY: no code of ours runs afterwards, not even exit handlers, which might wait for
        // the stuck thread.
        unsafe { libc::_exit(0) }
    });
    if let Err(error) = spawned {
        log::error!("no thread to end at the last moment: {error}");
    }
}
