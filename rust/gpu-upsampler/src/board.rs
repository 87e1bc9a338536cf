//! What the daemon knows of itself, for whoever asks: status and telemetry.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use totton_dsp::engine::Backend;
use totton_protocol::{
    Buffer, BufferPlace, Counters, Device, Drift, Engine, FaultKind, Headroom, HostVolume, Latency,
    Levels, Overs, PROTOCOL_VERSION, RealTime, Settings, Sound, State, Status, Telemetry,
};

use crate::audio::flow::{Flow, Gauge};
use crate::audio::gain::crossfeed::worst_case_gain;
use crate::config::Config;
use crate::faults::Faults;
use crate::machine::Report;
use crate::recorder::{Recorder, Sample};
use crate::settings::Store;

/// The part of the status that only the supervisor changes.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) state: State,
    pub(crate) message: String,
    pub(crate) input: Option<Device>,
    pub(crate) output: Option<Device>,
    pub(crate) engine: Option<Engine>,
    pub(crate) drift: Option<Drift>,
    pub(crate) host_volume: Option<HostVolume>,
    pub(crate) latency: Option<Latency>,
    pub(crate) real_time: RealTime,
    pub(crate) faults: Faults,
    /// The configuration in force.
    pub(crate) config: Config,
    /// Worst-case gain in dB of the filter that is being faded out, and the number of the swap
    /// that ends it.
    pub(crate) outgoing_gain_db: Option<(f64, u64)>,
    pub(crate) last_error: Option<String>,
    /// What the counters of overs were when they were last counted anew.
    overs: Overs,
}

impl Facts {
    /// Takes away what only a running stream has.
    pub(crate) fn no_stream(&mut self) {
        (self.input, self.output) = (None, None);
        (self.drift, self.latency, self.outgoing_gain_db) = (None, None, None);
        if let Some(engine) = &mut self.engine {
            engine.load = 0.0;
        }
    }
}

/// The notice board: the supervisor writes, the sockets' threads read. The
/// audio threads never touch the lock; theirs is the [`Flow`].
pub struct Board {
    flow: Arc<Flow>,
    started: Instant,
    settings: Arc<Store>,
    facts: Mutex<Facts>,
    /// What was measured in the last minutes, and in those before an abort.
    recorder: Arc<Recorder>,
    before_an_abort: OnceLock<String>,
}

impl Board {
    /// A board of a daemon that starts now, with the default settings.
    pub fn new(flow: Arc<Flow>) -> Self {
        Self::with_settings(flow, Arc::new(Store::new(Settings::default(), true)))
    }

    /// A board of a daemon that starts now.
    pub fn with_settings(flow: Arc<Flow>, settings: Arc<Store>) -> Self {
        let facts = Facts {
            state: State::Starting,
            message: "Starting".to_owned(),
            input: None,
            output: None,
            engine: None,
            drift: None,
            host_volume: None,
            latency: None,
            real_time: RealTime::default(),
            faults: Faults::default(),
            config: Config::default(),
            outgoing_gain_db: None,
            last_error: None,
            overs: Overs::default(),
        };
        let (started, facts) = (Instant::now(), Mutex::new(facts));
        Self {
            flow,
            started,
            settings,
            facts,
            recorder: Arc::default(),
            before_an_abort: OnceLock::new(),
        }
    }

    /// The settings in force.
    pub fn settings(&self) -> &Arc<Store> {
        &self.settings
    }

    /// What was measured in the last minutes.
    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// Tells what an earlier daemon has left, which an abort has ended.
    pub fn remember_an_abort(&self, table: String) {
        let _ = self.before_an_abort.set(table);
    }

    /// The tables of the last minutes, and of those before an abort.
    pub fn recorded(&self) -> (String, Option<String>) {
        (self.recorder.table(), self.before_an_abort.get().cloned())
    }

    /// Measures: the supervisor's longest turn since the last time was `longest_turn`.
    pub(crate) fn record(&self, longest_turn: Duration) {
        let (flow, counters) = (&self.flow, self.flow.counters());
        let facts = self.facts();
        let rate = |end: &Option<Device>| end.as_ref().map_or(0, |end| end.rate);
        let (input_rate, output_rate) = (rate(&facts.input), rate(&facts.output));
        let (state, drift) = (facts.state as u32, facts.drift);
        drop(facts);
        let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let blocks = flow.recorded_blocks.take(input_rate.max(1));
        self.recorder.note(&Sample {
            uptime: self.started.elapsed(),
            state,
            input_rate,
            output_rate,
            to_engine_frames: count(flow.to_engine.level.load(Relaxed)),
            from_engine_frames: count(flow.from_engine.level.load(Relaxed)),
            dac_frames: count(flow.queued_frames.load(Relaxed)),
            correction_ppm: drift.map_or(0.0, |drift| drift.correction_ppm as f32),
            level: drift.map_or(Duration::ZERO, |drift| {
                Duration::try_from_secs_f64(drift.level_seconds).unwrap_or_default()
            }),
            load_mean: blocks.map_or(0.0, |blocks| blocks.mean as f32),
            load_highest: blocks.map_or(0.0, |blocks| blocks.highest as f32),
            longest_turn,
            capture_xruns: count(counters.capture_xruns),
            playback_xruns: count(counters.playback_xruns),
            rate_switches: count(counters.rate_switches),
            gpu_faults: count(counters.gpu_faults),
        });
    }

    /// Notes a fault that is over in a moment.
    pub fn note_fault(&self, kind: FaultKind, message: &str) {
        self.note_faults(kind, 1, message);
    }

    /// Notes `count` faults of a kind that is over in a moment.
    pub fn note_faults(&self, kind: FaultKind, count: u64, message: &str) {
        let uptime = self.uptime_seconds();
        let mut facts = self.facts();
        facts.faults.occurred(kind, count, message, uptime);
        facts.last_error = Some(message.to_owned());
    }

    /// Notes that a fault has begun, and lasts: it is the state, not the last fault, that tells.
    pub fn fault_begins(&self, kind: FaultKind, message: &str) {
        let uptime = self.uptime_seconds();
        self.facts().faults.begins(kind, message, uptime);
    }

    /// Notes a fault that has begun, and that the state does not tell.
    pub fn fault_strikes(&self, kind: FaultKind, message: &str) {
        self.fault_begins(kind, message);
        self.facts().last_error = Some(message.to_owned());
    }

    /// Notes that these faults are over, those that lasted.
    pub fn faults_end(&self, kinds: &[FaultKind]) {
        let mut facts = self.facts();
        kinds.iter().for_each(|kind| facts.faults.ends(*kind));
    }

    /// Asks the audio threads for what the settings, the filter and the computer's volume control
    /// come down to.
    pub fn apply_sound(&self) {
        let sound = self.settings.sound();
        let facts = self.facts();
        let headroom_db = match sound.headroom {
            Headroom::Off => 0.0,
            Headroom::Fixed => -sound.headroom_db,
            Headroom::WorstCase => -self.worst_case_gain_db(&facts, &sound).max(0.0),
        };
        let wishes = &self.flow.wishes;
        wishes.set_headroom_db(headroom_db);
        wishes.set_host(facts.host_volume.filter(|_| sound.host_volume));
        wishes.set_sound(&sound);
    }

    /// The most that filter and crossfeed can bring out together, in dB. While one filter fades
    /// into another the higher of both counts.
    fn worst_case_gain_db(&self, facts: &Facts, sound: &Sound) -> f64 {
        let filter = facts.engine.as_ref().and_then(|e| e.worst_case_gain_db).unwrap_or(0.0);
        let swaps = self.flow.filter_swaps.load(Relaxed);
        let filter = match facts.outgoing_gain_db {
            Some((outgoing, ended_by)) if swaps < ended_by => filter.max(outgoing),
            _ => filter,
        };
        let rate = facts.input.as_ref().map_or(44_100, |input| input.rate);
        let feed = sound.crossfeed.map_or(1.0, |c| worst_case_gain(c.cut_hz, c.feed_db, rate));
        filter + 20.0 * feed.log10()
    }

    fn uptime_seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
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
        let facts = self.facts();
        let mut engine = facts.engine.clone();
        self.say_who_renders(facts.state, &mut engine);
        let counters = self.flow.counters();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: facts.state,
            message: facts.message.clone(),
            uptime_seconds: self.uptime_seconds(),
            input: facts.input.clone(),
            output: facts.output.clone(),
            engine,
            sound: self.settings.sound(),
            gain: self.flow.wishes.gain(),
            host_volume: facts.host_volume,
            settings: self.settings.state(),
            latency: facts.latency,
            real_time: facts.real_time.clone(),
            overs: overs(&counters, facts.overs),
            counters,
            faults: facts.faults.list(),
            last_error: facts.last_error.clone(),
        }
    }

    /// Counts what is beyond full scale anew.
    pub fn reset_overs(&self) {
        let (counters, now) = (self.flow.counters(), self.uptime_seconds());
        let zero = Overs::default();
        self.facts().overs = Overs { since_uptime_seconds: now, ..overs(&counters, zero) };
    }

    /// One message of telemetry; starts the next measurement of levels and blocks.
    pub fn telemetry(&self, sequence: u64, machine: &Report) -> Telemetry {
        let status = self.status();
        let (rate, levels) = match (&status.input, &status.output) {
            (Some(input), Some(output)) => {
                let levels =
                    self.flow.take_levels(input.channels as usize, output.channels as usize);
                (Some(input.rate), levels)
            }
            _ => (None, Levels::default()),
        };
        Telemetry {
            version: PROTOCOL_VERSION,
            sequence,
            levels,
            buffers: self.buffers(&status),
            drift: status.input.as_ref().and_then(|_| self.facts().drift),
            blocks: rate.and_then(|rate| self.flow.blocks.take(rate)),
            temperatures: machine.temperatures.clone(),
            memory: machine.memory,
            promptness: self.flow.promptness(),
            status,
        }
    }

    /// Puts into the facts who renders just now: that changes without the supervisor.
    fn say_who_renders(&self, state: State, engine: &mut Option<Engine>) {
        let Some(engine) = engine else { return };
        if let Some(report) = self.flow.engine_report() {
            engine.backend = match report.backend {
                Backend::Cuda => "cuda".to_owned(),
                Backend::Cpu => "cpu".to_owned(),
            };
            engine.backend_reason = Some(report.reason);
        } else if matches!(state, State::Streaming | State::Idle) && engine.backend == "cuda" {
            // An engine with nothing to tell is the processor's: the GPU came after it was made.
            let found = engine.backend_reason.take().unwrap_or_default();
            engine.backend = "cpu".to_owned();
            engine.backend_reason =
                Some(format!("a GPU came while this stream ran, the next one has it: {found}"));
        }
    }

    /// Who renders and why, to be put after a message; empty when the configuration
    /// itself says who.
    pub(crate) fn who_renders(&self) -> String {
        let (state, mut engine) = {
            let facts = self.facts();
            (facts.state, facts.engine.clone())
        };
        self.say_who_renders(state, &mut engine);
        match engine.map(|engine| (engine.backend, engine.backend_reason)) {
            Some((backend, Some(reason))) if backend == "cuda" => format!("; on the GPU: {reason}"),
            Some((_, Some(reason))) => format!("; on the processor: {reason}"),
            _ => String::new(),
        }
    }

    /// How full the rings and the DAC's buffer are, along the flow.
    fn buffers(&self, status: &Status) -> Vec<Buffer> {
        let (Some(input), Some(output)) = (&status.input, &status.output) else { return vec![] };
        let Flow { to_engine, from_engine, queued_frames, .. } = self.flow.as_ref();
        let ring = |place, gauge: &Gauge, rate| Buffer {
            place,
            level_frames: gauge.level.load(Relaxed),
            capacity_frames: gauge.capacity.load(Relaxed),
            rate,
        };
        let playback = Buffer {
            place: BufferPlace::Playback,
            level_frames: queued_frames.load(Relaxed),
            capacity_frames: output.buffer_frames.into(),
            rate: output.rate,
        };
        vec![
            ring(BufferPlace::ToEngine, to_engine, input.rate),
            ring(BufferPlace::FromEngine, from_engine, output.rate),
            playback,
        ]
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

/// What the counters have gone on by since they were `before`.
fn overs(counters: &Counters, before: Overs) -> Overs {
    Overs {
        clipped_samples: counters.clipped_samples - before.clipped_samples,
        limited_samples: counters.limited_samples - before.limited_samples,
        input_full_scale_samples: counters.input_full_scale_samples
            - before.input_full_scale_samples,
        since_uptime_seconds: before.since_uptime_seconds,
    }
}

#[cfg(test)]
mod tests;
