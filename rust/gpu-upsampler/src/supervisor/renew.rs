//! A new stream in the place of the open one, which goes on until the new one's engine is there.

use std::time::{Duration, Instant};

use totton_protocol::{DriftMethod, State};

use super::open::{Choice, Missing, choose, start, steering};
use super::prepare::{Ahead, Key, Made, Need};
use super::running::Running;
use super::{ENDED_BY_A_STREAM, Outcome, Phase, Plan, RETRY, Supervisor};
use crate::device::dac::Dac;
use crate::error::Error;

/// The longest that making an engine may take: 16 million taps and an equaliser of 200 bands take a
/// minute on a small processor.
const LONGEST_WORK: Duration = Duration::from_secs(240);

/// Hears how the opening of a new stream ended.
pub(super) type Listener = Box<dyn FnOnce(&Outcome) + Send>;

/// A new stream that waits for its engine.
pub(super) struct Renewal {
    pub(super) choice: Choice,
    /// Those who have asked for it.
    listeners: Vec<Listener>,
}

impl Supervisor {
    /// Opens the stream anew, at the input's rate `rate` in Hz where that is known: at once when
    /// its engine is there, else when it is.
    pub(super) fn renew(&mut self, rate: Option<u32>, listener: Option<Listener>) {
        let mut listeners =
            self.renewal.take().map(|renewal| renewal.listeners).unwrap_or_default();
        listeners.extend(listener);
        if matches!(self.phase, Phase::Stuck) {
            return answer(listeners, &self.outcome());
        }
        let Plan { config, filters, devices, .. } = &mut self.plan;
        let rate = rate.map_or_else(|| devices.input_rate(&config.capture), |rate| Ok(Some(rate)));
        match choose(config, filters, devices.as_mut(), rate) {
            Ok(choice) => {
                self.renewal = Some(Renewal { choice, listeners });
                self.go_on_renewing();
            }
            Err(missing) => {
                self.close();
                self.miss(missing);
                answer(listeners, &self.outcome());
            }
        }
    }

    /// Opens the new stream if its engine is there.
    pub(super) fn go_on_renewing(&mut self) {
        let Some(Renewal { choice, .. }) = &self.renewal else { return };
        let key = choice.key;
        self.attempts += 1;
        let Some(made) = self.take_engine(key) else {
            if matches!(self.phase, Phase::Waiting { .. }) {
                self.await_engine(key);
            }
            return;
        };
        let Some(Renewal { choice, listeners }) = self.renewal.take() else { return };
        self.close();
        if !matches!(self.phase, Phase::Stuck) {
            self.open(&choice, made);
        }
        answer(listeners, &self.outcome());
    }

    /// Tells those who wait for a new stream that the old one has gone before it.
    pub(super) fn give_renewal_up(&mut self) {
        if let Some(Renewal { listeners, .. }) = self.renewal.take() {
            let message = "the stream was lost meanwhile; it is opened as soon as it can be";
            answer(listeners, &Err(message.to_owned()));
        }
    }

    fn outcome(&self) -> Outcome {
        match &self.phase {
            Phase::Streaming(_) => Ok(()),
            Phase::Stuck => {
                Err("a device is stuck; the service is about to be restarted".to_owned())
            }
            Phase::Waiting { .. } if self.complete => Ok(()),
            Phase::Waiting { .. } => Err(self.board.facts().message.clone()),
        }
    }

    /// The engine for `key`, or why there is none. `None`: it is asked for, and not there yet.
    pub(super) fn take_engine(&mut self, key: Key) -> Option<Result<Made, Error>> {
        match self.made.take() {
            Some(Ok(made)) if made.key == key => return Some(Ok(made)),
            Some(Err(error)) if self.has_asked_for(key) => {
                self.asked = None;
                return Some(Err(error));
            }
            _ => {}
        }
        if !self.has_asked_for(key) {
            self.asked = Some((key, Instant::now()));
            let Plan { config, filters, .. } = &self.plan;
            self.worker.need(Need {
                key,
                config: config.clone(),
                filters: filters.clone(),
                generation: self.generation,
                late: false,
            });
        }
        None
    }

    fn has_asked_for(&self, key: Key) -> bool {
        self.asked.is_some_and(|(asked, _)| asked == key)
    }

    /// Whether an engine that a stream waits for takes longer than any can: whoever makes it hangs.
    pub(super) fn is_overdue(&self) -> bool {
        let waits = matches!(self.phase, Phase::Waiting { .. }) || self.renewal.is_some();
        waits && self.asked.is_some_and(|(_, since)| since.elapsed() > LONGEST_WORK)
    }

    /// Takes an engine that is ready.
    pub(super) fn take_in(&mut self, made: Result<Made, (u64, Error)>) {
        let (generation, made) = match made {
            Ok(made) => (made.generation, Ok(made)),
            Err((generation, error)) => (generation, Err(error)),
        };
        if generation != self.generation {
            return;
        }
        if let Ok(made) = &made
            && !self.has_asked_for(made.key)
        {
            return;
        }
        match (&made, &self.phase) {
            (Ok(made), _) if made.stands_in => {}
            // What stands in goes on; the page shows why.
            (Err(error), Phase::Streaming(running)) if running.stands_in => {
                self.board.fault_strikes(error.fault(), &error.to_string());
                if let Some(engine) = &mut self.board.facts().engine {
                    engine.preparing = None;
                }
                self.asked = None;
                return;
            }
            (Ok(_), _) => self.asked = None,
            (Err(_), _) => {}
        }
        self.made = Some(made);
        if let Phase::Waiting { next } = &mut self.phase {
            *next = Instant::now();
        }
    }

    /// Opens a stream with an engine, or notes what is missing.
    pub(super) fn open(&mut self, choice: &Choice, made: Result<Made, Error>) {
        let Plan { config, devices, .. } = &mut self.plan;
        let flow = self.board.flow();
        let opened = made.map_err(Missing::engine).and_then(|made| {
            match choice.ends(config, devices.as_mut()) {
                Ok(ends) => {
                    let steering =
                        steering(&config.capture, &choice.dac.name, devices.as_mut(), flow);
                    let method = steering.as_ref().map(|steering| steering.method());
                    let resample = method == Some(DriftMethod::Resampler);
                    Ok((start(ends, made, resample, config, flow)?, steering))
                }
                Err(missing) => {
                    // For the next attempt.
                    self.made = Some(Ok(made));
                    Err(missing)
                }
            }
        });
        match opened {
            Ok((opened, steering)) => {
                self.complete = true;
                self.board.faults_end(&ENDED_BY_A_STREAM);
                let now = Instant::now();
                let running = Running::new(opened, &self.plan.config, steering, &self.memory, now);
                if running.stands_in
                    && let Some(name) = self.plan.filters.equaliser()
                    && let Some(engine) = &mut self.board.facts().engine
                {
                    engine.preparing = Some(format!("the equaliser {name}"));
                }
                self.phase = Phase::Streaming(Box::new(running));
                self.ready_for(&choice.dac);
                self.watch_stream();
            }
            Err(missing) => self.miss(missing),
        }
    }

    /// Notes what is missing, and waits for it.
    pub(super) fn miss(&mut self, Missing { state, message, fault }: Missing) {
        self.complete = fault.is_none();
        match fault {
            Some(kind) => {
                self.board.fault_begins(kind, &message);
                self.tell(state, &message, log::Level::Debug);
            }
            None => {
                self.board.faults_end(&ENDED_BY_A_STREAM);
                self.tell(state, &message, log::Level::Info);
                // The host may begin at any moment.
                let Plan { config, devices, .. } = &mut self.plan;
                if self.ahead.is_none()
                    && let Ok(dac) = devices.find_playback(&config.playback)
                {
                    self.ready_for(&dac);
                }
            }
        }
        self.phase = Phase::Waiting { next: Instant::now() + RETRY };
    }

    /// Waits for the engine of a stream.
    pub(super) fn await_engine(&mut self, (rate, _): Key) {
        self.complete = false;
        let message = format!("Preparing the filter for inputs of {rate} Hz");
        self.tell(State::Starting, &message, log::Level::Info);
        self.phase = Phase::Waiting { next: Instant::now() + RETRY };
    }

    /// Has what a stream to `dac` may need next prepared, once for each DAC.
    pub(super) fn ready_for(&mut self, dac: &Dac) {
        let accepted = dac.rates().to_vec();
        if self.ahead.as_ref() != Some(&accepted) {
            self.ahead = Some(accepted);
            self.look_ahead();
        }
    }

    /// Has what may be needed next prepared.
    pub(super) fn look_ahead(&mut self) {
        let Some(accepted) = self.ahead.clone() else { return };
        let Plan { config, filters, .. } = &self.plan;
        self.worker.ahead(Ahead { config: config.clone(), filters: filters.clone(), accepted });
    }
}

fn answer(listeners: Vec<Listener>, outcome: &Outcome) {
    listeners.into_iter().for_each(|listener| listener(outcome));
}
