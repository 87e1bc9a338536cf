//! What systemd hears.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use gpu_upsampler::backend;
use gpu_upsampler::supervisor::Event;
use totton_dsp::Engine;
use totton_protocol::{Command, State};

use crate::double::Machine;
use crate::running::{Running, Setup, until};

fn until_ready(daemon: &Running) -> String {
    let mut heard = vec![];
    until("READY=1", || {
        heard.extend(daemon.heard());
        heard.iter().find(|message| message.starts_with("READY=1")).cloned()
    })
}

#[test]
fn ready_comes_when_everything_is_open_and_the_sockets_answer() {
    let setup = Setup { grace_seconds: 60.0, ..Setup::default() };
    let daemon = Running::start(Machine::new(), setup);
    let ready = until_ready(&daemon);
    // Asked without any waiting: readiness means that it answers now, and that sound flows.
    let status = daemon.client.call(Command::Status).unwrap();
    assert_eq!(status.state, State::Streaming);
    assert!(status.engine.is_some() && status.input.is_some() && status.output.is_some());
    assert_eq!(ready, format!("READY=1\nSTATUS={}", status.message));
}

#[test]
fn ready_waits_for_an_absent_dac_and_comes_after_the_grace_naming_it() {
    let machine = Machine::new();
    machine.world().dac_present = false;
    let started = Instant::now();
    let daemon = Running::start(machine, Setup::default());
    let ready = until_ready(&daemon);
    assert!(started.elapsed() >= Duration::from_millis(500), "{:?}", started.elapsed());
    assert!(ready.contains("STATUS=Waiting for the DAC: dac is not there"), "{ready}");
    daemon.machine.world().dac_present = true;
    daemon.until_state(State::Streaming);
    let later = daemon.heard();
    assert!(later.iter().any(|message| message.starts_with("STATUS=input at 44100 Hz")));
    assert!(!later.iter().any(|message| message.contains("READY")), "said once: {later:?}");
}

#[test]
fn ready_does_not_wait_for_a_host_that_does_not_play() {
    let machine = Machine::new();
    machine.world().host_rate = None;
    let daemon = Running::start(machine, Setup { grace_seconds: 60.0, ..Setup::default() });
    let ready = until_ready(&daemon);
    assert!(ready.contains("The computer sends no sound"), "{ready}");
}

/// An engine that stops in the middle of a block for as long as it is told to.
struct Hanging {
    engine: Box<dyn Engine>,
    hang: Arc<AtomicBool>,
}

impl Engine for Hanging {
    fn channels(&self) -> usize {
        self.engine.channels()
    }
    fn ratio(&self) -> usize {
        self.engine.ratio()
    }
    fn block_frames(&self) -> usize {
        self.engine.block_frames()
    }
    fn latency_frames(&self) -> usize {
        self.engine.latency_frames()
    }
    fn process(&mut self, input: &[&[f64]], output: &mut [&mut [f64]]) {
        while self.hang.load(Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.engine.process(input, output);
    }
    fn reset(&mut self) {
        self.engine.reset();
    }
}

fn pings(daemon: &Running) -> usize {
    daemon.heard().iter().filter(|message| *message == "WATCHDOG=1").count()
}

/// Pings that come within `time`.
fn pings_within(daemon: &Running, time: Duration) -> usize {
    pings(daemon);
    std::thread::sleep(time);
    pings(daemon)
}

#[test]
fn an_engine_that_hangs_ends_the_pings() {
    let hang = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&hang);
    let setup = Setup {
        watchdog: Some(Duration::from_millis(200)),
        build_engine: Arc::new(move |config, filter, channels| {
            let engine = backend::build(config, filter, channels)?;
            Ok(Box::new(Hanging { engine, hang: Arc::clone(&told) }))
        }),
        ..Setup::default()
    };
    let daemon = Running::start(Machine::new(), setup);
    daemon.until_state(State::Streaming);
    assert!(pings_within(&daemon, Duration::from_millis(1500)) >= 3);
    hang.store(true, Relaxed);
    // What is still in the rings may earn one more.
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(pings_within(&daemon, Duration::from_millis(1500)), 0);
    // The sockets answer all the while: it is not they that count.
    assert_eq!(daemon.status().state, State::Streaming);
    hang.store(false, Relaxed);
    until("it moves again", || (pings(&daemon) > 0).then_some(()));
}

#[test]
fn a_thread_that_has_died_ends_the_daemon_with_its_name() {
    let mut daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    daemon.events.send(Event::Died { thread: "control" }).unwrap();
    let error = daemon.end().unwrap_err().to_string();
    assert!(error.contains("the thread control ended unexpectedly"), "{error}");
    let heard = daemon.heard();
    assert!(heard.iter().any(|message| message.starts_with("STOPPING=1")), "{heard:?}");
}

#[test]
fn a_stuck_device_ends_the_pings() {
    let setup = Setup { watchdog: Some(Duration::from_millis(200)), ..Setup::default() };
    let daemon = Running::start(Machine::new(), setup);
    daemon.until_state(State::Streaming);
    assert!(pings_within(&daemon, Duration::from_millis(1500)) >= 3);
    daemon.machine.world().stuck = true;
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(pings_within(&daemon, Duration::from_millis(1500)), 0);
}

#[test]
fn waiting_for_a_dac_and_a_silent_host_keep_the_pings() {
    let machine = Machine::new();
    machine.world().dac_present = false;
    let setup = Setup { watchdog: Some(Duration::from_millis(200)), ..Setup::default() };
    let daemon = Running::start(machine, setup);
    daemon.until_state(State::WaitingForDac);
    assert!(pings_within(&daemon, Duration::from_millis(2500)) >= 3);
    daemon.machine.world().silence_afterwards = false;
    daemon.machine.world().dac_present = true;
    daemon.until_status("the stream is open and idle", |status| {
        status.output.is_some() && status.state == State::Idle
    });
    assert!(pings_within(&daemon, Duration::from_millis(1500)) >= 3);
}

#[test]
fn the_end_is_announced() {
    let mut daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    daemon.heard();
    daemon.terminate();
    assert!(daemon.heard().iter().any(|message| message.starts_with("STOPPING=1")));
}
