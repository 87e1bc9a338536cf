//! How much the sockets bear while sound plays.

use std::time::{Duration, Instant};

use totton_protocol::{Command, State, TelemetryListener, endpoint};

use crate::double::Machine;
use crate::running::{Running, Setup};

/// A host that plays for `seconds`.
fn playing(seconds: usize) -> Running {
    let machine = Machine::new();
    machine.world().sent = 0x1000_0000i32.to_le_bytes().repeat(2 * 44_100 * seconds);
    let daemon = Running::start(machine, Setup::default());
    daemon.until_state(State::Streaming);
    daemon
}

fn socket(daemon: &Running, kind: zmq::SocketType, file: &str) -> zmq::Socket {
    let socket = zmq::Context::new().socket(kind).unwrap();
    socket.set_linger(0).unwrap();
    socket.set_rcvtimeo(5000).unwrap();
    if kind == zmq::SUB {
        socket.set_rcvhwm(1).unwrap();
        socket.set_subscribe(b"").unwrap();
    }
    socket.connect(&format!("ipc://{}", daemon.place(file).display())).unwrap();
    socket
}

/// No xrun, no pause, one stream; and sound has moved on by about `time`.
fn assert_undisturbed(daemon: &Running, frames_before: u64, time: Duration) {
    let status = daemon.status();
    let counters = status.counters;
    let disturbed = (counters.capture_xruns, counters.playback_xruns, counters.input_pauses);
    assert_eq!((disturbed, counters.stream_starts), ((0, 0, 0), 1));
    let moved = (counters.output_frames - frames_before) as f64 / (4.0 * 44_100.0);
    assert!((moved - time.as_secs_f64()).abs() < 0.6, "{moved} s of sound in {time:?}");
}

#[test]
fn a_thousand_commands_a_second_do_not_disturb_the_sound() {
    let daemon = playing(30);
    let asker = socket(&daemon, zmq::REQ, endpoint::CONTROL_FILE);
    let before = daemon.status().counters;
    let started = Instant::now();
    let mut answered = 0u32;
    while answered < 3000 {
        // A thousand a second, evenly; fewer where other work has the processor.
        while f64::from(answered) > started.elapsed().as_secs_f64() * 1000.0 {
            std::thread::sleep(Duration::from_micros(200));
        }
        let request = match answered % 4 {
            0 => format!(r#"{{"version":2,"command":"set-gain","gain_db":-{}.5}}"#, answered % 60),
            1 => r#"{"version":2,"command":"status"}"#.to_owned(),
            2 => r#"{"version":2,"command":"spectrum"}"#.to_owned(),
            _ => r#"{"version":2,"command":"settings"}"#.to_owned(),
        };
        asker.send(request.as_bytes(), 0).unwrap();
        let reply = asker.recv_bytes(0).unwrap();
        assert!(reply.starts_with(br#"{"result":"ok""#));
        answered += 1;
    }
    let time = started.elapsed();
    println!("{answered} commands in {time:?}");
    assert_undisturbed(&daemon, before.output_frames, time);
    assert!(daemon.status().counters.requests - before.requests >= u64::from(answered));
}

#[test]
fn clients_that_do_not_read_stall_neither_the_sound_nor_the_others() {
    let daemon = playing(30);
    let before = daemon.status().counters.output_frames;
    let started = Instant::now();
    // Listens to telemetry and never reads.
    let deaf = socket(&daemon, zmq::SUB, endpoint::TELEMETRY_FILE);
    // Asks and never reads an answer: a DEALER may ask again at once.
    let rude = socket(&daemon, zmq::DEALER, endpoint::CONTROL_FILE);
    rude.set_sndtimeo(0).unwrap();
    let mut asked = 0;
    while started.elapsed() < Duration::from_secs(2) {
        let request = [&b""[..], br#"{"version":2,"command":"status"}"#];
        if rude.send_multipart(request, zmq::DONTWAIT).is_ok() {
            asked += 1;
        } else {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    assert!(asked > 2000, "{asked}");
    assert_eq!(daemon.client.call(Command::Status).unwrap().state, State::Streaming);
    let place = format!("ipc://{}", daemon.place(endpoint::TELEMETRY_FILE).display());
    let listener = TelemetryListener::with_endpoint(&place, Duration::from_secs(5)).unwrap();
    let first = listener.next().unwrap().sequence;
    assert!(listener.next().unwrap().sequence > first);
    assert_undisturbed(&daemon, before, started.elapsed());
    drop((deaf, rude));
}

#[test]
fn telemetry_tells_what_is_measured() {
    let daemon = playing(30);
    let place = format!("ipc://{}", daemon.place(endpoint::TELEMETRY_FILE).display());
    let listener = TelemetryListener::with_endpoint(&place, Duration::from_secs(5)).unwrap();
    let mut telemetry = listener.next().unwrap();
    for _ in 0..20 {
        telemetry = listener.next().unwrap();
    }
    // An eighth of full scale, constant: peak and RMS are the same.
    for level in [&telemetry.levels.input_peak_dbfs, &telemetry.levels.input_rms_dbfs] {
        assert!(level.len() == 2 && level.iter().all(|db| (db + 18.06).abs() < 0.01), "{level:?}");
    }
    assert!(telemetry.levels.output_rms_dbfs.iter().all(|db| (db + 18.06).abs() < 0.1));
    let blocks = telemetry.blocks.unwrap();
    assert!(blocks.blocks > 5 && blocks.highest >= blocks.mean && blocks.mean > 0.0, "{blocks:?}");
    assert!((blocks.block_seconds - 256.0 / 44_100.0).abs() < 1e-9);
    let buffers = telemetry.buffers;
    assert!(buffers.iter().all(|b| b.level_frames <= b.capacity_frames && b.rate > 0));
    assert_eq!(buffers.len(), 3);
    assert!(telemetry.memory.unwrap().resident_bytes > 1_000_000);
    assert_eq!(telemetry.status.real_time.scheduling, "normal");
}
