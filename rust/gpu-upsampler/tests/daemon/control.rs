//! What the sockets answer.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use totton_protocol::message::MAX_REQUEST_BYTES;
use totton_protocol::{
    Answer, Command, ErrorCode, Levels, Reply, Request, State, Status, TelemetryListener, endpoint,
};

use crate::double::Machine;
use crate::running::{BLOCK, RATIO, Running, Setup};

/// A socket that stays the same for all that is asked: the daemon's may not go away meanwhile.
struct Asker(zmq::Socket);

impl Asker {
    fn new(daemon: &Running) -> Self {
        let socket = zmq::Context::new().socket(zmq::REQ).unwrap();
        socket.set_rcvtimeo(5000).unwrap();
        socket.set_linger(0).unwrap();
        let file = daemon.place(endpoint::CONTROL_FILE);
        socket.connect(&format!("ipc://{}", file.display())).unwrap();
        Self(socket)
    }

    /// The reply; to an order that takes longer, how that ended.
    fn ask(&self, request: &[u8]) -> Reply {
        self.0.send(request, 0).unwrap();
        match serde_json::from_slice(&self.0.recv_bytes(0).unwrap()).unwrap() {
            Reply::Ok(Answer::Pending { order }) => {
                std::thread::sleep(Duration::from_millis(5));
                self.ask(&serde_json::to_vec(&Request::from(Command::Outcome { order })).unwrap())
            }
            reply => reply,
        }
    }

    fn refusal(&self, request: &[u8]) -> (ErrorCode, String) {
        match self.ask(request) {
            Reply::Error { code, message, .. } => (code, message),
            Reply::Ok(_) => panic!("not refused: {:?}", String::from_utf8_lossy(request)),
        }
    }

    fn status(&self) -> Status {
        match self.ask(br#"{"version":2,"command":"status"}"#) {
            Reply::Ok(Answer::Status { status }) => *status,
            refused => panic!("{refused:?}"),
        }
    }
}

#[test]
fn what_is_malformed_is_refused_and_costs_nothing() {
    let daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    let asker = Asker::new(&daemon);
    let oversized = vec![b'x'; MAX_REQUEST_BYTES + 1];
    for bad in [&b""[..], b"\0\xff", b"{}", b"[1,2", &oversized] {
        assert_eq!(asker.refusal(bad).0, ErrorCode::BadRequest);
    }
    let (code, message) = asker.refusal(br#"{"version":7,"command":"status"}"#);
    assert_eq!(code, ErrorCode::UnsupportedVersion);
    assert!(message.contains("version 7; accepted: 2"), "{message}");
    let loud = br#"{"version":2,"command":"set-gain","gain_db":6}"#;
    assert_eq!(asker.refusal(loud).0, ErrorCode::OutOfRange);
    asker.0.send_multipart([&b"{"[..], b"}"], 0).unwrap();
    let reply: Reply = serde_json::from_slice(&asker.0.recv_bytes(0).unwrap()).unwrap();
    assert!(matches!(reply, Reply::Error { code: ErrorCode::BadRequest, .. }));
    let status = asker.status();
    assert_eq!(
        (status.state, status.sound.gain_db, status.sound.mute),
        (State::Streaming, 0.0, false)
    );
}

#[test]
fn the_status_tells_what_runs() {
    let daemon = Running::start(Machine::new(), Setup::default());
    let status = daemon.until_status("a measured load", |status| {
        status.engine.as_ref().is_some_and(|engine| engine.load > 0.0)
    });
    let engine = status.engine.unwrap();
    assert_eq!((engine.backend.as_str(), engine.precision_bits), ("cpu", 64));
    assert_eq!(engine.backend_reason, None);
    assert_eq!((engine.taps, engine.block_frames), (1500, BLOCK as u32));
    assert_eq!(engine.filter, daemon.place("taps.filter").display().to_string());
    assert_eq!(status.output.unwrap().format, "S32_LE");
}

#[test]
fn both_sockets_are_for_the_group_only_and_a_stale_one_is_replaced() {
    let mut daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    let files = [endpoint::CONTROL_FILE, endpoint::TELEMETRY_FILE].map(|name| daemon.place(name));
    for file in &files {
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660, "{}", file.display());
    }
    daemon.terminate();
    assert!(files.iter().all(|file| !file.exists()), "nothing is left behind");

    // What a killed daemon leaves behind.
    let folder = tempfile::tempdir().unwrap();
    for name in [endpoint::CONTROL_FILE, endpoint::TELEMETRY_FILE] {
        drop(std::os::unix::net::UnixListener::bind(folder.path().join(name)).unwrap());
    }
    let flow = std::sync::Arc::default();
    let board = std::sync::Arc::new(gpu_upsampler::board::Board::new(flow));
    let (events, _received) = gpu_upsampler::daemon::events();
    let sockets = gpu_upsampler::ipc::Sockets::open(folder.path(), &board, &events).unwrap();
    let control = format!("ipc://{}", folder.path().join(endpoint::CONTROL_FILE).display());
    let client = totton_protocol::Client::with_endpoint(control, Duration::from_secs(5));
    assert_eq!(client.call(Command::Status).unwrap().state, State::Starting);
    drop(sockets);
}

#[test]
fn telemetry_comes_several_times_a_second_with_levels() {
    let machine = Machine::new();
    machine.world().sent = 0x4000_0000i32.to_le_bytes().repeat(2 * 44_100 * 60);
    let daemon = Running::start(machine, Setup::default());
    daemon.until_state(State::Streaming);
    let place = daemon.place(endpoint::TELEMETRY_FILE);
    let listener = TelemetryListener::with_endpoint(
        &format!("ipc://{}", place.display()),
        Duration::from_secs(5),
    )
    .unwrap();
    let first = listener.next().unwrap();
    let started = std::time::Instant::now();
    let mut last = listener.next().unwrap();
    while started.elapsed() < Duration::from_secs(1) {
        last = listener.next().unwrap();
    }
    // Twenty a second; a busy machine may be late.
    assert!((10..=25).contains(&(last.sequence - first.sequence)), "{last:?}");
    // Half of full scale is -6.02 dBFS.
    assert!(last.levels.input_peak_dbfs.iter().all(|level| (level + 6.02).abs() < 0.01));
    assert_eq!(last.levels.output_peak_dbfs.len(), 2);
    assert!(last.levels.output_peak_dbfs.iter().all(|level| *level > Levels::SILENCE_DBFS));
}

#[test]
fn a_bad_configuration_keeps_the_old_one() {
    let daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    let asker = Asker::new(&daemon);
    let reload = br#"{"version":2,"command":"reload"}"#;
    let file = daemon.place("upsampler.toml");
    let good = fs::read_to_string(&file).unwrap();
    for (bad, reason) in [
        (good.replace("ratio = 4", "ratio = 5"), "\"auto\" or one of 1, 2, 4, 8, 16"),
        (
            good.replace("ratio = 4", "ratio = 8"),
            "it is for the ratio 4, and none is there for the ratio 8",
        ),
        (good.replace("taps.filter", "none.filter"), "none.filter"),
        ("?".to_owned(), "upsampler.toml"),
    ] {
        fs::write(&file, bad).unwrap();
        let (code, message) = asker.refusal(reload);
        assert_eq!(code, ErrorCode::Failed);
        assert!(message.contains(reason), "{message}");
        let status = asker.status();
        assert_eq!(status.last_error, Some(message));
        assert_eq!((status.state, status.counters.stream_starts), (State::Streaming, 1));
        assert_eq!(status.counters.reloads, 0);
        let engine = status.engine.unwrap();
        assert_eq!((engine.ratio as usize, engine.block_frames), (RATIO, BLOCK as u32));
    }
    fs::write(&file, good.replace("block_frames = 256", "block_frames = 512")).unwrap();
    assert!(matches!(asker.ask(reload), Reply::Ok(_)));
    let status = daemon.until_state(State::Streaming);
    assert_eq!(status.engine.unwrap().block_frames, 512);
    assert_eq!((status.counters.stream_starts, status.counters.reloads), (2, 1));
}

#[test]
fn a_reload_that_the_open_stream_has_no_place_in_is_done_all_the_same() {
    let machine = Machine::new();
    machine.world().host_rate = Some(48_000);
    let daemon = Running::start(machine, Setup::default());
    daemon.until_status("48 kHz", |s| s.input.as_ref().is_some_and(|input| input.rate == 48_000));
    let file = daemon.place("upsampler.toml");
    let text = fs::read_to_string(&file).unwrap();
    // Then there are no filters for the open stream's family any more.
    fs::write(&file, text.replace("rate = \"auto\"", "rate = 44100")).unwrap();
    let status = daemon.client.call(Command::Reload).unwrap();
    assert_eq!((status.counters.reloads, status.last_error), (1, None));
    daemon.machine.world().host_rate = Some(44_100);
    daemon.until_status("44.1 kHz", |s| s.input.as_ref().is_some_and(|input| input.rate == 44_100));
}

#[test]
fn a_reload_for_the_gain_alone_leaves_the_stream_open() {
    let daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    let file = daemon.place("upsampler.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("[output]\n", "[output]\ngain_db = -3.0\n")).unwrap();
    let status = daemon.client.call(Command::Reload).unwrap();
    assert_eq!((status.sound.gain_db, status.counters.reloads), (-3.0, 1));
    assert_eq!(daemon.status().counters.stream_starts, 1);
}

#[test]
fn a_restart_on_request_opens_the_stream_anew() {
    let daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    let status = daemon.client.call(Command::RestartStream).unwrap();
    assert_eq!((status.state, status.counters.stream_starts), (State::Streaming, 2));
    daemon.machine.world().dac_present = false;
    let error = daemon.client.call(Command::RestartStream).unwrap_err().to_string();
    assert!(error.contains("Waiting for the DAC"), "{error}");
}
