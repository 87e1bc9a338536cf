//! Answering requests.
//!
//! One after the other, by one thread that waits for nobody: what takes long (a filter's file, a
//! stream's restart, a folder) is an order of [`super::orders`], done by others. The audio threads
//! know nothing of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::time::Instant;

use totton_protocol::settings::Refused;
use totton_protocol::{Answer, Command, ErrorCode, Reply, Request, Settings};

use super::Helper;
use super::orders::{self, Order, Orders, Refusal, failed};
use crate::board::Board;
use crate::spectrum::{Asker, Dead};
use crate::supervisor::Event;
use crate::supervisor::prepare::Wanted;
use crate::{choices, equaliser};

/// A message larger than this is not even received: ZeroMQ closes the
/// connection. Up to here a too large request is read, and answered with the reason.
pub(super) const HARD_LIMIT_BYTES: i64 = 1024 * 1024;

/// How often to look whether to end, in milliseconds.
const TURN_MS: i64 = 100;

/// Who answers, and whom it asks.
pub(super) struct Control<'a> {
    pub(super) board: &'a Arc<Board>,
    pub(super) events: &'a Sender<Event>,
    pub(super) ended: &'a AtomicBool,
    pub(super) spectrum: &'a Asker,
    pub(super) folders: &'a Helper,
    pub(super) recorder: &'a Helper,
}

/// What a control thread remembers.
#[derive(Default)]
struct Memory {
    orders: Orders,
    /// Settings that are being got ready, and their order: what is changed next is changed in them.
    wanted: Option<(u64, Settings)>,
}

impl Control<'_> {
    /// Answers until the end. It waits for nobody: what takes longer is an order, whose outcome
    /// is asked for.
    pub(super) fn serve(&self, socket: &zmq::Socket) {
        let mut memory = Memory::default();
        while !self.ended.load(Ordering::Relaxed) {
            self.board.flow().control_turns.fetch_add(1, Ordering::Relaxed);
            match socket.poll(zmq::POLLIN, TURN_MS) {
                Ok(0) | Err(zmq::Error::EINTR) => continue,
                Ok(_) => {}
                Err(error) => return log::error!("the control socket is lost: {error}"),
            }
            let frames = match socket.recv_multipart(zmq::DONTWAIT) {
                Ok(frames) => frames,
                Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => continue,
                Err(error) => return log::error!("the control socket is lost: {error}"),
            };
            let began = Instant::now();
            let (volume, reply) = self.answer(&mut memory, &frames);
            let flow = self.board.flow();
            flow.requests.fetch_add(1, Ordering::Relaxed);
            let text = serde_json::to_vec(&reply).unwrap_or_default();
            // The asker may be gone, or not read: that is its affair.
            if let Err(error) = socket.send(text, zmq::DONTWAIT) {
                log::debug!("a reply could not be sent: {error}");
            }
            let delays = if volume { &flow.volume_answers } else { &flow.answers };
            delays.note(began.elapsed());
        }
    }

    /// The reply, and whether it is to a change of volume or mute.
    fn answer(&self, memory: &mut Memory, frames: &[Vec<u8>]) -> (bool, Reply) {
        let request = match frames {
            [request] => Request::parse(request),
            _ => {
                let message = format!("the request has {} frames; accepted: 1", frames.len());
                Err(Box::new(Reply::error(ErrorCode::BadRequest, message)))
            }
        };
        let mut volume = false;
        let outcome = match request {
            Ok(Request { command, .. }) => {
                volume = matches!(command, Command::SetMute { .. } | Command::SetGain { .. });
                self.obey(memory, command)
            }
            Err(refusal) => {
                self.board.flow().refused_requests.fetch_add(1, Ordering::Relaxed);
                log::debug!("refused: {refusal:?}");
                Err(refusal)
            }
        };
        (volume, outcome.map_or_else(|refusal| *refusal, Reply::Ok))
    }

    fn obey(&self, memory: &mut Memory, command: Command) -> Result<Answer, Refusal> {
        match command {
            Command::Status => {}
            Command::ResetOvers => self.board.reset_overs(),
            Command::SetMute { mute } => self.change(|settings| settings.sound.mute = mute),
            Command::SetGain { gain_db } => {
                self.change(|settings| settings.sound.gain_db = gain_db);
            }
            Command::Reload => {
                let outcome = self.tell(|reply| Event::Reload { reply: Some(reply) })?;
                return memory.orders.place(Order::Status(outcome), self.board);
            }
            Command::RestartStream => {
                let outcome = self.tell(|reply| Event::RestartStream { reply })?;
                return memory.orders.place(Order::Status(outcome), self.board);
            }
            Command::Settings => return Ok(self.settings()),
            Command::ReplaceSettings { settings } => return self.replace(memory, *settings),
            Command::ChangeSettings { changes } => {
                let wanted = self.changed(memory, changes.into())?;
                return self.replace(memory, wanted);
            }
            Command::CheckEqualiser { text } => return check("equaliser", text.as_str()),
            Command::Dacs => {
                let outcome = self.tell(|reply| Event::Dacs { reply })?;
                return memory.orders.place(Order::Dacs(outcome), self.board);
            }
            Command::Filters => {
                let config = self.board.facts().config.clone();
                // A folder that does not answer holds up those who ask for it, and nobody else.
                let outcome = have_done(self.folders, move || choices::filters(&config))?;
                return memory.orders.place(Order::Filters(outcome), self.board);
            }
            Command::Spectrum => {
                let died = |Dead| failed("the thread that computes spectra has died; see the log");
                let (input, output) = self.spectrum.ask().map_err(died)?.map(Into::into).unzip();
                return Ok(Answer::Spectrum { input, output });
            }
            Command::FlightRecorder => {
                let board = Arc::clone(self.board);
                let outcome = have_done(self.recorder, move || board.recorded())?;
                return memory.orders.place(Order::Recorder(outcome), self.board);
            }
            Command::Outcome { order } => return memory.orders.outcome(order, self.board),
        }
        Ok(Answer::Status { status: Box::new(self.board.status()) })
    }

    /// Changes sound settings, which need nothing else.
    fn change(&self, change: impl FnOnce(&mut Settings)) {
        self.board.settings().change(change);
        self.board.apply_sound();
    }

    fn settings(&self) -> Answer {
        orders::settings(self.board)
    }

    /// What a change is a change of: the settings that are being got ready, if any, with the sound
    /// that is in force.
    fn base(&self, memory: &mut Memory) -> Settings {
        let (now, _) = self.board.settings().get();
        let Memory { orders, wanted } = memory;
        wanted.take_if(|(order, _)| !orders.is_under_way(*order, self.board));
        match wanted {
            Some((_, settings)) => Settings { sound: now.sound, ..settings.clone() },
            None => now,
        }
    }

    /// The settings with a merge patch on them.
    fn changed(&self, memory: &mut Memory, patch: serde_json::Value) -> Result<Settings, Refusal> {
        self.base(memory).changed(patch).map_err(|error| {
            Box::new(match error {
                Refused::OutOfRange(error) => error.into(),
                Refused::Form(_) => Reply::error(ErrorCode::BadRequest, error.to_string()),
            })
        })
    }

    /// Puts `wanted` in force: at once what only concerns the sound, by the supervisor what needs
    /// another filter or DAC.
    fn replace(&self, memory: &mut Memory, wanted: Settings) -> Result<Answer, Refusal> {
        let (_, revision) = self.board.settings().get();
        if let Some(profile) = &wanted.equaliser {
            check(profile.name.as_str(), profile.text.as_str())?;
        }
        if only_sound(&self.base(memory), &wanted) {
            self.change(|settings| settings.sound = wanted.sound);
            return Ok(self.settings());
        }
        let settings = wanted.clone();
        let outcome = self
            .tell(|reply| Event::Apply(Box::new(Wanted { settings: wanted, revision, reply })))?;
        let answer = memory.orders.place(Order::Settings(outcome), self.board);
        if let Ok(Answer::Pending { order }) = answer {
            memory.wanted = Some((order, settings));
        }
        answer
    }

    /// Tells the supervisor what to do; gives the way its outcome comes.
    fn tell<T>(&self, event: impl FnOnce(SyncSender<T>) -> Event) -> Result<Receiver<T>, Refusal> {
        let (reply, outcome) = mpsc::sync_channel(1);
        self.events.send(event(reply)).map_err(|_| failed("the daemon is stopping"))?;
        Ok(outcome)
    }
}

/// Has a helper do something; gives the way its outcome comes.
fn have_done<T: Send + 'static>(
    helper: &Helper,
    what: impl FnOnce() -> T + Send + 'static,
) -> Result<Receiver<T>, Refusal> {
    let (reply, outcome) = mpsc::sync_channel(1);
    // Who asked may have given up waiting.
    let errand = Box::new(move || drop(reply.send(what())));
    helper
        .try_send(errand)
        .map_err(|_| failed("those who asked for it before are still waiting for it"))?;
    Ok(outcome)
}

/// Whether `wanted` needs nothing but another sound.
fn only_sound(now: &Settings, wanted: &Settings) -> bool {
    Settings { sound: wanted.sound, ..now.clone() } == *wanted
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ipc::Errand;
    use crate::spectrum;

    #[test]
    fn a_folder_that_does_not_answer_holds_up_those_who_ask_for_it_and_nobody_else() {
        let board = Arc::new(Board::new(Arc::default()));
        let (events, _heard) = mpsc::channel();
        let (spectrum, _looker) = spectrum::ends(board.flow());
        // Behind this one nobody does anything, as behind a folder that hangs.
        let (folders, hung) = mpsc::sync_channel::<Errand>(2);
        let (recorder, errands) = mpsc::sync_channel::<Errand>(2);
        let helper = std::thread::spawn(move || errands.iter().for_each(|errand| errand()));
        let ended = AtomicBool::new(false);
        let (board, events, ended) = (&board, &events, &ended);
        let control = Control {
            board,
            events,
            ended,
            spectrum: &spectrum,
            folders: &folders,
            recorder: &recorder,
        };
        let mut memory = Memory::default();
        let mut ask = |command| {
            let began = Instant::now();
            let answer = control.obey(&mut memory, command);
            // Far above what it takes, far below what a hang takes.
            assert!(began.elapsed() < Duration::from_secs(5));
            answer
        };
        let pending = |answer| matches!(answer, Ok(Answer::Pending { order: 1.. }));
        assert!(pending(ask(Command::Filters)) && pending(ask(Command::Filters)));
        let refusal = ask(Command::Filters).unwrap_err();
        assert!(matches!(*refusal, Reply::Error { code: ErrorCode::Failed, .. }), "{refusal:?}");
        assert!(pending(ask(Command::Outcome { order: 1 })));
        for command in [
            Command::Status,
            Command::SetMute { mute: true },
            Command::SetGain { gain_db: -20.0 },
            Command::Settings,
        ] {
            let told = format!("{command:?}");
            assert!(!pending(ask(command)), "{told}");
        }
        assert!(board.settings().get().0.sound.mute);
        // When the folder answers after all, so do we.
        for errand in [hung.recv().unwrap(), hung.recv().unwrap()] {
            errand();
        }
        assert!(matches!(ask(Command::Outcome { order: 1 }), Ok(Answer::Filters { .. })));
        drop(recorder);
        helper.join().unwrap();
    }
}
