//! A stand-in for the audio daemon that speaks the real protocol on sockets of
//! its own. It plays no sound: its levels follow two slow waves.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use totton_protocol::{
    Command, Counters, Device, Engine, ErrorCode, Levels, PROTOCOL_VERSION, Reply, Request, Sound,
    State, Status, Telemetry,
};

/// What the double does and remembers, shared with its thread.
pub struct Shared {
    pub status: Status,
    /// Every command that came, in order.
    pub commands: Vec<Command>,
    /// Answer to every command but `status`, instead of carrying it out.
    pub refusal: Option<(ErrorCode, String)>,
    /// Wait before each answer.
    pub delay: Duration,
}

/// Answers and publishes until it is dropped.
#[must_use = "the double is away as soon as it is dropped"]
pub struct Double {
    pub shared: Arc<Mutex<Shared>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The endpoints in a folder: control, telemetry.
pub fn endpoints(folder: &Path) -> (String, String) {
    let at = |name| format!("ipc://{}", folder.join(name).display());
    (at("control.sock"), at("telemetry.sock"))
}

impl Double {
    /// Starts a double on the [`endpoints`] in `folder`.
    pub fn start(folder: &Path) -> Self {
        let (control, telemetry) = endpoints(folder);
        let context = zmq::Context::new();
        let answers = context.socket(zmq::REP).unwrap();
        answers.set_linger(0).unwrap();
        answers.set_rcvtimeo(5).unwrap();
        answers.bind(&control).unwrap();
        let publishes = context.socket(zmq::PUB).unwrap();
        publishes.set_linger(0).unwrap();
        publishes.bind(&telemetry).unwrap();

        let shared = Arc::new(Mutex::new(Shared {
            status: streaming(),
            commands: Vec::new(),
            refusal: None,
            delay: Duration::ZERO,
        }));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (shared, stop) = (Arc::clone(&shared), Arc::clone(&stop));
            move || {
                let (start, mut sequence) = (Instant::now(), 0);
                while !stop.load(Ordering::Relaxed) {
                    if let Ok(request) = answers.recv_bytes(0) {
                        let reply = answer(&shared, &request);
                        answers.send(serde_json::to_vec(&reply).unwrap(), 0).unwrap();
                    }
                    let elapsed = start.elapsed();
                    if elapsed.as_millis() / 40 > sequence {
                        sequence += 1;
                        let message = telemetry_at(&shared, elapsed, sequence);
                        publishes.send(serde_json::to_vec(&message).unwrap(), 0).unwrap();
                    }
                }
            }
        });
        Self { shared, stop, thread: Some(thread) }
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(shared: &Mutex<Shared>, request: &[u8]) -> Reply {
    let request = match Request::parse(request) {
        Ok(request) => request,
        Err(refusal) => return *refusal,
    };
    let delay = shared.lock().unwrap().delay;
    std::thread::sleep(delay);
    let mut shared = shared.lock().unwrap();
    shared.commands.push(request.command.clone());
    match (request.command, &shared.refusal) {
        (Command::Status, _) => {}
        (_, Some((code, message))) => {
            return Reply::error(*code, message.clone());
        }
        (Command::Reload, None) => shared.status.counters.reloads += 1,
        (Command::RestartStream, None) => shared.status.counters.stream_starts += 1,
        (Command::SetMute { mute }, None) => shared.status.sound.mute = mute,
        (Command::SetGain { gain_db }, None) => shared.status.sound.gain_db = gain_db,
        (command, None) => {
            let message = format!("the double does not know {}", command.name());
            return Reply::error(ErrorCode::Failed, message);
        }
    }
    Reply::status(shared.status.clone())
}

fn telemetry_at(shared: &Mutex<Shared>, elapsed: Duration, sequence: u128) -> Telemetry {
    let mut shared = shared.lock().unwrap();
    let seconds = elapsed.as_secs_f64();
    let status = &mut shared.status;
    status.uptime_seconds = seconds;
    let playing = status.state == State::Streaming;
    if let (true, Some(input), Some(output)) = (playing, &status.input, &status.output) {
        status.counters.input_frames = (seconds * f64::from(input.rate)) as u64;
        status.counters.output_frames = (seconds * f64::from(output.rate)) as u64;
    }
    let wave = |speed: f64, depth: f64| -10.0 + depth * (seconds * speed).sin();
    let input = match playing {
        true => vec![wave(2.1, 7.0), wave(1.7, 9.0)],
        false => vec![Levels::SILENCE_DBFS; 2],
    };
    let gain = if status.sound.mute { Levels::SILENCE_DBFS } else { status.sound.gain_db };
    let output = input.iter().map(|peak| (peak + gain).max(Levels::SILENCE_DBFS)).collect();
    Telemetry {
        version: PROTOCOL_VERSION,
        sequence: sequence as u64,
        status: status.clone(),
        levels: Levels { input_peak_dbfs: input, output_peak_dbfs: output, ..Levels::default() },
        ..Telemetry::default()
    }
}

/// The status of a box that plays CD sound through its longest filter.
pub fn streaming() -> Status {
    let device = |name: &str, rate, period_frames| Device {
        name: name.to_owned(),
        rate,
        channels: 2,
        format: "S32_LE".to_owned(),
        period_frames,
        buffer_frames: period_frames * 4,
    };
    Status {
        version: "0.1.0-double".to_owned(),
        state: State::Streaming,
        message: "streaming from hw:UAC2Gadget,0 to hw:DAC,0".to_owned(),
        uptime_seconds: 0.0,
        input: Some(device("hw:UAC2Gadget,0", 44_100, 512)),
        output: Some(device("hw:DAC,0", 705_600, 8_192)),
        engine: Some(Engine {
            backend: "cuda".to_owned(),
            backend_reason: None,
            ratio: 16,
            block_frames: 512,
            filter: "/opt/totton_audio/filters/44k-x16-linear-2m.filter".to_owned(),
            taps: 2_000_000,
            precision_bits: 32,
            load: 0.184,
            ..Engine::default()
        }),
        sound: Sound { gain_db: -6.0, ..Sound::default() },
        counters: Counters { stream_starts: 1, ..Counters::default() },
        ..Status::default()
    }
}
