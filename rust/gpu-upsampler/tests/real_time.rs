//! The audio threads neither allocate nor free while sound flows, whatever is set meanwhile.

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
use std::time::Duration;

use double::Machine;
use running::{Running, Setup};
use serde_json::json;
use totton_protocol::{Command, State};

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

// SAFETY: everything is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are the system's conditions.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's promises are the system's conditions.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are the system's conditions.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocator calls so far of the threads called `name`.
fn calls(name: &str) -> u64 {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten().filter(|entry| {
        fs::read_to_string(entry.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
    });
    let numbers: Vec<i32> =
        threads.map(|entry| entry.file_name().to_str().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers.len(), 1, "threads called {name}");
    place(numbers[0]).load(Relaxed)
}

#[test]
fn the_audio_threads_do_not_allocate_while_settings_change() {
    let machine = Machine::new();
    machine.world().sent = 0x2000_0000i32.to_le_bytes().repeat(2 * 44_100 * 30);
    let daemon = Running::start(machine, Setup::default());
    daemon.until_state(State::Streaming);
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
        std::thread::sleep(Duration::from_millis(300));
    }
    let status = daemon.until_status("the swap", |s| s.counters.filter_swaps == 1);
    assert_eq!(status.counters.stream_starts, 1);
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
