//! Asking something that may never answer, as a driver: a thread of its own asks, one question at
//! a time, and whoever wants to know gets the last answer.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What was found, or what is missing, in words.
pub(crate) type Finding = Result<String, String>;

/// For how long an answer is believed.
const FRESH: Duration = Duration::from_secs(5);

/// A question, and the last answer to it.
pub(crate) struct Probe {
    thread: &'static str,
    ask: fn() -> Finding,
    state: Mutex<State>,
    answered: Condvar,
}

struct State {
    last: Option<(Instant, Finding)>,
    /// Since when a question has not been answered.
    asking: Option<Instant>,
}

impl Probe {
    /// The question `ask`, for a thread of that name; nothing is asked yet.
    pub(crate) const fn new(thread: &'static str, ask: fn() -> Finding) -> Self {
        let state = Mutex::new(State { last: None, asking: None });
        Self { thread, ask, state, answered: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last answer; has it asked again when that is old, and waits for it at most `patience`
    /// where there is none. An answer that stays away for longer than [`FRESH`] makes the last one
    /// worthless.
    ///
    /// # Errors
    /// For how long there has been no answer.
    pub(crate) fn find(&'static self, patience: Duration) -> Result<Finding, Duration> {
        let mut state = self.lock();
        let fresh = state.last.as_ref().is_some_and(|(when, _)| when.elapsed() < FRESH);
        if !fresh && state.asking.is_none() {
            state.asking = Some(Instant::now());
            let asks = thread::Builder::new().name(self.thread.to_owned()).spawn(|| self.ask());
            if let Err(error) = asks {
                state.asking = None;
                let finding = Err(format!("no thread to ask with: {error}"));
                state.last = Some((Instant::now(), finding));
            }
        }
        let waits = |state: &mut State| state.last.is_none();
        let (state, _) = self
            .answered
            .wait_timeout_while(state, patience, waits)
            .unwrap_or_else(PoisonError::into_inner);
        let asked = state.asking.map_or(Duration::ZERO, |since| since.elapsed());
        match &state.last {
            Some((_, finding)) if asked < FRESH => Ok(finding.clone()),
            _ => Err(asked),
        }
    }

    fn ask(&self) {
        // The bindings panic when a library lacks a function.
        let finding = std::panic::catch_unwind(self.ask)
            .unwrap_or_else(|_| Err("a library of NVIDIA's driver lacks a function".to_owned()));
        let mut state = self.lock();
        state.last = Some((Instant::now(), finding));
        state.asking = None;
        self.answered.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_what_does_not_answer() {
        static HANGS: Probe = Probe::new("hangs", || {
            thread::sleep(Duration::from_secs(60));
            Ok(String::new())
        });
        let started = Instant::now();
        assert!(HANGS.find(Duration::ZERO).is_err());
        let patience = Duration::from_millis(50);
        let waited = HANGS.find(patience).unwrap_err();
        assert!(waited >= patience, "{waited:?}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn an_answer_is_waited_for_and_then_known() {
        static ANSWERS: Probe = Probe::new("answers", || Ok("there".to_owned()));
        assert_eq!(ANSWERS.find(Duration::from_secs(30)), Ok(Ok("there".to_owned())));
        assert_eq!(ANSWERS.find(Duration::ZERO), Ok(Ok("there".to_owned())));
        static PANICS: Probe = Probe::new("panics", || panic!("on purpose"));
        let found = PANICS.find(Duration::from_secs(30)).unwrap();
        assert!(found.unwrap_err().contains("lacks a function"));
    }
}
