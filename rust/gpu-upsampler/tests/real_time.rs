//! The audio threads neither allocate nor free while sound flows, whatever is set and asked
//! meanwhile; what nobody asks for costs nothing; and what everything takes is within the unit's limit.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

#[allow(dead_code)]
#[path = "daemon/double.rs"]
mod double;
#[allow(dead_code)]
#[path = "daemon/running.rs"]
mod running;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use double::Machine;
use running::{Running, Setup, until};
use serde_json::json;
use totton_protocol::{Answer, Client, Command, State, endpoint};

/// Counts what each thread asks of the system's allocator.
struct Counting;

/// Calls by thread, at its number modulo the length: a process of a test has few threads.
static CALLS: [AtomicU64; 4096] = [const { AtomicU64::new(0) }; 4096];

fn place(thread: i32) -> &'static AtomicU64 {
    &CALLS[thread.unsigned_abs() as usize % CALLS.len()]
}

fn this_thread() -> i32 {
    // SAFETY: this call has no conditions.
    unsafe { libc::gettid() }
}

fn count() {
    place(this_thread()).fetch_add(1, Relaxed);
}

/// Bytes in use, and the most since a test set it.
static IN_USE: AtomicU64 = AtomicU64::new(0);
static MOST: AtomicU64 = AtomicU64::new(0);

fn took(bytes: usize) {
    let in_use = IN_USE.fetch_add(bytes as u64, Relaxed) + bytes as u64;
    MOST.fetch_max(in_use, Relaxed);
}

fn gave(bytes: usize) {
    IN_USE.fetch_sub(bytes as u64, Relaxed);
}

// SAFETY: everything is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        took(layout.size());
        // SAFETY: the caller's promises are the system's conditions.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        gave(layout.size());
        // SAFETY: the caller's promises are the system's conditions.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        took(size);
        gave(layout.size());
        // SAFETY: the caller's promises are the system's conditions.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Threads are known by their names: one daemon at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The only thread called `name`.
fn thread(name: &str) -> i32 {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten().filter(|entry| {
        fs::read_to_string(entry.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
    });
    let numbers: Vec<i32> =
        threads.map(|entry| entry.file_name().to_str().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers.len(), 1, "threads called {name}");
    numbers[0]
}

/// Allocator calls so far of the thread called `name`.
fn calls(name: &str) -> u64 {
    place(thread(name)).load(Relaxed)
}

/// How often the thread called `name` has been given a processor so far.
fn turns(name: &str) -> u64 {
    let file = format!("/proc/self/task/{}/schedstat", thread(name));
    fs::read_to_string(file).unwrap().split_whitespace().nth(2).unwrap().parse().unwrap()
}

/// The loudest band of the output in dBFS.
fn loudest_band(daemon: &Running) -> f64 {
    match daemon.client.ask(Command::Spectrum).unwrap() {
        Answer::Spectrum { output: Some(output), .. } => {
            output.levels_dbfs.into_iter().fold(f64::NEG_INFINITY, f64::max)
        }
        other => panic!("{other:?}"),
    }
}

/// A daemon whose host sends a square wave of a quarter of full scale, at 441 Hz.
fn playing(seconds: usize) -> Running {
    let machine = Machine::new();
    let (high, low) = (0x2000_0000i32.to_le_bytes(), (-0x2000_0000i32).to_le_bytes());
    let period: Vec<u8> = [high.repeat(2 * 50), low.repeat(2 * 50)].concat();
    machine.world().sent = period.repeat(441 * seconds);
    let daemon = Running::start(machine, Setup::default());
    daemon.until_state(State::Streaming);
    daemon
}

#[test]
fn the_audio_threads_do_not_allocate_while_settings_change_and_the_spectrum_is_shown() {
    let _alone = alone();
    let daemon = playing(30);
    // What the double itself keeps of the sound, from each opening on, needs no more room later.
    daemon.machine.world().played.reserve(64 << 20);
    daemon.until_status("a measured load", |status| {
        status.engine.as_ref().is_some_and(|engine| engine.load > 0.0)
    });
    let names = ["capture", "engine", "playback"];
    let before = names.map(calls);
    for changes in [
        json!({"sound": {"gain_db": -6, "mono": true, "balance": 0.5}}),
        json!({"sound": {"crossfeed": {}, "limiter": {}, "headroom": "worst-case"}}),
        json!({"sound": {"mute": true}}),
        json!({"sound": {"mute": false, "crossfeed": null, "mono": false}}),
        json!({"equaliser": {"name": "a", "text": "Filter: ON PK Fc 100 Hz Gain -3 dB Q 1"}}),
    ] {
        let serde_json::Value::Object(changes) = changes else { unreachable!() };
        daemon.client.settings(Command::ChangeSettings { changes }).unwrap();
        // It begins to be shown with the first change.
        let shown_until = Instant::now() + Duration::from_millis(300);
        while Instant::now() < shown_until {
            loudest_band(&daemon);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let status = daemon.until_status("the swap", |s| s.counters.filter_swaps == 1);
    assert_eq!(status.counters.stream_starts, 1);
    until("the spectrum shows what plays", || (loudest_band(&daemon) > -30.0).then_some(()));
    let after = names.map(calls);
    for ((name, before), after) in names.iter().zip(before).zip(after) {
        assert_eq!(after - before, 0, "the thread {name} called the allocator");
    }
    // The count can rise: this thread allocates.
    let place = place(this_thread());
    let mine = place.load(Relaxed);
    drop(std::hint::black_box(vec![0u8; 100]));
    assert!(place.load(Relaxed) >= mine + 2);
}

#[test]
fn nor_does_the_resampler() {
    let _alone = alone();
    let machine = Machine::new();
    machine.world().drift = 1400e-6;
    let capture = "rate = \"auto\"\ndrift = \"resample\"".to_owned();
    let daemon = Running::start(machine, Setup { capture, ..Setup::default() });
    daemon.until_state(State::Streaming);
    daemon.machine.world().played.reserve(64 << 20);
    daemon.until_status("sound", |status| status.counters.output_frames > 4 * 44_100);
    let names = ["capture", "engine", "playback"];
    let before = names.map(calls);
    let heard = daemon.status().counters.output_frames;
    daemon.until_status("more", |s| s.counters.output_frames > heard + 2 * 4 * 44_100);
    for ((name, before), after) in names.iter().zip(before).zip(names.map(calls)) {
        assert_eq!(after - before, 0, "the thread {name} called the allocator");
    }
}

#[test]
fn a_spectrum_that_nobody_asks_for_costs_nothing() {
    let _alone = alone();
    let daemon = playing(60);
    // Over seconds of sound the thread for it has slept.
    let slept = |what: &str| {
        let (before, heard) = (turns("spectrum"), daemon.status().counters.output_frames);
        daemon.until_status(what, |s| s.counters.output_frames > heard + 3 * 4 * 44_100);
        turns("spectrum") == before
    };
    until("the thread for it waits", || slept("sound before anybody asks").then_some(()));
    let before = calls("spectrum");
    assert!(slept("more sound"));
    assert_eq!(calls("spectrum"), before, "no memory is taken");
    until("the spectrum shows what plays", || (loudest_band(&daemon) > -30.0).then_some(()));
    let asked = turns("spectrum");
    until("it is looked at", || {
        loudest_band(&daemon);
        (turns("spectrum") > asked + 5).then_some(())
    });
    // Nobody asks any more: once the time has passed for which it is kept up, it sleeps again.
    until("it has ended", || slept("sound while it ends").then_some(()));
}

/// `MemoryHigh=` of the unit.
const LIMIT_BYTES: u64 = 3 << 29;

/// What engines, filters and their making take. By hand with `TOTTON_TAPS=16000000`, the longest
/// filter that is offered: a million else.
#[test]
fn engines_and_filters_take_the_memory_that_is_reckoned_with() {
    let _alone = alone();
    let taps = std::env::var("TOTTON_TAPS").map_or(1_000_000, |taps| taps.parse::<u64>().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("long.filter");
    {
        let taps = (0..taps).map(|n| 1.0 / (1.0 + n as f64)).collect();
        let origin = totton_dsp::Origin::Imported { source: "a test".to_owned() };
        let phase = totton_dsp::Phase::Minimum;
        totton_dsp::Filter::new(44_100, 16, phase, origin, taps).unwrap().save(&long).unwrap();
    }
    let machine = Machine::new();
    {
        let mut world = machine.world();
        (world.dac_rates, world.remembers) = (vec![705_600, 768_000], false);
    }
    let started_with = IN_USE.load(Relaxed);
    MOST.store(started_with, Relaxed);
    let setup = Setup { ratio: "16".to_owned(), filter: Some(long), ..Setup::default() };
    let daemon = Running::start(machine, setup);
    daemon.until_state(State::Streaming);
    let control = format!("ipc://{}", daemon.place(endpoint::CONTROL_FILE).display());
    let patient = Client::with_endpoint(control, Duration::from_secs(120));
    let each = |bytes: &AtomicU64| (bytes.load(Relaxed) - started_with) / taps;
    let one = each(&IN_USE);
    for n in 0..4 {
        let text = format!("Preamp: -6 dB\nFilter: ON PK Fc {} Hz Gain -3 dB Q 1", 100 + n);
        let serde_json::Value::Object(changes) =
            json!({"equaliser": {"name": format!("n{n}"), "text": text}})
        else {
            unreachable!()
        };
        let before = daemon.status().counters;
        patient.settings(Command::ChangeSettings { changes }).unwrap();
        daemon.until_status("the engine of the change", |status| {
            let now = status.counters;
            now.filter_swaps > before.filter_swaps || now.stream_starts > before.stream_starts
        });
    }
    let most = each(&MOST);
    println!("{taps} taps: {one} bytes a tap with one engine, at most {most} in changes");
    // The taps, and the engine: see `supervisor::room`.
    assert!(one <= 8 + 24, "{one}");
    // The file's taps; three engines where there is room, and the taps of each; the filters that
    // are kept for other rates; what folding takes for itself.
    assert!(most <= 100, "{most}");
    let bytes = most * taps;
    assert!(bytes < LIMIT_BYTES, "{bytes} bytes of {LIMIT_BYTES}");
}
