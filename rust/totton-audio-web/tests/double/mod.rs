//! A stand-in for the audio daemon that speaks the real protocol on sockets of
//! its own. It plays no sound: its levels follow two slow waves.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use totton_dsp::{DesignSpec, Phase, design};
use totton_protocol::{
    Answer, Command, Counters, Dac, Device, Drift, DriftMethod, Engine, ErrorCode, FilterChoice,
    FilterFile, Gain, Headroom, Latency, Levels, Memory, Overs, PROTOCOL_VERSION, RealTime, Reply,
    Request, Settings, SettingsState, Sound, Spectrum, State, Status, Telemetry, settings,
};

/// What the double does and remembers, shared with its thread.
pub struct Shared {
    pub status: Status,
    pub settings: Settings,
    pub filters: Vec<FilterChoice>,
    pub dacs: Vec<Dac>,
    /// Every command that came, in order.
    pub commands: Vec<Command>,
    /// Answer to every command but `status`, instead of carrying it out.
    pub refusal: Option<(ErrorCode, String)>,
    /// Whether all settings are refused that are sent as a whole.
    pub refuse_settings: bool,
    /// Whether a reload is under way for as long as this is so.
    pub pending: bool,
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
            settings: Settings { sound: streaming().sound, ..Settings::default() },
            filters: filters(folder),
            dacs: dacs(),
            commands: Vec::new(),
            refusal: None,
            refuse_settings: false,
            pending: false,
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
    let shared = &mut *shared;
    shared.commands.push(request.command.clone());
    match (request.command, &shared.refusal) {
        (Command::Status, _) => {}
        (_, Some((code, message))) => {
            return Reply::error(*code, message.clone());
        }
        (Command::ReplaceSettings { .. }, None) if shared.refuse_settings => {
            return Reply::error(ErrorCode::Failed, "the double refuses them");
        }
        (Command::Reload | Command::Outcome { .. }, None) if shared.pending => {
            return Reply::Ok(Answer::Pending { order: 1 });
        }
        (Command::Outcome { .. }, None) => {}
        (Command::Reload, None) => shared.status.counters.reloads += 1,
        (Command::FlightRecorder, None) => {
            let now = "uptime_ms,state\n100,1\n".to_owned();
            return Reply::Ok(Answer::FlightRecorder { now: now.clone(), at_abort: Some(now) });
        }
        (Command::ResetOvers, None) => shared.status.overs = Overs::default(),
        (Command::RestartStream, None) => shared.status.counters.stream_starts += 1,
        (Command::SetMute { mute }, None) => shared.settings.sound.mute = mute,
        (Command::SetGain { gain_db }, None) => shared.settings.sound.gain_db = gain_db,
        (Command::Settings, None) => return told(shared),
        (Command::ReplaceSettings { settings }, None) => return take(shared, *settings),
        (Command::ChangeSettings { changes }, None) => {
            return match shared.settings.changed(serde_json::Value::Object(changes)) {
                Ok(settings) => take(shared, settings),
                Err(settings::Refused::OutOfRange(error)) => error.into(),
                Err(error) => Reply::error(ErrorCode::BadRequest, error.to_string()),
            };
        }
        (Command::Dacs, None) => return Reply::Ok(Answer::Dacs { dacs: shared.dacs.clone() }),
        (Command::Filters, None) => {
            return Reply::Ok(Answer::Filters { filters: shared.filters.clone() });
        }
        (Command::Spectrum, None) => {
            let open = shared.status.output.is_some();
            let [input, output] = [22_050.0, 352_800.0].map(|hz| open.then(|| spectrum(hz)));
            return Reply::Ok(Answer::Spectrum { input, output });
        }
        (command, None) => {
            let message = format!("the double does not know {}", command.name());
            return Reply::error(ErrorCode::Failed, message);
        }
    }
    in_force(shared);
    Reply::status(shared.status.clone())
}

fn take(shared: &mut Shared, settings: Settings) -> Reply {
    if let Some(equaliser) = &settings.equaliser
        && !equaliser.text.as_str().starts_with("Preamp:")
    {
        return Reply::error(ErrorCode::BadEqualiser, "line 1: expected is Preamp:");
    }
    shared.settings = settings;
    shared.status.settings.revision += 1;
    in_force(shared);
    told(shared)
}

fn told(shared: &Shared) -> Reply {
    Reply::Ok(Answer::Settings {
        settings: Box::new(shared.settings.clone()),
        revision: shared.status.settings.revision,
    })
}

/// The settings as they show in the status.
fn in_force(shared: &mut Shared) {
    let (status, settings) = (&mut shared.status, &shared.settings);
    status.sound = settings.sound;
    let headroom_db = match settings.sound.headroom {
        Headroom::Off => 0.0,
        Headroom::Fixed => -settings.sound.headroom_db,
        Headroom::WorstCase => -9.2,
    };
    let total_db = settings.sound.gain_db + headroom_db;
    status.gain = Gain { headroom_db, total_db, muted: settings.sound.mute };
    if let Some(engine) = &mut status.engine {
        engine.equaliser = settings.equaliser.as_ref().map(|equaliser| equaliser.name.to_string());
        engine.worst_case_gain_db = Some(9.2);
    }
}

/// Something like music: falling with the frequency, nothing above 20 kHz, and moving.
fn spectrum(high_hz: f64) -> Spectrum {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seconds = now.as_secs_f64() % 1000.0;
    let level = |band: i32| {
        let hz = 20.0 * (high_hz / 20.0_f64).powf(f64::from(band) / 255.0);
        let wave = (f64::from(band) * 0.35 + seconds * 3.0).sin()
            * (f64::from(band) * 0.11 - seconds).cos();
        let db = if hz > 20_000.0 {
            -146.0
        } else {
            -18.0 - 14.0 * (hz / 80.0).max(1.0).log10().powi(2)
        };
        ((db + 7.0 * wave) * 10.0).round() / 10.0
    };
    Spectrum { low_hz: 20.0, high_hz, levels_dbfs: (0..256).map(level).collect() }
}

/// A short filter of each phase, made in the double's folder.
fn filters(folder: &Path) -> Vec<FilterChoice> {
    let folder = folder.join("filters");
    std::fs::create_dir_all(&folder).unwrap();
    [(Phase::Linear, "linear", true), (Phase::Minimum, "minimum", false)]
        .map(|(phase, name, in_use)| {
            let path = folder.join(format!("44100-x16-{name}.filter"));
            let spec =
                DesignSpec { taps: 16_384, phase, attenuation_db: 120.0, ..DesignSpec::default() };
            if !path.exists() {
                design(&spec, &mut |_, _| {}).unwrap().save(&path).unwrap();
            }
            let file = FilterFile {
                file: path.display().to_string(),
                bytes: path.metadata().unwrap().len(),
                input_rate: Some(44_100),
                ratio: Some(16),
                taps: Some(16_384),
                phase: Some(name.to_owned()),
                problem: None,
            };
            FilterChoice {
                path: folder
                    .join(format!("{{family}}-x{{ratio}}-{name}.filter"))
                    .display()
                    .to_string(),
                label: format!("{name} phase, 16k"),
                in_use,
                files: vec![file],
            }
        })
        .into()
}

fn dacs() -> Vec<Dac> {
    let dac = |name: &str, label: &str, usb: Option<&str>, in_use| Dac {
        name: name.to_owned(),
        label: label.to_owned(),
        usb_id: usb.map(str::to_owned),
        device: if usb.is_some() { "hw:DAC,0" } else { "hw:Loopback,0" }.to_owned(),
        rates: vec![44_100, 48_000, 176_400, 352_800, 705_600, 768_000],
        formats: vec!["S32_LE".to_owned()],
        channels: 2,
        in_use,
        problem: None,
    };
    vec![
        dac("usb:1234:abcd", "Example DAC", Some("1234:abcd"), true),
        dac("hw:Loopback", "Loopback", None, false),
    ]
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
    let output: Vec<_> = input.iter().map(|peak| (peak + gain).max(Levels::SILENCE_DBFS)).collect();
    let lower = |peaks: &[f64]| peaks.iter().map(|peak| (peak - 11.0).max(-200.0)).collect();
    Telemetry {
        version: PROTOCOL_VERSION,
        sequence: sequence as u64,
        status: status.clone(),
        levels: Levels {
            input_rms_dbfs: lower(&input),
            output_rms_dbfs: lower(&output),
            input_peak_dbfs: input,
            output_peak_dbfs: output,
        },
        drift: Some(Drift {
            method: DriftMethod::GadgetPitch,
            correction_ppm: 12.4 * (seconds / 20.0).sin(),
            level_seconds: 0.1,
            target_seconds: 0.1,
        }),
        memory: Some(Memory { resident_bytes: 312_000_000, ..Memory::default() }),
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
        significant_bits: if rate > 192_000 { 24 } else { 32 },
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
        gain: Gain { total_db: -6.0, ..Gain::default() },
        settings: SettingsState { revision: 1, stored: true },
        latency: Some(Latency {
            input_seconds: 0.0083,
            block_seconds: 0.0116,
            engine_seconds: 0.002,
            filter_seconds: 0.0907,
            output_seconds: 0.1,
            total_seconds: 0.2126,
        }),
        real_time: RealTime {
            scheduling: "fifo".to_owned(),
            priority: 60,
            memory_locked: true,
            ..RealTime::default()
        },
        counters: Counters { stream_starts: 1, ..Counters::default() },
        ..Status::default()
    }
}
