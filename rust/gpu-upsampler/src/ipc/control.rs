//! Answering requests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender, SyncSender};
use std::time::Duration;

use totton_protocol::{Command, ErrorCode, Reply, Request};

use crate::board::Board;
use crate::supervisor::{Event, Outcome};

/// A message larger than this is not even received: ZeroMQ closes the
/// connection. Up to here a too large request is read, and answered with the reason.
pub(super) const HARD_LIMIT_BYTES: i64 = 1024 * 1024;

/// How often to look whether to end, in milliseconds.
const TURN_MS: i64 = 100;

/// How long the supervisor may take for a reload or a restart.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn serve(
    socket: &zmq::Socket,
    board: &Board,
    events: &Sender<Event>,
    ended: &AtomicBool,
) {
    while !ended.load(Ordering::Relaxed) {
        match socket.poll(zmq::POLLIN, TURN_MS) {
            Ok(0) | Err(zmq::Error::EINTR) => continue,
            Ok(_) => {}
            Err(error) => return log::error!("the control socket is lost: {error}"),
        }
        let reply = match socket.recv_multipart(zmq::DONTWAIT) {
            Ok(frames) => answer(&frames, board, events, ended),
            Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => continue,
            Err(error) => return log::error!("the control socket is lost: {error}"),
        };
        let text = serde_json::to_vec(&reply).unwrap_or_default();
        // The asker may be gone: that is its affair.
        if let Err(error) = socket.send(text, zmq::DONTWAIT) {
            log::debug!("a reply could not be sent: {error}");
        }
    }
}

fn answer(frames: &[Vec<u8>], board: &Board, events: &Sender<Event>, ended: &AtomicBool) -> Reply {
    let [request] = frames else {
        let message = format!("the request has {} frames; accepted: 1", frames.len());
        return Reply::error(ErrorCode::BadRequest, message);
    };
    match Request::parse(request) {
        Ok(request) => obey(request.command, board, events, ended),
        Err(refusal) => {
            log::debug!("refused: {refusal:?}");
            *refusal
        }
    }
}

fn obey(command: Command, board: &Board, events: &Sender<Event>, ended: &AtomicBool) -> Reply {
    let outcome = match command {
        Command::Status => Ok(()),
        Command::SetMute { mute } => {
            board.flow().set_mute(mute);
            Ok(())
        }
        Command::SetGain { gain_db } => {
            board.flow().set_gain_db(gain_db);
            Ok(())
        }
        Command::Reload => ask(events, ended, |reply| Event::Reload { reply: Some(reply) }),
        Command::RestartStream => ask(events, ended, |reply| Event::RestartStream { reply }),
        command => Err(format!("this build cannot do {} yet", command.name())),
    };
    match outcome {
        Ok(()) => Reply::status(board.status()),
        Err(message) => Reply::error(ErrorCode::Failed, message),
    }
}

/// Has the supervisor do something, and waits for it.
fn ask(
    events: &Sender<Event>,
    ended: &AtomicBool,
    event: impl FnOnce(SyncSender<Outcome>) -> Event,
) -> Outcome {
    let (reply, outcome) = mpsc::sync_channel(1);
    let gone = || "the daemon is stopping".to_owned();
    events.send(event(reply)).map_err(|_| gone())?;
    let turn = Duration::from_millis(TURN_MS.unsigned_abs());
    let mut waited = Duration::ZERO;
    while waited < PATIENCE && !ended.load(Ordering::Relaxed) {
        match outcome.recv_timeout(turn) {
            Ok(outcome) => return outcome,
            Err(mpsc::RecvTimeoutError::Timeout) => waited += turn,
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(gone()),
        }
    }
    Err(format!("not done after {} s; it may still be carried out", waited.as_secs()))
}
