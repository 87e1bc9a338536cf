//! The one owner of the stream's life: a state machine that turns fifty times a second.
//!
//! It waits for nothing that takes long: what is read, folded or made, [`worker`] makes.
//!
//! - [`open`]: opening a stream; [`renew`]: another one in its place
//! - [`host`]: which rate the host has chosen
//! - [`running`]: what belongs to an open stream; [`watch`]: looking after it
//! - [`prepare`]: what is got ready beside the sound; [`worker`]: the thread that does it;
//!   [`room`]: how many engines memory has room for
//! - [`settings`]: what listeners set, put in force; [`replace`]: another configuration
//! - [`facts`]: what the status tells of the engine; [`xruns`]: overruns and underruns, told
//!
//! Waiting → (everything is there) → Streaming → (an end is lost, a restart, a
//! new rate) → Waiting; from either, on request, the end. A stream whose
//! threads do not end leads to Stuck: the device is held by a thread that no
//! longer answers, only a new process can help, so the watchdog is not fed.

mod facts;
mod host;
mod open;
pub mod prepare;
mod renew;
mod replace;
mod room;
mod running;
mod settings;
mod watch;
mod worker;
mod xruns;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender};
use std::time::{Duration, Instant};

use log::Level;
use totton_protocol::{Dac, FaultKind, State};

use self::facts::prospect;
use self::host::HostRate;
pub use self::open::EngineBuilder;
use self::open::choose;
use self::prepare::{Key, Made, Prepared, Wanted};
use self::renew::Renewal;
pub use self::room::ENGINES_BYTES;
use self::running::{Memory, Running};
use self::worker::Worker;
use self::xruns::Xruns;
use crate::board::{Board, Facts, LoadMeter};
use crate::config::{CaptureRate, Config};
use crate::device::AudioDevices;
use crate::error::Error;
use crate::filters::FilterSet;
use crate::notify::Notifier;
use crate::recorder;
use crate::settings::Store;
use crate::watchdog::{Duty, Watchdog};

/// How often the state machine turns: a change of the host's rate is silence until it is seen.
const TURN: Duration = Duration::from_millis(20);

/// How often something missing is looked for.
const RETRY: Duration = Duration::from_millis(500);

/// How a request ended; the error is for the one who asked.
pub type Outcome = Result<(), String>;

/// What the supervisor can be told.
#[derive(Debug)]
pub enum Event {
    /// Read configuration and filters again.
    Reload { reply: Option<SyncSender<Outcome>> },
    /// Close the stream and open it again.
    RestartStream { reply: SyncSender<Outcome> },
    /// Put other settings in force.
    Apply(Box<Wanted>),
    /// A change is ready.
    Prepared(Box<Prepared>),
    /// An engine is ready, or why it cannot be made, with the number of what it was for.
    Made(Box<Result<Made, (u64, Error)>>),
    /// Tell which DACs there are.
    Dacs { reply: SyncSender<Vec<Dac>> },
    /// A thread has ended that must not.
    Died { thread: &'static str },
    /// Fade out and end.
    Terminate,
}

/// Tells the supervisor of a thread that has ended and must not.
pub(crate) fn tell_of_death(events: &Sender<Event>) -> impl FnOnce(&'static str) + Send + 'static {
    let events = events.clone();
    // Nobody to hear it: the daemon is ending anyway.
    move |thread| drop(events.send(Event::Died { thread }))
}

/// What a supervisor starts with.
pub struct Plan {
    /// Where the configuration is read again on a reload.
    pub config_file: PathBuf,
    /// What the files say.
    pub base: Config,
    /// The same, with the listeners' settings over it.
    pub config: Config,
    pub filters: FilterSet,
    pub settings: Arc<Store>,
    /// What went wrong before there was a board to note it on.
    pub faults: Vec<(FaultKind, String)>,
    pub devices: Box<dyn AudioDevices>,
    pub build_engine: EngineBuilder,
    /// Bytes that engines may take together.
    pub engines_bytes: usize,
    pub notifier: Notifier,
    /// How often systemd wants to hear from the service.
    pub watchdog: Option<Duration>,
    /// Whether the process is the daemon's own: its abort then leaves a record.
    pub records_aborts: bool,
}

enum Phase {
    Waiting { next: Instant },
    Streaming(Box<Running>),
    Stuck,
}

/// The state machine.
pub struct Supervisor {
    plan: Plan,
    board: Arc<Board>,
    events: Receiver<Event>,
    worker: Worker,
    phase: Phase,
    /// Counts what is in use: what was made for something else is of no use.
    generation: u64,
    /// Counts the changes that were asked for.
    changes: u64,
    /// The engine that is being made, and since when.
    asked: Option<(Key, Instant)>,
    /// The engine in hand.
    made: Option<Result<Made, Error>>,
    /// A new stream in the open one's place.
    renewal: Option<Renewal>,
    /// Rates in Hz that the DAC accepts, for what is prepared ahead.
    ahead: Option<Vec<u32>>,
    /// Times that a stream was asked for.
    attempts: u64,
    started: Instant,
    ready: bool,
    /// Everything is there, whether or not the host plays.
    complete: bool,
    host: HostRate,
    memory: Memory,
    watchdog: Option<Watchdog>,
    load: LoadMeter,
    xruns: Xruns,
    /// For the flight recorder.
    longest_turn: Duration,
    next_sample: Instant,
}

/// What can last only while no stream is open.
const ENDED_BY_A_STREAM: [FaultKind; 7] = [
    FaultKind::InputLost,
    FaultKind::DacLost,
    FaultKind::DacBusy,
    FaultKind::DacRefused,
    FaultKind::DacStalled,
    FaultKind::EngineFailed,
    FaultKind::FilterUnsuitable,
];

impl Supervisor {
    /// A supervisor that tells `board` and obeys `events`.
    ///
    /// # Errors
    /// [`Error::Thread`] when there is no thread for what takes long.
    pub fn new(
        mut plan: Plan,
        board: Arc<Board>,
        (sender, events): (Sender<Event>, Receiver<Event>),
    ) -> Result<Self, Error> {
        let (file, build) = (plan.config_file.clone(), Arc::clone(&plan.build_engine));
        let worker = Worker::start(file, build, sender)?;
        let now = Instant::now();
        {
            let mut facts = board.facts();
            facts.engine = prospect(&plan.config, &plan.filters);
            facts.config = plan.config.clone();
        }
        board.apply_sound();
        for (kind, message) in plan.faults.drain(..) {
            board.fault_strikes(kind, &message);
        }
        Ok(Self {
            watchdog: plan.watchdog.map(|interval| Watchdog::new(interval, now)),
            plan,
            board,
            events,
            worker,
            phase: Phase::Waiting { next: now },
            generation: 0,
            changes: 0,
            asked: None,
            made: None,
            renewal: None,
            ahead: None,
            attempts: 0,
            started: now,
            ready: false,
            complete: false,
            host: HostRate::default(),
            memory: Memory::default(),
            load: LoadMeter::new(now),
            xruns: Xruns::default(),
            longest_turn: Duration::ZERO,
            next_sample: now,
        })
    }

    /// Runs until told to end; the stream has then been faded out and closed.
    ///
    /// # Errors
    /// [`Error::ThreadDied`] when it ends because a thread did.
    pub fn run(mut self) -> Result<(), Error> {
        let outcome = loop {
            let began = Instant::now();
            self.turn();
            self.note_turn(began);
            let event = self.events.recv_timeout(TURN);
            let began = Instant::now();
            match event {
                Ok(Event::Terminate) | Err(RecvTimeoutError::Disconnected) => break Ok(()),
                Ok(Event::Died { thread }) => break Err(Error::ThreadDied { name: thread }),
                Ok(Event::Reload { reply }) => self.reload(reply),
                Ok(Event::RestartStream { reply }) => {
                    log::info!("Restarting the stream on request");
                    // Who asked may have given up waiting.
                    let tell = move |outcome: &Outcome| drop(reply.send(outcome.clone()));
                    self.renew(None, Some(Box::new(tell)));
                }
                Ok(Event::Apply(wanted)) => self.apply(*wanted),
                Ok(Event::Prepared(prepared)) => self.use_prepared(*prepared),
                Ok(Event::Made(made)) => self.take_in(*made),
                Ok(Event::Dacs { reply }) => drop(reply.send(self.dacs())),
                Err(RecvTimeoutError::Timeout) => continue,
            }
            self.note_turn(began);
        };
        self.plan.notifier.stopping();
        let message = match &outcome {
            Ok(()) => "Stopping".to_owned(),
            Err(error) => format!("Stopping: {error}"),
        };
        self.tell(State::Stopping, &message, Level::Info);
        self.close();
        log::info!("Stopped");
        outcome
    }

    /// Notes how long a turn took that `began`, and now and then what there is to measure.
    fn note_turn(&mut self, began: Instant) {
        let now = Instant::now();
        let took = now - began;
        self.board.flow().turns.note(took);
        self.longest_turn = self.longest_turn.max(took);
        if now >= self.next_sample {
            self.board.record(std::mem::take(&mut self.longest_turn));
            self.next_sample = now + recorder::INTERVAL;
        }
    }

    fn turn(&mut self) {
        match &mut self.phase {
            Phase::Waiting { .. } if self.renewal.is_some() => self.go_on_renewing(),
            Phase::Waiting { next } => {
                if Instant::now() >= *next || self.host_has_begun() {
                    self.attempt();
                }
            }
            Phase::Stuck => {}
            Phase::Streaming(_) => {
                self.watch_stream();
                match self.renewal {
                    Some(_) => self.go_on_renewing(),
                    None => self.fade_in(),
                }
            }
        }
        self.worker.hold(self.has_no_room_for_another());
        self.xruns.tell(&self.board);
        self.report_ready();
        self.plan.notifier.turn();
        let duty = match &self.phase {
            Phase::Stuck => Duty::Stuck,
            _ if self.is_overdue() => Duty::Stuck,
            Phase::Waiting { .. } => Duty::Waiting { attempts: self.attempts },
            // The old stream may be silent: the computer may already send for the new one.
            Phase::Streaming(_) if self.renewal.is_some() => {
                Duty::Waiting { attempts: self.attempts }
            }
            Phase::Streaming(_) => Duty::Streaming,
        };
        if let Some(watchdog) = &mut self.watchdog
            && watchdog.may_ping(Instant::now(), duty, self.board.flow())
        {
            self.plan.notifier.alive();
        }
    }

    /// Whether the host, for which alone the stream has waited, has chosen a rate.
    fn host_has_begun(&mut self) -> bool {
        let Plan { config, devices, .. } = &mut self.plan;
        self.complete
            && config.capture.rate == CaptureRate::Auto
            && matches!(devices.input_rate(&config.capture), Ok(Some(_)))
    }

    /// Tries to open a stream.
    fn attempt(&mut self) {
        self.attempts += 1;
        let Plan { config, filters, devices, .. } = &mut self.plan;
        let devices = devices.as_mut();
        let rate = devices.input_rate(&config.capture);
        if config.capture.rate == CaptureRate::Auto
            && let Ok(Some(rate)) = rate
            && self.host.settled(Instant::now(), Some(rate)).is_none()
        {
            self.phase = Phase::Waiting { next: Instant::now() + TURN };
            return;
        }
        match choose(config, filters, devices, rate) {
            Ok(choice) => match self.take_engine(choice.key) {
                Some(made) => self.open(&choice, made),
                None => self.await_engine(choice.key),
            },
            Err(missing) => self.miss(missing),
        }
    }

    /// Closes the stream, if there is one.
    fn close(&mut self) {
        let next = Instant::now();
        let Phase::Streaming(running) = std::mem::replace(&mut self.phase, Phase::Waiting { next })
        else {
            return;
        };
        self.give_renewal_up();
        running.teach(&mut self.memory);
        if let Err(part) = running.stream.stop() {
            let message = format!(
                "The {part:?} thread does not end: a device is stuck, only a restart of the \
                 service can help"
            );
            self.board.fault_strikes(FaultKind::DeviceStuck, &message);
            self.tell(State::Stuck, &message, Level::Debug);
            self.phase = Phase::Stuck;
        } else if matches!(self.board.facts().state, State::Streaming | State::Idle) {
            self.tell(State::Starting, "The stream is closed, to be opened again", Level::Debug);
        }
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
    fn tell(&mut self, state: State, message: &str, level: Level) {
        let stream = matches!(state, State::Streaming | State::Idle);
        self.tell_with(state, message, level, |facts| {
            if !stream {
                facts.no_stream();
            }
        });
    }

    /// The same, with other facts that `change` at the same moment.
    fn tell_with(
        &mut self,
        state: State,
        message: &str,
        level: Level,
        change: impl FnOnce(&mut Facts),
    ) {
        {
            let mut facts = self.board.facts();
            change(&mut facts);
            if facts.state == state && facts.message == message {
                return;
            }
            facts.state = state;
            message.clone_into(&mut facts.message);
        }
        log::log!(level, "{message}");
        self.plan.notifier.status(message);
    }
}
