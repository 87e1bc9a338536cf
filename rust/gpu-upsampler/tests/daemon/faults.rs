//! What devices do, and how the stream survives it.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use gpu_upsampler::supervisor::Event;
use totton_protocol::{Command, State};

use crate::double::{DAC, INPUT, Machine};
use crate::running::{RATIO, Running, Setup, until};

#[test]
fn a_dac_that_goes_and_returns_plays_again() {
    let daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    daemon.machine.world().dac_present = false;
    let status = daemon.until_state(State::WaitingForDac);
    assert!(status.message.contains("dac is not there: unplugged"), "{}", status.message);
    assert!(status.input.is_none() && status.output.is_none());
    daemon.machine.world().dac_present = true;
    let status = daemon.until_state(State::Streaming);
    assert_eq!(status.counters.stream_starts, 2);
    assert_eq!(status.output.unwrap().name, DAC);
    until("sound again", || (!daemon.machine.world().played.is_empty()).then_some(()));
}

#[test]
fn an_input_that_goes_and_returns_is_heard_again() {
    let daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    daemon.machine.world().input_present = false;
    let status = until("the input is missed", || {
        Some(daemon.status()).filter(|s| s.message.contains("input is not there"))
    });
    assert_eq!(status.state, State::WaitingForInput);
    daemon.machine.world().input_present = true;
    let status = daemon.until_state(State::Streaming);
    assert_eq!(status.counters.stream_starts, 2);
    assert_eq!(status.input.unwrap().name, INPUT);
}

#[test]
fn everything_that_is_missing_is_named() {
    let machine = Machine::new();
    (machine.world().dac_present, machine.world().input_present) = (false, false);
    let daemon = Running::start(machine, Setup::default());
    let message = daemon.until_state(State::WaitingForDac).message;
    assert!(message.contains("dac is not there") && message.contains("input is not there"));
}

#[test]
fn a_dac_that_is_busy_at_the_start_is_waited_for() {
    let machine = Machine::new();
    machine.world().dac_busy = true;
    let daemon = Running::start(machine, Setup::default());
    let status = daemon.until_state(State::WaitingForDac);
    assert!(status.message.contains("dac is in use by another program"), "{}", status.message);
    assert_eq!(status.last_error, None, "what is missing now is the state, not the last fault");
    let engine = status.engine.expect("what would compute is told");
    assert_eq!((engine.ratio, engine.taps), (RATIO as u32, 1500));
    daemon.machine.world().dac_busy = false;
    daemon.until_state(State::Streaming);
}

#[test]
fn xruns_are_counted_and_the_stream_goes_on() {
    let daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    (daemon.machine.world().capture_xruns, daemon.machine.world().playback_xruns) = (2, 3);
    let status = daemon.until_status("the xruns", |status| {
        status.counters.capture_xruns == 2 && status.counters.playback_xruns == 3
    });
    let before = status.counters.output_frames;
    let status = daemon.until_status("it goes on", |s| s.counters.output_frames > before + 10_000);
    assert_eq!((status.state, status.counters.stream_starts), (State::Streaming, 1));
}

#[test]
fn a_new_rate_of_the_host_is_followed() {
    let daemon = Running::start(Machine::new(), Setup::default());
    assert_eq!(daemon.until_state(State::Streaming).output.unwrap().rate, 44_100 * RATIO as u32);
    let a_quarter = 44_100 * RATIO / 4;
    daemon.until_status("some silence was played", |status| {
        status.counters.output_frames > a_quarter as u64
    });
    daemon.machine.world().host_rate = Some(96_000);
    let status = daemon.until_status("the new rate", |status| {
        status.input.as_ref().is_some_and(|input| input.rate == 96_000)
    });
    assert_eq!(status.output.unwrap().rate, 96_000 * RATIO as u32);
    // Nothing but silence was played: the DAC is not waited for.
    assert!(daemon.machine.world().silent_at_end > a_quarter);
}

#[test]
fn while_a_stream_is_opened_again_none_is_said_to_run() {
    let daemon = Running::start(Machine::new(), Setup::default());
    daemon.machine.world().opening = Duration::from_millis(200);
    daemon.until_state(State::Streaming);
    let (reply, answer) = sync_channel(1);
    daemon.events.send(Event::RestartStream { reply }).unwrap();
    daemon.until_status("it is being opened", |status| status.state == State::Starting);
    daemon.until_state(State::Streaming);
    assert_eq!(answer.recv().unwrap(), Ok(()));
}

#[test]
fn a_host_without_a_rate_is_waited_for() {
    let machine = Machine::new();
    machine.world().host_rate = None;
    let daemon = Running::start(machine, Setup::default());
    let status = daemon.until_state(State::Idle);
    assert_eq!(status.last_error, None, "an idle host is no fault");
    daemon.machine.world().host_rate = Some(48_000);
    assert_eq!(daemon.until_state(State::Streaming).input.unwrap().rate, 48_000);
}

#[test]
fn the_end_comes_in_time_with_stuck_devices() {
    let mut daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    daemon.machine.world().stuck = true;
    std::thread::sleep(Duration::from_millis(50));
    let took = daemon.terminate();
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[test]
fn a_restart_with_a_stuck_device_is_refused_with_the_reason() {
    let daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    daemon.machine.world().stuck = true;
    let error = daemon.client.call(Command::RestartStream).unwrap_err().to_string();
    assert!(error.contains("a device is stuck"), "{error}");
    assert!(daemon.status().last_error.unwrap().contains("does not end"));
}

#[test]
fn the_dac_gets_the_highest_rate_of_the_family_that_it_accepts() {
    let machine = Machine::new();
    machine.world().dac_rates = vec![44_100, 48_000, 88_200, 96_000, 192_000];
    let setup = Setup { ratio: "\"auto\"".to_owned(), ..Setup::default() };
    let daemon = Running::start(machine, setup);
    let status = daemon.until_state(State::Streaming);
    assert_eq!((status.output.unwrap().rate, status.engine.unwrap().ratio), (88_200, 2));
    for (host, dac) in [(48_000, 192_000), (192_000, 192_000), (44_100, 88_200)] {
        daemon.machine.world().host_rate = Some(host);
        let status = daemon.until_status("the new rate", |status| {
            status.input.as_ref().is_some_and(|input| input.rate == host)
        });
        assert_eq!(status.output.unwrap().rate, dac, "{host}");
    }
    daemon.machine.world().dac_rates = vec![48_000];
    daemon.machine.world().host_rate = Some(88_200);
    let message = daemon.until_state(State::WaitingForDac).message;
    assert!(message.contains("does not accept the rate") && message.contains("48000 Hz"));
}
