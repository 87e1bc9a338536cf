//! The one owner of the stream's life: a state machine that turns ten times a second.
//!
//! - [`open`]: opening a stream
//!
//! Waiting → (everything is there) → Streaming → (an end is lost, a restart, a
//! new rate) → Waiting; from either, on request, the end. A stream whose
//! threads do not end leads to Stuck: the device is held by a thread that no
//! longer answers, only a new process can help, so the watchdog is not fed.

mod open;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use log::Level;
use totton_protocol::State;

pub use self::open::EngineBuilder;
use self::open::Missing;
use crate::audio::realtime;
use crate::audio::stream::Stream;
use crate::backend;
use crate::board::{Board, LoadMeter};
use crate::config::{CaptureRate, Config, RatioChoice};
use crate::device::AudioDevices;
use crate::error::Error;
use crate::filters::{FilterSet, LoadedFilter};
use crate::notify::Notifier;
use crate::watchdog::{Duty, Watchdog};

/// How often the state machine turns.
const TURN: Duration = Duration::from_millis(100);

/// How often something missing is looked for.
const RETRY: Duration = Duration::from_millis(500);

/// Turns for which a new rate must stand before it is believed: hosts probe
/// rates when they are plugged in.
const RATE_TURNS: u32 = 2;

/// How a request ended; the error is for the one who asked.
pub type Outcome = Result<(), String>;

/// What the supervisor can be told.
#[derive(Debug)]
pub enum Event {
    /// Read configuration and filters again.
    Reload { reply: Option<SyncSender<Outcome>> },
    /// Close the stream and open it again.
    RestartStream { reply: SyncSender<Outcome> },
    /// Fade out and end.
    Terminate,
}

/// What a supervisor starts with.
pub struct Plan {
    /// Where the configuration is read again on a reload.
    pub config_file: PathBuf,
    pub config: Config,
    pub filters: FilterSet,
    pub devices: Box<dyn AudioDevices>,
    pub build_engine: EngineBuilder,
    pub notifier: Notifier,
    /// How often systemd wants to hear from the service.
    pub watchdog: Option<Duration>,
}

enum Phase {
    Waiting { next: Instant },
    Streaming { stream: Stream, filter: LoadedFilter, other_rate: u32 },
    Stuck,
}

/// The state machine.
pub struct Supervisor {
    plan: Plan,
    board: Arc<Board>,
    events: Receiver<Event>,
    phase: Phase,
    /// Times that a stream was asked for.
    attempts: u64,
    started: Instant,
    ready: bool,
    /// Everything is there, whether or not the host plays.
    complete: bool,
    watchdog: Option<Watchdog>,
    load: LoadMeter,
}

impl Supervisor {
    /// A supervisor that tells `board` and obeys `events`.
    pub fn new(plan: Plan, board: Arc<Board>, events: Receiver<Event>) -> Self {
        let now = Instant::now();
        board.flow().set_gain_db(plan.config.output.gain_db);
        board.flow().set_mute(plan.config.output.mute);
        board.facts().engine = prospect(&plan.config, &plan.filters);
        Self {
            watchdog: plan.watchdog.map(|interval| Watchdog::new(interval, now)),
            plan,
            board,
            events,
            phase: Phase::Waiting { next: now },
            attempts: 0,
            started: now,
            ready: false,
            complete: false,
            load: LoadMeter::new(now),
        }
    }

    /// Runs until told to end; the stream has then been faded out and closed.
    pub fn run(mut self) {
        loop {
            self.turn();
            match self.events.recv_timeout(TURN) {
                Ok(Event::Terminate) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(Event::Reload { reply }) => {
                    let outcome = self.reload().map_err(|error| {
                        let message = format!("Reload refused, the old settings stay: {error}");
                        self.note_error(&message);
                        message
                    });
                    if let Some(reply) = reply {
                        let _ = reply.send(outcome);
                    }
                }
                Ok(Event::RestartStream { reply }) => {
                    log::info!("Restarting the stream on request");
                    let _ = reply.send(self.restart());
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        self.plan.notifier.stopping();
        self.tell(State::Stopping, "Stopping", Level::Info);
        self.close();
        log::info!("Stopped");
    }

    fn turn(&mut self) {
        match &mut self.phase {
            Phase::Waiting { next } if Instant::now() >= *next => self.attempt(),
            Phase::Waiting { .. } | Phase::Stuck => {}
            Phase::Streaming { .. } => self.watch_stream(),
        }
        self.report_ready();
        let duty = match &self.phase {
            Phase::Waiting { .. } => Duty::Waiting { attempts: self.attempts },
            Phase::Streaming { .. } => Duty::Streaming,
            Phase::Stuck => Duty::Stuck,
        };
        if let Some(watchdog) = &mut self.watchdog
            && watchdog.may_ping(Instant::now(), duty, self.board.flow())
        {
            self.plan.notifier.alive();
        }
    }

    /// Tries to open a stream.
    fn attempt(&mut self) {
        self.attempts += 1;
        let Plan { config, filters, devices, build_engine, .. } = &mut self.plan;
        match open::open(config, filters, devices.as_mut(), build_engine, self.board.flow()) {
            Ok(opened) => {
                self.complete = true;
                {
                    let mut facts = self.board.facts();
                    facts.input = Some(opened.stream.input().to_message());
                    facts.output = Some(opened.stream.output().to_message());
                }
                self.phase = Phase::Streaming {
                    stream: opened.stream,
                    filter: opened.filter,
                    other_rate: 0,
                };
                self.watch_stream();
            }
            Err(Missing { state, message, only_idle }) => {
                self.complete = only_idle;
                self.tell(state, &message, if only_idle { Level::Info } else { Level::Warn });
                self.phase = Phase::Waiting { next: Instant::now() + RETRY };
            }
        }
    }

    /// Looks after the open stream.
    fn watch_stream(&mut self) {
        let Phase::Streaming { stream, filter, other_rate } = &mut self.phase else { return };
        if let Some(loss) = stream.loss() {
            self.note_error(&format!("The {:?} side is lost: {}", loss.part, loss.error));
            self.close();
            return;
        }
        let (input, output) = (stream.input(), stream.output());
        let (rate, config) = (input.rate, &self.plan.config);
        let flow = self.board.flow();
        let load = self.load.load(Instant::now(), rate, flow);
        self.board.facts().engine = Some(engine_facts(config, filter, load));
        let (state, message) = if flow.input_idle.load(Relaxed) {
            let message = format!("The computer sends no sound to {}", input.name);
            (State::WaitingForInput, message)
        } else {
            let message = format!(
                "{} at {} Hz to {} at {} Hz, {}",
                input.name,
                input.rate,
                output.name,
                output.rate,
                output.format.name()
            );
            (State::Streaming, message)
        };
        if config.capture.rate == CaptureRate::Auto {
            match self.plan.devices.input_rate(&config.capture) {
                Ok(Some(now)) if now != rate => *other_rate += 1,
                // A card that is gone shows at the next read.
                _ => *other_rate = 0,
            }
        }
        let rate_changed = *other_rate >= RATE_TURNS;
        self.tell(state, &message, Level::Info);
        if rate_changed {
            log::info!("The computer has changed its rate");
            let _ = self.restart();
        }
    }

    /// Closes the stream, fading out, and opens it again at once.
    fn restart(&mut self) -> Outcome {
        self.close();
        if matches!(self.phase, Phase::Stuck) {
            return Err("a device is stuck; the service is about to be restarted".to_owned());
        }
        self.attempt();
        match &self.phase {
            Phase::Streaming { .. } => Ok(()),
            _ if self.complete => Ok(()),
            _ => Err(self.board.facts().message.clone()),
        }
    }

    /// Closes the stream, if there is one.
    fn close(&mut self) {
        let next = Instant::now();
        let Phase::Streaming { stream, .. } =
            std::mem::replace(&mut self.phase, Phase::Waiting { next })
        else {
            return;
        };
        if let Err(part) = stream.stop() {
            self.note_error(&format!(
                "The {part:?} thread does not end: a device is stuck, only a restart of the \
                 service can help"
            ));
            self.phase = Phase::Stuck;
        }
        let mut facts = self.board.facts();
        (facts.input, facts.output) = (None, None);
        if let Some(engine) = &mut facts.engine {
            engine.load = 0.0;
        }
    }

    /// Reads configuration and filters again, and uses them if they are good.
    fn reload(&mut self) -> Result<(), Error> {
        let config = Config::load(&self.plan.config_file)?;
        let filters = FilterSet::load(&config)?;
        let old = std::mem::replace(&mut self.plan.config, config);
        let new = &self.plan.config;
        let flow = self.board.flow();
        // Gain and mute may have been set on the page meanwhile: only what changed in the file counts.
        if new.output.gain_db != old.output.gain_db {
            flow.set_gain_db(new.output.gain_db);
        }
        if new.output.mute != old.output.mute {
            flow.set_mute(new.output.mute);
        }
        if new.realtime.lock_memory && !old.realtime.lock_memory {
            realtime::lock_memory();
        }
        flow.reloads.fetch_add(1, Relaxed);
        let same_stream = Config { output: old.output.clone(), ..new.clone() } == old
            && filters == self.plan.filters;
        self.plan.filters = filters;
        log::info!(
            "Reloaded{}",
            if same_stream { "" } else { "; the stream is opened anew with the new settings" }
        );
        if !same_stream && !matches!(self.phase, Phase::Stuck) {
            self.board.facts().engine = prospect(&self.plan.config, &self.plan.filters);
            // What is missing now shows in the state; the reload itself has been done.
            let _ = self.restart();
        }
        Ok(())
    }

    /// Tells systemd once that the service is up: see docs/decisions/0002-ready-without-dac.md.
    ///
    /// The page waits for this service, and the page is what can tell the
    /// listener that the DAC is not plugged in. So an absent device delays
    /// readiness, and does not prevent it.
    fn report_ready(&mut self) {
        let waited_enough = self.started.elapsed() >= self.plan.config.startup_grace;
        if !self.ready && (self.complete || waited_enough) {
            self.ready = true;
            let message = self.board.facts().message.clone();
            if !self.complete {
                log::warn!("Ready without everything: {message}");
            }
            self.plan.notifier.ready(&message);
        }
    }

    /// Puts state and message on the board; logs and tells systemd what is new.
    fn tell(&self, state: State, message: &str, level: Level) {
        {
            let mut facts = self.board.facts();
            if facts.state == state && facts.message == message {
                return;
            }
            facts.state = state;
            message.clone_into(&mut facts.message);
        }
        log::log!(level, "{message}");
        self.plan.notifier.status(message);
    }

    fn note_error(&self, message: &str) {
        log::error!("{message}");
        self.board.facts().last_error = Some(message.to_owned());
    }
}

/// The engine with `filter`, for the status.
fn engine_facts(config: &Config, filter: &LoadedFilter, load: f64) -> totton_protocol::Engine {
    let engine = &config.engine;
    let name = backend::resolve(engine.backend);
    totton_protocol::Engine {
        backend: name.name.to_owned(),
        backend_reason: name.reason,
        ratio: filter.filter.header().ratio,
        block_frames: engine.block_frames as u32,
        filter: filter.file.display().to_string(),
        taps: filter.filter.taps().len() as u64,
        precision_bits: backend::precision(engine.precision).bits(),
        load,
    }
}

/// The engine that a stream would have, as far as is known before host and DAC
/// have agreed on their rates.
fn prospect(config: &Config, filters: &FilterSet) -> Option<totton_protocol::Engine> {
    let (family, loaded) = filters.iter().next()?;
    let ratio = match config.engine.ratio {
        RatioChoice::Fixed(ratio) => ratio,
        RatioChoice::Auto => filters.largest_ratio(family),
    };
    let filter = filters.get(family, ratio).unwrap_or_else(|_| loaded.clone());
    Some(engine_facts(config, &filter, 0.0))
}
