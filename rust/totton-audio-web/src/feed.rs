//! Listens to the audio daemon on a thread of its own, and keeps the newest
//! event ready, made once for all pages.

use std::thread;
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use serde::Serialize;
use tokio::sync::watch;
use totton_protocol::{ClientError, PROTOCOL_VERSION, State, Telemetry, TelemetryListener};

use crate::daemon::AWAY_ACTION;
use crate::error::Error;
use crate::settings::Settings;

/// Time between two telemetry events on average, at least: 20 in a second.
const INTERVAL: Duration = Duration::from_millis(50);

/// Wait after a socket error, which would otherwise come again at once.
const AFTER_SOCKET_ERROR: Duration = Duration::from_secs(1);

const THREAD: &str = "feed";

/// The newest event.
#[derive(Debug, Clone)]
pub struct Event {
    /// As it goes to the browser: `event:` and `data:` lines and the empty line.
    pub text: Bytes,
    /// Why the daemon is away; `None` while it is heard.
    pub away: Option<String>,
    /// Whether sound flows.
    pub playing: bool,
}

/// What an `away` event carries.
#[derive(Serialize)]
struct Away<'a> {
    reason: &'a str,
    action: &'a str,
    /// Seconds since the daemon was last heard, or since this service started.
    silent_seconds: f64,
}

/// The newest event; `None` until the daemon was heard or was silent long enough.
pub type Events = watch::Receiver<Option<Event>>;

/// Starts the thread; it ends when the receivers are gone.
///
/// # Errors
/// [`Error::Feed`] when no socket can be made, [`Error::Thread`] when no thread.
pub fn start(settings: &Settings) -> Result<Events, Error> {
    let listener = TelemetryListener::with_endpoint(settings.telemetry(), settings.silence())
        .map_err(|source| Error::Feed { source })?;
    let (sender, receiver) = watch::channel(None);
    thread::Builder::new()
        .name(THREAD.to_owned())
        .spawn(move || listen(&listener, &sender))
        .map_err(|source| Error::Thread { name: THREAD, source })?;
    Ok(receiver)
}

fn listen(listener: &TelemetryListener, sender: &watch::Sender<Option<Event>>) {
    let mut pace = Pace::default();
    let mut heard = Instant::now();
    while !sender.is_closed() {
        let away = match listener.next() {
            Ok(telemetry) if telemetry.version == PROTOCOL_VERSION => {
                heard = Instant::now();
                if let Some(telemetry) = pace.take(telemetry, heard) {
                    let playing = telemetry.status.state == State::Streaming;
                    publish(sender, event("telemetry", &telemetry), None, playing);
                }
                continue;
            }
            Ok(telemetry) => format!(
                "the audio daemon speaks version {} of the protocol, this service version \
                 {PROTOCOL_VERSION}",
                telemetry.version
            ),
            Err(ClientError::NoAnswer { .. }) => "the audio daemon is silent".to_owned(),
            Err(error) => {
                if matches!(error, ClientError::Socket { .. }) {
                    thread::sleep(AFTER_SOCKET_ERROR);
                }
                error.to_string()
            }
        };
        let silent_seconds = (heard.elapsed().as_secs_f64() * 10.0).round() / 10.0;
        let body = Away { reason: &away, action: AWAY_ACTION, silent_seconds };
        publish(sender, event("away", &body), Some(away.clone()), false);
    }
}

/// Makes one server-sent event. JSON has no line feed outside its strings, and
/// none unescaped within, so one `data:` line holds it.
pub fn event<T: Serialize>(name: &str, data: &T) -> Result<Bytes, serde_json::Error> {
    let data = serde_json::to_string(data)?;
    Ok(Bytes::from(format!("event: {name}\ndata: {data}\n\n")))
}

fn publish(
    sender: &watch::Sender<Option<Event>>,
    text: Result<Bytes, serde_json::Error>,
    away: Option<String>,
    playing: bool,
) {
    let text = match text {
        Ok(text) => text,
        Err(error) => return log::error!("cannot write an event as JSON: {error}"),
    };
    let was_away = sender.borrow().as_ref().map(|event| event.away.is_some());
    match (was_away, &away) {
        (None | Some(false), Some(reason)) => log::warn!("{reason}"),
        (None | Some(true), None) => log::info!("the audio daemon is heard"),
        _ => {}
    }
    sender.send_replace(Some(Event { text, away, playing }));
}

/// Lets at most one message pass for each [`INTERVAL`] on average; the peaks of
/// those held back go into the next, so that no peak is lost.
///
/// It counts in due times, not in distances: of a daemon that publishes every
/// 49 ms every second message would be too near to the one before.
#[derive(Default)]
struct Pace {
    due: Option<Instant>,
    input_peaks: Vec<f64>,
    output_peaks: Vec<f64>,
}

impl Pace {
    fn take(&mut self, mut telemetry: Telemetry, now: Instant) -> Option<Telemetry> {
        raise(&mut self.input_peaks, &telemetry.levels.input_peak_dbfs);
        raise(&mut self.output_peaks, &telemetry.levels.output_peak_dbfs);
        let due = self.due.unwrap_or(now);
        if now < due {
            return None;
        }
        // After a pause it starts anew: what was not sent then is not owed.
        self.due = Some(if now < due + INTERVAL { due } else { now } + INTERVAL);
        telemetry.levels.input_peak_dbfs = std::mem::take(&mut self.input_peaks);
        telemetry.levels.output_peak_dbfs = std::mem::take(&mut self.output_peaks);
        Some(telemetry)
    }
}

/// Raises each held peak to the new one; another number of channels starts anew.
fn raise(held: &mut Vec<f64>, new: &[f64]) {
    if held.len() != new.len() {
        held.clear();
        held.extend_from_slice(new);
        return;
    }
    for (held, new) in held.iter_mut().zip(new) {
        *held = held.max(*new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use totton_protocol::{Levels, State, Status};

    fn telemetry(left: f64, right: f64) -> Telemetry {
        Telemetry {
            version: PROTOCOL_VERSION,
            sequence: 0,
            status: Status { state: State::Streaming, ..Status::default() },
            levels: Levels {
                input_peak_dbfs: vec![left, right],
                output_peak_dbfs: vec![left, right],
                ..Levels::default()
            },
            ..Telemetry::default()
        }
    }

    #[test]
    fn twenty_messages_a_second_pass_however_often_the_daemon_publishes() {
        for (every, expected) in [(1, 20), (30, 20), (40, 20), (49, 20), (50, 20), (100, 10)] {
            let (mut pace, start) = (Pace::default(), Instant::now());
            let passed = (0..10_000 / every)
                .map(|index| start + Duration::from_millis(index * every))
                .filter(|&now| pace.take(telemetry(0.0, 0.0), now).is_some())
                .count();
            assert!(passed.abs_diff(expected * 10) <= 1, "every {every} ms: {passed} in 10 s");
        }
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let mut passes = |milliseconds| {
            pace.take(telemetry(0.0, 0.0), start + Duration::from_millis(milliseconds)).is_some()
        };
        assert!(passes(0));
        assert!(passes(5_000));
        assert!(!passes(5_010));
        assert!(passes(5_050));
    }

    #[test]
    fn no_peak_is_lost() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let mut take = |milliseconds, left, right| {
            pace.take(telemetry(left, right), start + Duration::from_millis(milliseconds))
                .map(|passed| passed.levels.output_peak_dbfs)
        };
        assert_eq!(take(0, -20.0, -20.0), Some(vec![-20.0, -20.0]));
        assert_eq!(take(10, -3.0, -40.0), None);
        assert_eq!(take(20, -30.0, -6.0), None);
        assert_eq!(take(50, -50.0, -50.0), Some(vec![-3.0, -6.0]));
        assert_eq!(take(100, -50.0, -50.0), Some(vec![-50.0, -50.0]));
    }

    #[test]
    fn an_event_is_one_data_line() {
        let text = event("away", &"two\nlines").unwrap();
        assert_eq!(text, "event: away\ndata: \"two\\nlines\"\n\n");
    }
}
