//! What the daemon knows of itself, for whoever asks: status and telemetry.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use totton_dsp::engine::Backend;
use totton_protocol::{Device, Drift, Engine, Gain, Latency, Levels, Sound, State, Status};

use crate::audio::flow::Flow;

/// The part of the status that only the supervisor changes.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) state: State,
    pub(crate) message: String,
    pub(crate) input: Option<Device>,
    pub(crate) output: Option<Device>,
    pub(crate) engine: Option<Engine>,
    pub(crate) drift: Option<Drift>,
    pub(crate) latency: Option<Latency>,
    pub(crate) last_error: Option<String>,
}

/// The notice board: the supervisor writes, the sockets' threads read. The
/// audio threads never touch the lock; theirs is the [`Flow`].
pub struct Board {
    flow: Arc<Flow>,
    started: Instant,
    facts: Mutex<Facts>,
}

impl Board {
    /// A board of a daemon that starts now.
    pub fn new(flow: Arc<Flow>) -> Self {
        let facts = Facts {
            state: State::Starting,
            message: "Starting".to_owned(),
            input: None,
            output: None,
            engine: None,
            drift: None,
            latency: None,
            last_error: None,
        };
        Self { flow, started: Instant::now(), facts: Mutex::new(facts) }
    }

    /// The audio threads' side.
    pub fn flow(&self) -> &Arc<Flow> {
        &self.flow
    }

    /// The facts, to change. A thread that died while it held them left them whole: each change
    /// is one assignment.
    pub(crate) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The whole state of the daemon, now.
    pub fn status(&self) -> Status {
        let mut facts = self.facts().clone();
        self.say_who_renders(&mut facts.engine);
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: facts.state,
            message: facts.message,
            uptime_seconds: self.started.elapsed().as_secs_f64(),
            input: facts.input,
            output: facts.output,
            engine: facts.engine,
            sound: Sound {
                gain_db: self.flow.gain_db(),
                mute: self.flow.mute(),
                ..Sound::default()
            },
            gain: Gain { headroom_db: 0.0, total_db: self.flow.gain_db(), muted: self.flow.mute() },
            latency: facts.latency,
            counters: self.flow.counters(),
            last_error: facts.last_error,
            ..Status::default()
        }
    }

    /// How the input's clock is made to follow the DAC's.
    pub fn drift(&self) -> Option<Drift> {
        self.facts().drift
    }

    /// Puts into the facts who renders just now: that changes without the supervisor.
    fn say_who_renders(&self, engine: &mut Option<Engine>) {
        if let (Some(engine), Some(report)) = (engine, self.flow.engine_report()) {
            engine.backend = match report.backend {
                Backend::Cuda => "cuda".to_owned(),
                Backend::Cpu => "cpu".to_owned(),
            };
            engine.backend_reason = Some(report.reason);
        }
    }

    /// Who renders and why, to be put after a message; empty when the configuration
    /// itself says who.
    pub(crate) fn who_renders(&self) -> String {
        let mut engine = self.facts().engine.clone();
        self.say_who_renders(&mut engine);
        match engine.map(|engine| (engine.backend, engine.backend_reason)) {
            Some((backend, Some(reason))) if backend == "cuda" => format!("; on the GPU: {reason}"),
            Some((_, Some(reason))) => format!("; on the processor: {reason}"),
            _ => String::new(),
        }
    }

    /// The peaks since the last call, for the channels of the open devices.
    pub fn take_levels(&self) -> Levels {
        let channels = |device: &Option<Device>| device.as_ref().map_or(0, |d| d.channels as usize);
        let (input, output) = {
            let facts = self.facts();
            (channels(&facts.input), channels(&facts.output))
        };
        self.flow.take_levels(input, output)
    }
}

/// The engine's load: seconds of computing for each second of sound, measured anew each second.
#[derive(Debug)]
pub(crate) struct LoadMeter {
    since: Instant,
    nanoseconds: u64,
    frames: u64,
    load: f64,
}

impl LoadMeter {
    pub(crate) fn new(now: Instant) -> Self {
        Self { since: now, nanoseconds: 0, frames: 0, load: 0.0 }
    }

    /// The load at `now`, for an input of `rate` Hz.
    pub(crate) fn load(&mut self, now: Instant, rate: u32, flow: &Flow) -> f64 {
        if now.duration_since(self.since).as_secs_f64() >= 1.0 {
            let nanoseconds = flow.engine_nanoseconds.load(Relaxed);
            let frames = flow.engine_frames.load(Relaxed);
            let sound = (frames - self.frames) as f64 / f64::from(rate);
            let computing = (nanoseconds - self.nanoseconds) as f64 * 1e-9;
            self.load = if sound > 0.0 { computing / sound } else { 0.0 };
            (self.since, self.nanoseconds, self.frames) = (now, nanoseconds, frames);
        }
        self.load
    }
}
