//! Orders that take longer than an answer may: they have numbers, and how they ended is told to
//! whoever asks for it.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use totton_protocol::{Answer, Dac, ErrorCode, FilterChoice, Reply};

use crate::board::Board;
use crate::error::Error;
use crate::supervisor::Outcome;

/// A refusal, or what keeps a command from being carried out.
pub(super) type Refusal = Box<Reply>;

/// How long an order may keep everybody else waiting: most are done in less, and need no second
/// question.
const AT_ONCE: Duration = Duration::from_millis(10);

/// Orders whose outcome is remembered. Those of the first are forgotten when there are more; they
/// are carried out all the same.
const MOST: usize = 64;

/// What somebody waits for.
pub(super) enum Order {
    /// Answered with the status.
    Status(Receiver<Outcome>),
    /// Answered with the settings.
    Settings(Receiver<Result<(), Error>>),
    Dacs(Receiver<Vec<Dac>>),
    Filters(Receiver<Vec<FilterChoice>>),
    /// The last minutes, and those before an abort.
    Recorder(Receiver<(String, Option<String>)>),
}

/// Orders that are under way.
#[derive(Default)]
pub(super) struct Orders {
    last: u64,
    placed: VecDeque<Placed>,
}

struct Placed {
    number: u64,
    order: Order,
    /// How it ended.
    done: Option<Result<Answer, Refusal>>,
}

impl Orders {
    /// Takes an order in: its answer, if it is soon done, else [`Answer::Pending`].
    pub(super) fn place(&mut self, order: Order, board: &Board) -> Result<Answer, Refusal> {
        if let Some(done) = order.done(AT_ONCE, board) {
            return done;
        }
        self.last += 1;
        self.placed.push_back(Placed { number: self.last, order, done: None });
        if self.placed.len() > MOST {
            self.placed.pop_front();
        }
        Ok(Answer::Pending { order: self.last })
    }

    /// How an order ended; [`Answer::Pending`] while it has not.
    pub(super) fn outcome(&mut self, number: u64, board: &Board) -> Result<Answer, Refusal> {
        if self.is_under_way(number, board) {
            return Ok(Answer::Pending { order: number });
        }
        let place = self.placed.iter().position(|placed| placed.number == number);
        let placed = place.and_then(|place| self.placed.remove(place));
        placed.and_then(|placed| placed.done).unwrap_or_else(|| {
            Err(failed(format!("there is no order {number} whose outcome has not been told")))
        })
    }

    /// Whether that order has not ended.
    pub(super) fn is_under_way(&mut self, number: u64, board: &Board) -> bool {
        let Some(placed) = self.placed.iter_mut().find(|placed| placed.number == number) else {
            return false;
        };
        if placed.done.is_none() {
            placed.done = placed.order.done(Duration::ZERO, board);
        }
        placed.done.is_none()
    }
}

impl Order {
    /// The answer, once it is done; it is waited for for at most `patience`.
    fn done(&self, patience: Duration, board: &Board) -> Option<Result<Answer, Refusal>> {
        match self {
            Self::Status(outcome) => received(outcome, patience, |outcome| {
                outcome.map_err(failed)?;
                Ok(Answer::Status { status: Box::new(board.status()) })
            }),
            Self::Settings(outcome) => received(outcome, patience, |outcome| {
                outcome.map_err(|error| refused(&error))?;
                Ok(settings(board))
            }),
            Self::Dacs(outcome) => received(outcome, patience, |dacs| Ok(Answer::Dacs { dacs })),
            Self::Filters(outcome) => {
                received(outcome, patience, |filters| Ok(Answer::Filters { filters }))
            }
            Self::Recorder(outcome) => received(outcome, patience, |(now, at_abort)| {
                Ok(Answer::FlightRecorder { now, at_abort })
            }),
        }
    }
}

fn received<T>(
    outcome: &Receiver<T>,
    patience: Duration,
    answer: impl FnOnce(T) -> Result<Answer, Refusal>,
) -> Option<Result<Answer, Refusal>> {
    match outcome.recv_timeout(patience) {
        Ok(outcome) => Some(answer(outcome)),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => {
            Some(Err(failed("the daemon is stopping, or has a fault: see the log")))
        }
    }
}

/// The answer with all settings.
pub(super) fn settings(board: &Board) -> Answer {
    let (settings, revision) = board.settings().get();
    Answer::Settings { settings: Box::new(settings), revision }
}

pub(super) fn failed(message: impl Into<String>) -> Refusal {
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
