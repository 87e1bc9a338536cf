//! What takes long is done beside the sound, and nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use gpu_upsampler::backend;
use gpu_upsampler::sample::{SampleFormat, decode};
use gpu_upsampler::supervisor::EngineBuilder;
use serde_json::json;
use tempfile::TempDir;
use totton_dsp::{Engine, Filter, Origin, Phase};
use totton_protocol::{
    Answer, Client, ClientError, Command, Delays, Equaliser, Headroom, Settings, Sound, State,
    TelemetryListener, endpoint,
};

use crate::double::Machine;
use crate::running::{RATIO, Running, Setup, until};

/// A filter of that length that holds each frame.
fn filter_of(taps: usize, folder: &TempDir) {
    let mut all = vec![0.0; taps];
    all[..RATIO].fill(1.0);
    let origin = Origin::Imported { source: "test".into() };
    let filter = Filter::new(44_100, RATIO as u32, Phase::Minimum, origin, all).unwrap();
    filter.save(&folder.path().join("taps.filter")).unwrap();
}

/// An equaliser that lowers everything by 12 dB, of `bands` bands; folding takes the longer the
/// more there are.
fn equaliser(name: &str, bands: usize) -> Equaliser {
    let shelf = "Filter: ON LSC Fc 18000 Hz Gain -12 dB Q 0.7\n".to_owned();
    let flat = (1..bands).map(|n| format!("Filter: ON PK Fc {} Hz Gain 0 dB Q 1\n", 100 + n));
    let text: String = std::iter::once(shelf).chain(flat).collect();
    Equaliser { name: name.parse().unwrap(), text: text.parse().unwrap() }
}

fn store(equaliser: Equaliser, folder: &TempDir) {
    let sound = Sound { headroom: Headroom::Off, ..Sound::default() };
    let settings = Settings { equaliser: Some(equaliser), sound, ..Settings::default() };
    let text = serde_json::to_vec(&settings).unwrap();
    std::fs::write(folder.path().join("settings.json"), text).unwrap();
}

/// What nothing may take that somebody waits for, however busy the machine of the test is.
const SECOND: Duration = Duration::from_secs(1);

/// A number that is another one by hand: in the environment.
fn by_hand(name: &str, otherwise: usize) -> usize {
    std::env::var(name).map_or(otherwise, |number| number.parse().unwrap())
}

/// By hand with `TOTTON_TAPS=16000000`, the longest filter that is offered.
fn long(folder: &TempDir) {
    filter_of(by_hand("TOTTON_TAPS", 2_000_000), folder);
}

/// By hand with `TOTTON_BANDS=1500`, as many as are accepted.
fn bands() -> usize {
    by_hand("TOTTON_BANDS", 200)
}

fn long_with_a_stored_equaliser(folder: &TempDir) {
    long(folder);
    store(equaliser("stored", bands()), folder);
}

fn client(daemon: &Running, patience: Duration) -> Client {
    let control = format!("ipc://{}", daemon.place(endpoint::CONTROL_FILE).display());
    Client::with_endpoint(control, patience)
}

fn set(equaliser: Option<Equaliser>) -> Command {
    let serde_json::Value::Object(changes) = json!({ "equaliser": equaliser }) else {
        panic!("an object")
    };
    Command::ChangeSettings { changes }
}

fn constant(level: f64, seconds: f64) -> Vec<u8> {
    let bytes = ((level * f64::from(i32::MAX)) as i32).to_le_bytes();
    bytes.repeat(2 * (44_100.0 * seconds) as usize)
}

/// What the left loudspeaker has got since the stream was opened.
fn heard(daemon: &Running) -> Vec<f64> {
    let world = daemon.machine.world();
    let frames = world.played.len() / 8;
    let mut planes = vec![vec![0.0; frames]; 2];
    decode(SampleFormat::S32, &world.played[..frames * 8], &mut planes);
    planes.swap_remove(0)
}

fn threads_that_prepare() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
    tasks.filter_map(|task| name(task).ok()).filter(|name| name.trim() == "prepare").count()
}

#[test]
fn a_stored_equaliser_that_folds_slowly_keeps_nobody_waiting_and_is_never_too_loud() {
    let machine = Machine::new();
    machine.world().host_rate = None;
    let setup = Setup {
        watchdog: Some(Duration::from_secs(1)),
        before: long_with_a_stored_equaliser,
        ..Setup::default()
    };
    let daemon = Running::start(machine, setup);
    daemon.until_state(State::Idle);
    {
        // The computer begins to play before anything can be folded.
        let mut world = daemon.machine.world();
        world.sent = constant(0.5, 60.0);
        world.host_rate = Some(88_200);
    }
    let (mut last, mut longest, mut slowest) = (Instant::now(), Duration::ZERO, Duration::ZERO);
    until("the equaliser", || {
        if daemon.heard().iter().any(|message| message == "WATCHDOG=1") {
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
        let asked = Instant::now();
        let status = daemon.status();
        slowest = slowest.max(asked.elapsed());
        status.engine.is_some_and(|engine| engine.equaliser.is_some()).then_some(())
    });
    assert!(slowest < SECOND, "an answer after {slowest:?}");
    let bound = Duration::from_millis(1300);
    assert!(longest < bound, "a ping each third of a second, and one after {longest:?}");
    let level = 0.5 * 10f64.powf(-12.0 / 20.0);
    until("its level", || {
        heard(&daemon).last().is_some_and(|last| (last - level).abs() < 1e-3).then_some(())
    });
    // No frame was louder than with the equaliser: neither what stood in nor the cross-fade.
    let loudest = heard(&daemon).into_iter().fold(0.0, f64::max);
    assert!(loudest < level * 1.001, "{loudest}, allowed {level}");
    let status = daemon.status();
    assert_eq!((status.counters.stream_starts, status.engine.unwrap().preparing), (1, None));
}

#[test]
fn the_other_rates_are_folded_ahead() {
    let before = |folder: &TempDir| {
        filter_of(300_000, folder);
        store(equaliser("stored", 20), folder);
    };
    let machine = Machine::new();
    machine.world().host_rate = None;
    let daemon = Running::start(machine, Setup { before, ..Setup::default() });
    daemon.until_state(State::Idle);
    // Twelve rates at a tenth of a second or so.
    std::thread::sleep(Duration::from_secs(4));
    for rate in [44_100, 96_000, 48_000] {
        daemon.machine.world().host_rate = Some(rate);
        let status = daemon.until_status("the stream at its rate", |status| {
            status.input.as_ref().is_some_and(|input| input.rate == rate)
        });
        let engine = status.engine.unwrap();
        assert_eq!(engine.equaliser.as_deref(), Some("stored"), "{rate} Hz: no stand-in");
        let kept = engine.prepared_bytes as usize;
        assert!((300_000 * 8..=gpu_upsampler::filters::BUDGET_BYTES).contains(&kept), "{kept}");
    }
    assert_eq!(daemon.status().counters.filter_swaps, 0);
}

#[test]
fn the_newest_equaliser_wins_and_the_one_before_is_told() {
    let daemon = Running::start(Machine::new(), Setup { before: long, ..Setup::default() });
    daemon.until_state(State::Streaming);
    let asker = client(&daemon, Duration::from_secs(60));
    let Answer::Pending { order: first } =
        asker.ask_once(set(Some(equaliser("first", 200)))).unwrap()
    else {
        panic!("folded at once: make it longer")
    };
    let second = asker.settings(set(Some(equaliser("second", 2)))).unwrap().0;
    assert_eq!(second.equaliser.unwrap().name.as_str(), "second");
    let superseded = until("the outcome of the first", || {
        match asker.ask_once(Command::Outcome { order: first }) {
            Ok(Answer::Pending { .. }) => None,
            other => Some(other),
        }
    });
    let Err(ClientError::Refused { message, .. }) = superseded else { panic!("{superseded:?}") };
    assert!(message.contains("a newer change took the place"), "{message}");
    std::thread::sleep(Duration::from_millis(500));
    let settings = asker.settings(Command::Settings).unwrap().0;
    assert_eq!(settings.equaliser.unwrap().name.as_str(), "second", "nor does it come later");
    let told_once = asker.ask_once(Command::Outcome { order: first }).unwrap_err().to_string();
    assert!(told_once.contains(&format!("no order {first}")), "{told_once}");
}

#[test]
fn what_is_taken_back_while_it_is_prepared_does_not_come() {
    let daemon = Running::start(Machine::new(), Setup { before: long, ..Setup::default() });
    daemon.until_state(State::Streaming);
    let asker = client(&daemon, Duration::from_secs(60));
    let first = asker.ask_once(set(Some(equaliser("mine", 200)))).unwrap();
    assert!(matches!(first, Answer::Pending { .. }), "{first:?}");
    assert_eq!(asker.settings(set(None)).unwrap().0.equaliser, None);
    daemon.until_status("nothing is prepared", |s| s.engine.as_ref().unwrap().preparing.is_none());
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(asker.settings(Command::Settings).unwrap().0.equaliser, None);
    assert_eq!(daemon.status().engine.unwrap().equaliser, None);
}

#[test]
fn what_is_changed_while_something_is_prepared_is_changed_beside_it() {
    let daemon = Running::start(Machine::new(), Setup { before: long, ..Setup::default() });
    daemon.until_state(State::Streaming);
    let asker = client(&daemon, Duration::from_secs(60));
    let first = asker.ask_once(set(Some(equaliser("mine", 200)))).unwrap();
    assert!(matches!(first, Answer::Pending { .. }), "{first:?}");
    asker.call(Command::SetGain { gain_db: -7.0 }).unwrap();
    // Another setting that needs to be prepared: the equaliser is not lost by it.
    let serde_json::Value::Object(changes) = json!({"dac": "hw:DAC,0"}) else {
        panic!("an object")
    };
    let settings = asker.settings(Command::ChangeSettings { changes }).unwrap().0;
    assert_eq!(settings.equaliser.unwrap().name.as_str(), "mine");
    assert_eq!(settings.dac.unwrap().to_string(), "hw:DAC,0");
    assert_eq!(settings.sound.gain_db, -7.0);
}

#[test]
fn many_equalisers_are_one_thread_and_no_restart_of_the_stream() {
    let before = |folder: &TempDir| filter_of(300_000, folder);
    let daemon = Running::start(Machine::new(), Setup { before, ..Setup::default() });
    daemon.until_state(State::Streaming);
    let asker = client(&daemon, Duration::from_secs(60));
    let others = threads_that_prepare() - 1;
    for n in 0..20 {
        asker.ask_once(set(Some(equaliser(&format!("eq{n}"), 10 + n)))).unwrap();
        assert!(threads_that_prepare() <= others + 4, "one for each daemon of this test program");
    }
    daemon.until_status("the last one", |status| {
        status.engine.as_ref().is_some_and(|engine| engine.equaliser.as_deref() == Some("eq19"))
    });
    assert_eq!(daemon.status().counters.stream_starts, 1);
}

#[test]
fn a_fault_in_the_worker_is_an_answer_and_the_next_change_works() {
    let fails = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&fails);
    let setup = Setup {
        build_engine: Arc::new(move |config, filter, channels| {
            assert!(!told.load(Relaxed), "on purpose");
            backend::build(config, filter, channels)
        }),
        ..Setup::default()
    };
    let daemon = Running::start(Machine::new(), setup);
    daemon.until_state(State::Streaming);
    fails.store(true, Relaxed);
    let refused = daemon.client.settings(set(Some(equaliser("mine", 1)))).unwrap_err().to_string();
    assert!(refused.contains("a fault of this program"), "{refused}");
    let status = daemon.status();
    assert_eq!((status.state, status.counters.stream_starts), (State::Streaming, 1));
    assert_eq!(status.engine.unwrap().preparing, None);
    fails.store(false, Relaxed);
    daemon.client.settings(set(Some(equaliser("mine", 1)))).unwrap();
}

#[test]
fn a_reload_at_the_moment_that_the_dac_comes_opens_the_stream_once() {
    let setup = Setup {
        build_engine: Arc::new(move |config, filter, channels| {
            std::thread::sleep(Duration::from_millis(700));
            backend::build(config, filter, channels)
        }),
        ..Setup::default()
    };
    let machine = Machine::new();
    machine.world().dac_present = false;
    let daemon = Running::start(machine, setup);
    daemon.until_state(State::WaitingForDac);
    let file = daemon.place("upsampler.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("block_frames = 256", "block_frames = 512")).unwrap();
    daemon.machine.world().dac_present = true;
    let status = daemon.client.call(Command::Reload).unwrap();
    assert_eq!((status.counters.reloads, status.last_error), (1, None));
    let status = daemon.until_state(State::Streaming);
    assert_eq!(status.engine.unwrap().block_frames, 512);
    // Longer than another one would take.
    std::thread::sleep(Duration::from_millis(1500));
    let status = daemon.status();
    assert_eq!((status.state, status.counters.stream_starts), (State::Streaming, 1));
}

/// An engine that counts how many of its kind there are.
struct Counted {
    inner: Box<dyn Engine>,
    alive: Arc<AtomicUsize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Relaxed);
    }
}

impl Engine for Counted {
    fn channels(&self) -> usize {
        self.inner.channels()
    }
    fn ratio(&self) -> usize {
        self.inner.ratio()
    }
    fn block_frames(&self) -> usize {
        self.inner.block_frames()
    }
    fn latency_frames(&self) -> usize {
        self.inner.latency_frames()
    }
    fn process(&mut self, input: &[&[f64]], output: &mut [&mut [f64]]) {
        self.inner.process(input, output);
    }
    fn reset(&mut self) {
        self.inner.reset();
    }
}

#[test]
fn there_are_no_more_engines_than_memory_has_room_for() {
    // The filter of the tests has 1500 taps.
    for room in [1, 2, 3] {
        let engines_bytes = room * 1500 * 24;
        let [alive, most] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let counts = (Arc::clone(&alive), Arc::clone(&most));
        let build_engine: EngineBuilder = Arc::new(move |config, filter, channels| {
            let inner = backend::build(config, filter, channels)?;
            let (alive, most) = &counts;
            most.fetch_max(alive.fetch_add(1, Relaxed) + 1, Relaxed);
            Ok(Box::new(Counted { inner, alive: Arc::clone(alive) }) as Box<dyn Engine>)
        });
        let setup = Setup { build_engine, engines_bytes, ..Setup::default() };
        let daemon = Running::start(Machine::new(), setup);
        daemon.until_state(State::Streaming);
        for n in 0..6 {
            // Faster than they fade in.
            daemon.client.ask_once(set(Some(equaliser(&format!("eq{n}"), 1)))).unwrap();
            std::thread::sleep(Duration::from_millis(60));
        }
        let status = daemon.until_status("the last one", |status| {
            let named = status.engine.as_ref().and_then(|engine| engine.equaliser.as_deref());
            named == Some("eq5") && alive.load(Relaxed) == 1
        });
        assert_eq!(status.state, State::Streaming);
        assert!(most.load(Relaxed) <= room, "{} engines of {room}", most.load(Relaxed));
        let starts = status.counters.stream_starts;
        assert_eq!(starts > 1, room == 1, "the stream is opened anew where there is no other way");
    }
}

#[test]
fn of_many_changes_in_a_row_the_last_is_in_force_in_the_end() {
    let daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    for round in 0..8 {
        let mut last = String::new();
        for n in 0..30 {
            last = format!("eq{round}-{n}");
            daemon.client.ask_once(set(Some(equaliser(&last, 1 + n % 7 * 8)))).unwrap();
            std::thread::sleep(Duration::from_millis(n as u64 * 7 % 20));
        }
        daemon.until_status("the last one", |status| {
            let named = status.engine.as_ref().and_then(|engine| engine.equaliser.as_deref());
            named == Some(&last)
        });
    }
}

/// The classes up to `bound`, and all.
fn within(delays: &Delays, bounds: &[f64], bound: f64) -> (u64, u64) {
    let classes = bounds.iter().filter(|upper| **upper <= bound).count();
    (delays.counts[..classes].iter().sum(), delays.counts.iter().sum())
}

#[test]
fn in_a_storm_of_commands_everything_is_answered_in_time() {
    let setup = Setup {
        watchdog: Some(Duration::from_secs(1)),
        before: long_with_a_stored_equaliser,
        ..Setup::default()
    };
    let daemon = Running::start(Machine::new(), setup);
    daemon.until_state(State::Streaming);
    let place = daemon.place(endpoint::TELEMETRY_FILE);
    let place = format!("ipc://{}", place.display());
    let listener = TelemetryListener::with_endpoint(&place, Duration::from_secs(5)).unwrap();
    let over = AtomicBool::new(false);
    let ask = |command: &dyn Fn(usize) -> Command| {
        let asker = client(&daemon, Duration::from_secs(5));
        let (mut longest, mut count) = (Duration::ZERO, 0);
        while !over.load(Relaxed) {
            let asked = Instant::now();
            match asker.ask_once(command(count)) {
                Ok(_) | Err(ClientError::Refused { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            longest = longest.max(asked.elapsed());
            count += 1;
        }
        (longest, count)
    };
    let text = equaliser("text", bands()).text;
    let slow = |n: usize| match n % 8 {
        0 => set(Some(equaliser(&format!("eq{n}"), bands()))),
        1 => Command::Reload,
        2 => Command::Filters,
        3 => Command::Dacs,
        4 => Command::CheckEqualiser { text: text.clone() },
        5 => Command::RestartStream,
        6 => Command::Spectrum,
        _ => Command::Settings,
    };
    let volume = |n: usize| match n % 2 {
        0 => Command::SetGain { gain_db: -(n as f64 % 60.0) },
        _ => Command::SetMute { mute: n % 4 == 1 },
    };
    let (found, pings) = std::thread::scope(|scope| {
        let slow_ones = [scope.spawn(|| ask(&slow)), scope.spawn(|| ask(&slow))];
        let volume_ones = scope.spawn(|| ask(&volume));
        let (began, mut last, mut longest) = (Instant::now(), Instant::now(), Duration::ZERO);
        while began.elapsed() < Duration::from_secs(6) {
            if daemon.heard().iter().any(|message| message == "WATCHDOG=1") {
                last = Instant::now();
            }
            longest = longest.max(last.elapsed());
            daemon.machine.world().host_rate =
                Some(if began.elapsed().as_secs() % 2 == 0 { 44_100 } else { 96_000 });
            std::thread::sleep(Duration::from_millis(10));
        }
        over.store(true, Relaxed);
        let slow = slow_ones.map(|thread| thread.join().unwrap());
        ((slow, volume_ones.join().unwrap()), longest)
    });
    let promptness = listener.next().unwrap().promptness;
    println!(
        "{found:?}, a ping after {pings:?} at the latest (one a third of a second): {promptness:?}"
    );
    assert!(pings < Duration::from_millis(1300), "{pings:?}");
    // The machine of the test may itself be late now and then.
    let bounds = &promptness.bounds_seconds;
    for (name, delays, bound) in [
        ("answers", &promptness.answers, 0.1),
        ("volume", &promptness.volume_answers, 0.05),
        ("turns", &promptness.turns, 0.5),
    ] {
        let (in_time, all) = within(delays, bounds, bound);
        let late = all - in_time;
        assert!(
            all > 20 && late * 100 <= all,
            "{name}: {late} of {all} after {bound} s: {delays:?}"
        );
        assert!(delays.longest_seconds < SECOND.as_secs_f64(), "{name}: {delays:?}");
    }
}
