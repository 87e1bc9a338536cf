//! The input's clock against the DAC's.

use std::f64::consts::TAU;
use std::time::Duration;

use totton_protocol::{Drift, DriftMethod, State, TelemetryListener, endpoint};

use crate::double::Machine;
use crate::running::{BLOCK, RATIO, Running, Setup, until};

fn listener(daemon: &Running) -> TelemetryListener {
    let place = daemon.place(endpoint::TELEMETRY_FILE);
    let endpoint = format!("ipc://{}", place.display());
    TelemetryListener::with_endpoint(&endpoint, Duration::from_secs(5)).unwrap()
}

#[test]
fn a_dac_with_a_small_buffer_is_filled_as_far_as_it_goes_and_the_clock_is_left_alone() {
    let machine = Machine::new();
    machine.world().dac_buffer = Duration::from_millis(20);
    let daemon = Running::start(machine, Setup::default());
    let listener = listener(&daemon);
    daemon.until_state(State::Streaming);
    std::thread::sleep(Duration::from_secs(3));
    // A second in a row: a machine that stands still for a moment moves the level.
    let steady = || (0..20).all(|_| told(&listener).correction_ppm.abs() < 300.0).then_some(());
    until("the clock is left alone", steady);
    let drift = told(&listener);
    // The buffer less a period of 5 ms: the clocks are the same, and nothing is to be steered.
    assert!((drift.target_seconds - 0.015).abs() < 1e-4, "{drift:?}");
    let latency = daemon.status().latency.unwrap();
    assert!(latency.output_seconds < 0.04, "{latency:?}");
}

#[test]
fn the_inputs_clock_is_made_to_follow_the_dacs() {
    let machine = Machine::new();
    machine.world().drift = 1400e-6;
    let mut daemon = Running::start(machine, Setup::default());
    let listener = listener(&daemon);
    daemon.until_state(State::Streaming);
    let drift = until("a correction", || {
        listener.next().unwrap().drift.filter(|drift| drift.correction_ppm < -250.0)
    });
    assert_eq!(drift.method, DriftMethod::GadgetPitch);
    assert!((drift.target_seconds - 0.1).abs() < 1e-9, "{drift:?}");
    assert!((drift.level_seconds - 0.1).abs() < 0.04, "{drift:?}");
    let asked = daemon.machine.world().correction;
    assert!(asked < -200e-6, "{asked}");

    let latency = daemon.status().latency.unwrap();
    let stages = latency.input_seconds
        + latency.block_seconds
        + latency.engine_seconds
        + latency.filter_seconds
        + latency.output_seconds;
    assert!((stages - latency.total_seconds).abs() < 1e-9, "{latency:?}");
    assert!((latency.block_seconds - BLOCK as f64 / 44_100.0).abs() < 1e-9, "{latency:?}");
    assert!((0.08..0.16).contains(&latency.total_seconds), "{latency:?}");

    daemon.terminate();
    assert_eq!(daemon.machine.world().correction, 0.0, "the clock is let go");
}

/// The drift of the open stream, as next told.
fn told(listener: &TelemetryListener) -> Drift {
    listener.next().unwrap().drift.unwrap()
}

/// A sine of `hz` at half of full scale, both channels, at 44.1 kHz.
fn sine(hz: f64, seconds: f64) -> Vec<u8> {
    let frame = |n: usize| {
        let level = 0.5 * (TAU * hz / 44_100.0 * n as f64).sin();
        ((level * f64::from(i32::MAX)) as i32).to_le_bytes().repeat(2)
    };
    (0..(44_100.0 * seconds) as usize).flat_map(frame).collect()
}

/// The frequency in Hz of what the left loudspeaker gets, after its first second: between upward
/// zero crossings, each found between two samples.
fn frequency(played: &[u8]) -> f64 {
    let rate = 44_100.0 * RATIO as f64;
    let sample = |frame: &[u8]| f64::from(i32::from_le_bytes(frame[..4].try_into().unwrap()));
    let samples: Vec<f64> = played.chunks_exact(8).map(sample).skip(rate as usize).collect();
    let upwards =
        samples.windows(2).enumerate().filter(|(_, pair)| pair[0] < 0.0 && pair[1] >= 0.0);
    let crossings: Vec<f64> =
        upwards.map(|(n, pair)| n as f64 + pair[0] / (pair[0] - pair[1])).collect();
    let periods = crossings.len() as f64 - 1.0;
    periods * rate / (crossings[crossings.len() - 1] - crossings[0])
}

#[test]
fn an_input_whose_clock_nothing_steers_is_resampled() {
    let machine = Machine::new();
    {
        let mut world = machine.world();
        (world.steerable, world.drift, world.sent) = (false, 1400e-6, sine(997.0, 60.0));
    }
    let daemon = Running::start(machine, Setup::default());
    let listener = listener(&daemon);
    daemon.until_state(State::Streaming);
    let drift = until("a correction", || {
        listener.next().unwrap().drift.filter(|drift| drift.correction_ppm < -250.0)
    });
    assert_eq!(drift.method, DriftMethod::Resampler);
    assert!((drift.level_seconds - 0.1).abs() < 0.04, "{drift:?}");
    // What it takes in and holds, 128 frames at 44.1 kHz, is told, too: with 5 ms held for the end.
    let latency = daemon.status().latency.unwrap();
    assert!((latency.input_seconds - 0.005 - 128.0 / 44_100.0).abs() < 1e-4, "{latency:?}");
    // Fewer frames come out than go in, and each hertz of the input is higher.
    let frames = daemon.machine.world().played.len();
    until("three seconds more", || {
        (daemon.machine.world().played.len() > frames + 3 * 8 * RATIO * 44_100).then_some(())
    });
    let world = daemon.machine.world();
    let end = world.played.len();
    let found = frequency(&world.played[end - 3 * 8 * RATIO * 44_100..]);
    let (asked, correction) = (world.correction, (997.0 / found - 1.0) * 1e6);
    drop(world);
    assert!((-1600.0..-200.0).contains(&correction), "{found} Hz: {correction} ppm");
    assert!(asked.abs() < 1e-12, "the input's clock was asked: {asked}");
    let counters = daemon.status().counters;
    assert_eq!((counters.capture_xruns, counters.playback_xruns), (0, 0), "{counters:?}");
}

#[test]
fn what_follows_the_drift_can_be_chosen() {
    for (choice, method) in [
        ("auto", DriftMethod::GadgetPitch),
        ("resample", DriftMethod::Resampler),
        ("none", DriftMethod::Nothing),
    ] {
        let capture = format!("rate = \"auto\"\ndrift = \"{choice}\"");
        let daemon = Running::start(Machine::new(), Setup { capture, ..Setup::default() });
        let listener = listener(&daemon);
        daemon.until_state(State::Streaming);
        let told = until("telemetry of a stream", || listener.next().unwrap().drift);
        assert_eq!(told.method, method, "{choice}");
    }
}

#[test]
fn a_pause_leaves_nothing_in_the_resampler() {
    let machine = Machine::new();
    {
        let mut world = machine.world();
        (world.sent, world.silence_afterwards) = (sine(997.0, 1.0), false);
    }
    let capture = "rate = \"auto\"\ndrift = \"resample\"".to_owned();
    let daemon = Running::start(machine, Setup { capture, ..Setup::default() });
    daemon.until_state(State::Streaming);
    daemon.until_state(State::Idle);
    let quiet = |frames: usize| {
        let world = daemon.machine.world();
        let end = world.played.len() / 8 * 8;
        world.played[end.saturating_sub(8 * frames)..].iter().all(|byte| *byte == 0)
    };
    until("silence", || quiet(2000).then_some(()));
    let before = daemon.machine.world().played.len();
    // The host goes on with silence: not a sample of what it sent before comes.
    daemon.machine.world().sent.extend(vec![0; 8 * 44_100]);
    until("a second of it", || {
        (daemon.machine.world().played.len() > before + 8 * RATIO * 40_000).then_some(())
    });
    assert!(daemon.machine.world().played[before..].iter().all(|byte| *byte == 0));
}
