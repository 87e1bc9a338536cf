//! Answering requests.
//!
//! One after the other, by one thread: what takes long (a filter's file, a
//! stream's restart) is done by the supervisor, and waited for. The audio threads
//! know nothing of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::time::Duration;

use totton_protocol::settings::Refused;
use totton_protocol::{Answer, Command, ErrorCode, Reply, Request, Settings};

use crate::board::Board;
use crate::error::Error;
use crate::spectrum::{Asker, Dead};
use crate::supervisor::prepare::Wanted;
use crate::supervisor::{Event, Outcome};
use crate::{choices, equaliser};

/// A message larger than this is not even received: ZeroMQ closes the
/// connection. Up to here a too large request is read, and answered with the reason.
pub(super) const HARD_LIMIT_BYTES: i64 = 1024 * 1024;

/// How often to look whether to end, in milliseconds.
const TURN_MS: i64 = 100;

/// How long the supervisor may take for a reload, a restart, another filter.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who answers, and whom it asks.
pub(super) struct Control<'a> {
    pub(super) board: &'a Board,
    pub(super) events: &'a Sender<Event>,
    pub(super) ended: &'a AtomicBool,
    pub(super) spectrum: &'a Asker,
}

/// A refusal, or what keeps a command from being carried out.
type Refusal = Box<Reply>;

fn failed(message: impl Into<String>) -> Refusal {
    Box::new(Reply::error(ErrorCode::Failed, message))
}

/// The answer to settings that the supervisor could not put in force.
fn refused(error: &Error) -> Refusal {
    let code = match error {
        Error::Filter { .. } => ErrorCode::BadFilter,
        Error::Profile { .. } => ErrorCode::BadEqualiser,
        Error::Setting(_) => ErrorCode::OutOfRange,
        _ => ErrorCode::Failed,
    };
    Box::new(Reply::error(code, error.to_string()))
}

impl Control<'_> {
    /// Answers until the end.
    pub(super) fn serve(&self, socket: &zmq::Socket) {
        while !self.ended.load(Ordering::Relaxed) {
            match socket.poll(zmq::POLLIN, TURN_MS) {
                Ok(0) | Err(zmq::Error::EINTR) => continue,
                Ok(_) => {}
                Err(error) => return log::error!("the control socket is lost: {error}"),
            }
            let reply = match socket.recv_multipart(zmq::DONTWAIT) {
                Ok(frames) => self.answer(&frames),
                Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => continue,
                Err(error) => return log::error!("the control socket is lost: {error}"),
            };
            self.board.flow().requests.fetch_add(1, Ordering::Relaxed);
            let text = serde_json::to_vec(&reply).unwrap_or_default();
            // The asker may be gone, or not read: that is its affair.
            if let Err(error) = socket.send(text, zmq::DONTWAIT) {
                log::debug!("a reply could not be sent: {error}");
            }
        }
    }

    fn answer(&self, frames: &[Vec<u8>]) -> Reply {
        let request = match frames {
            [request] => Request::parse(request),
            _ => {
                let message = format!("the request has {} frames; accepted: 1", frames.len());
                Err(Box::new(Reply::error(ErrorCode::BadRequest, message)))
            }
        };
        let outcome = match request {
            Ok(request) => self.obey(request.command),
            Err(refusal) => {
                self.board.flow().refused_requests.fetch_add(1, Ordering::Relaxed);
                log::debug!("refused: {refusal:?}");
                Err(refusal)
            }
        };
        outcome.map_or_else(|refusal| *refusal, Reply::Ok)
    }

    fn obey(&self, command: Command) -> Result<Answer, Refusal> {
        match command {
            Command::Status => {}
            Command::SetMute { mute } => self.change(|settings| settings.sound.mute = mute),
            Command::SetGain { gain_db } => {
                self.change(|settings| settings.sound.gain_db = gain_db);
            }
            Command::Reload => self.order(|reply| Event::Reload { reply: Some(reply) })?,
            Command::RestartStream => self.order(|reply| Event::RestartStream { reply })?,
            Command::Settings => return Ok(self.settings()),
            Command::ReplaceSettings { settings } => return self.replace(*settings),
            Command::ChangeSettings { changes } => {
                return self.replace(self.changed(changes.into())?);
            }
            Command::CheckEqualiser { text } => return check("equaliser", text.as_str()),
            Command::Dacs => {
                let dacs = self.ask(|reply| Event::Dacs { reply })?;
                return Ok(Answer::Dacs { dacs });
            }
            Command::Filters => {
                let filters = choices::filters(&self.board.facts().config);
                return Ok(Answer::Filters { filters });
            }
            Command::Spectrum => {
                let died = |Dead| failed("the thread that computes spectra has died; see the log");
                let (input, output) = self.spectrum.ask().map_err(died)?.map(Into::into).unzip();
                return Ok(Answer::Spectrum { input, output });
            }
        }
        Ok(Answer::Status { status: Box::new(self.board.status()) })
    }

    /// Changes sound settings, which need nothing else.
    fn change(&self, change: impl FnOnce(&mut Settings)) {
        self.board.settings().change(change);
        self.board.apply_sound();
    }

    fn settings(&self) -> Answer {
        let (settings, revision) = self.board.settings().get();
        Answer::Settings { settings: Box::new(settings), revision }
    }

    /// The settings with a merge patch on them.
    fn changed(&self, patch: serde_json::Value) -> Result<Settings, Refusal> {
        let (settings, _) = self.board.settings().get();
        settings.changed(patch).map_err(|error| {
            Box::new(match error {
                Refused::OutOfRange(error) => error.into(),
                Refused::Form(_) => Reply::error(ErrorCode::BadRequest, error.to_string()),
            })
        })
    }

    /// Puts `wanted` in force: at once what only concerns the sound, by the supervisor what needs
    /// another filter or DAC.
    fn replace(&self, wanted: Settings) -> Result<Answer, Refusal> {
        let (now, revision) = self.board.settings().get();
        if let Some(profile) = &wanted.equaliser {
            check(profile.name.as_str(), profile.text.as_str())?;
        }
        let only_sound = Settings { sound: wanted.sound, ..now } == wanted;
        if only_sound {
            self.change(|settings| settings.sound = wanted.sound);
        } else {
            self.ask(|reply| Event::Apply(Box::new(Wanted { settings: wanted, revision, reply })))?
                .map_err(|error| refused(&error))?;
        }
        Ok(self.settings())
    }

    /// Has the supervisor do something.
    fn order(&self, event: impl FnOnce(SyncSender<Outcome>) -> Event) -> Result<(), Refusal> {
        self.ask(event)?.map_err(failed)
    }

    /// Asks the supervisor, and waits for it.
    fn ask<T>(&self, event: impl FnOnce(SyncSender<T>) -> Event) -> Result<T, Refusal> {
        let (reply, outcome) = mpsc::sync_channel(1);
        self.events.send(event(reply)).map_err(|_| failed("the daemon is stopping"))?;
        self.wait_for(&outcome)
    }

    fn wait_for<T>(&self, outcome: &Receiver<T>) -> Result<T, Refusal> {
        let turn = Duration::from_millis(TURN_MS.unsigned_abs());
        let mut waited = Duration::ZERO;
        while waited < PATIENCE && !self.ended.load(Ordering::Relaxed) {
            match outcome.recv_timeout(turn) {
                Ok(outcome) => return Ok(outcome),
                Err(mpsc::RecvTimeoutError::Timeout) => waited += turn,
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Err(failed("the daemon is stopping, or out of threads"));
                }
            }
        }
        Err(failed(format!("not done after {} s; it may still be carried out", waited.as_secs())))
    }
}

/// Tells what an equaliser's text comes down to, or which line is at fault.
fn check(name: &str, text: &str) -> Result<Answer, Refusal> {
    match equaliser::check(name, text) {
        Ok(found) => Ok(Answer::Equaliser {
            preamp_db: found.preamp_db,
            bands: u32::try_from(found.bands.len()).unwrap_or(u32::MAX),
            curves: u32::try_from(found.curves.len()).unwrap_or(u32::MAX),
        }),
        Err(equaliser::Refusal { line, message }) => {
            Err(Box::new(Reply::Error { code: ErrorCode::BadEqualiser, message, line }))
        }
    }
}
