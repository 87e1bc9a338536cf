//! The real program: signals, exit states, and alsa-lib.
//!
//! alsa-lib's own plug-ins `file` and `null` stand in for the cards, so what is
//! tested here goes through it, and needs neither a card nor its configuration.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

mod faults;

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use totton_dsp::{DesignSpec, design};
use totton_protocol::{Client, State, endpoint};

const PROGRAM: &str = env!("CARGO_BIN_EXE_gpu_upsampler_alsa");
const RATIO: u32 = 4;

/// Frames that the fade-in of 50 ms changes.
const FADE_FRAMES: usize = 44_100 * RATIO as usize / 20;

fn until<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A folder with a filter, a configuration, and ALSA devices that are files.
struct Machine {
    folder: TempDir,
}

impl Machine {
    /// `input`: the file that the capture device reads.
    fn new(input: &str) -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        let spec =
            DesignSpec { taps: 1500, ratio: RATIO, attenuation_db: 100.0, ..DesignSpec::default() };
        design(&spec, &mut |_, _| {}).unwrap().save(&machine.place("taps.filter")).unwrap();
        let (input, output) = (machine.place(input), machine.place("played.raw"));
        let cards = format!(
            "pcm.input {{ type file slave.pcm {{ type null }} file /dev/null infile {input:?} \
             format raw }}\n\
             pcm.dac {{ type file slave.pcm {{ type null }} file {output:?} format raw }}\n"
        );
        fs::write(machine.place("asound.conf"), cards).unwrap();
        let config = format!(
            "startup_grace_seconds = 0.5\n\
             [capture]\ndevice = \"input\"\nrate = 44100\ndrift = \"none\"\n\
             [playback]\ndevice = \"dac\"\n\
             [engine]\nratio = {RATIO}\nblock_frames = 256\n\
             [filter]\npath = {:?}\n\
             [output]\nheadroom = \"off\"\n\
             [realtime]\nlock_memory = false\n",
            machine.place("taps.filter")
        );
        fs::write(machine.config(), config).unwrap();
        machine
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self) -> PathBuf {
        self.place("upsampler.toml")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .arg("--config")
            .arg(self.config())
            .env("ALSA_CONFIG_PATH", self.place("asound.conf"))
            .env_remove("JOURNAL_STREAM")
            .env_remove("RUST_LOG");
        command
    }

    fn daemon(&self) -> Daemon {
        self.daemon_that_logs_to(Stdio::null())
    }

    fn daemon_that_logs_to(&self, log: Stdio) -> Daemon {
        self.daemon_with(|command| {
            command.stderr(log);
        })
    }

    fn daemon_with(&self, change: impl FnOnce(&mut Command)) -> Daemon {
        let systemd = UnixDatagram::bind(self.place("notify")).unwrap();
        systemd.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let mut command = self.command();
        command
            .arg("--runtime-dir")
            .arg(self.folder.path())
            .env("NOTIFY_SOCKET", self.place("notify"))
            .env("WATCHDOG_USEC", "900000");
        change(&mut command);
        let child = command.spawn().unwrap();
        let control = format!("ipc://{}", self.place(endpoint::CONTROL_FILE).display());
        let client = Client::with_endpoint(control, Duration::from_secs(5));
        Daemon { child, systemd, client }
    }
}

struct Daemon {
    child: Child,
    systemd: UnixDatagram,
    client: Client,
}

impl Daemon {
    fn until_heard(&self, start: &str) -> String {
        let mut buffer = [0; 4096];
        until(start, || {
            let n = self.systemd.recv(&mut buffer).ok()?;
            let message = String::from_utf8_lossy(&buffer[..n]).into_owned();
            message.starts_with(start).then_some(message)
        })
    }

    fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).unwrap();
        // SAFETY: the process is our child, and not yet waited for.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// Sends SIGTERM; tells how it ended, and after what time.
    fn terminate(&mut self) -> (ExitStatus, Duration) {
        let started = Instant::now();
        self.signal(libc::SIGTERM);
        let status = until("its end", || self.child.try_wait().unwrap());
        (status, started.elapsed())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn through_alsa_comes_what_render_writes_bit_for_bit() {
    let machine = Machine::new("sent.raw");
    let frames = 256 * 200;
    let sent: Vec<u8> = (0..frames * 2)
        .flat_map(|i: i32| (i.wrapping_mul(0x2545_f491) >> 3).to_le_bytes())
        .collect();
    fs::write(machine.place("sent.raw"), &sent).unwrap();
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 44_100,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(machine.place("sent.wav"), spec).unwrap();
    for sample in sent.chunks_exact(4) {
        writer.write_sample(i32::from_le_bytes(sample.try_into().unwrap())).unwrap();
    }
    writer.finalize().unwrap();
    let rendered = machine
        .command()
        .arg("render")
        .args([machine.place("sent.wav"), machine.place("rendered.wav")])
        .output()
        .unwrap();
    assert!(rendered.status.success(), "{rendered:?}");
    let mut reader = hound::WavReader::open(machine.place("rendered.wav")).unwrap();
    assert_eq!(reader.spec().sample_rate, 44_100 * RATIO);
    let expected: Vec<u8> =
        reader.samples::<i32>().flat_map(|sample| sample.unwrap().to_le_bytes()).collect();
    assert_eq!(expected.len(), sent.len() * RATIO as usize);

    let mut daemon = machine.daemon();
    daemon.until_heard("READY=1");
    let played = until("all is played", || {
        // Not to its end: silence comes after it as fast as the disk takes it.
        let mut played = vec![0; expected.len()];
        let mut file = fs::File::open(machine.place("played.raw")).ok()?;
        file.read_exact(&mut played).is_ok().then_some(played)
    });
    daemon.terminate();
    let after_fade = FADE_FRAMES * 8..expected.len();
    assert!(played[after_fade.clone()] == expected[after_fade], "it differs");
}

/// A sound of an impulse, at `rate` Hz.
fn impulse(file: &Path, rate: u32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(file, spec).unwrap();
    (0..8192).for_each(|n| writer.write_sample(if n == 0 { 0.25f32 } else { 0.0 }).unwrap());
    writer.finalize().unwrap();
}

#[test]
fn render_needs_no_configuration_where_a_filter_is_named() {
    let machine = Machine::new("sent.raw");
    impulse(&machine.place("in.wav"), 44_100);
    let render = |arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.current_dir(machine.folder.path()).args(["render", "in.wav"]).args(arguments);
        let output = command.env("XDG_CACHE_HOME", machine.place("cache")).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let own = Path::new(gpu_upsampler::config::DEFAULT_FILE);
    assert!(!own.exists(), "this machine has a configuration of its own: {}", own.display());
    let (code, said) = render(&["file.wav", "--filter", "taps.filter"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = render(&["design.wav", "--taps", "1500", "--rate", "88200"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(machine.place("cache/totton-audio").is_dir());
    let (code, said) = render(&["none.wav"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("cannot read the configuration"), "{said}");
    // All that a configuration could say: a bad one is not in the way.
    fs::write(machine.config(), "no configuration").unwrap();
    let bad = ["--config", "upsampler.toml", "--filter", "taps.filter"];
    let all = ["--block", "64", "--precision", "f32", "--backend", "cpu"];
    let (code, said) = render(&[&["all.wav"], &bad[..], &all[..]].concat());
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = render(&[&["some.wav"], &bad[..]].concat());
    assert_eq!(code, Some(2), "{said}");
}

#[test]
fn an_equaliser_of_render_keeps_its_frequencies_at_every_rate() {
    let machine = Machine::new("sent.raw");
    fs::write(machine.place("eq.txt"), "Filter: ON PK Fc 3000 Hz Gain -12 dB Q 1\n").unwrap();
    for rate in [44_100, 88_200] {
        impulse(&machine.place("in.wav"), rate);
        let output = machine
            .command()
            .current_dir(machine.folder.path())
            .args(["render", "in.wav", "out.wav", "--force", "--eq", "eq.txt", "--format", "f32"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let mut reader = hound::WavReader::open(machine.place("out.wav")).unwrap();
        let step = std::f64::consts::TAU * 3000.0 / f64::from(reader.spec().sample_rate);
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in reader.samples::<f32>().enumerate() {
            let (sine, cosine) = (step * n as f64).sin_cos();
            let sample = f64::from(sample.unwrap());
            (re, im) = (re + sample * cosine, im - sample * sine);
        }
        let gain_db = 20.0 * (f64::hypot(re, im) / 0.25 / f64::from(RATIO)).log10();
        assert!((gain_db + 12.0).abs() < 0.05, "{rate} Hz: {gain_db}");
    }
}

#[test]
fn sighup_reloads_and_sigterm_ends_in_time() {
    let machine = Machine::new("sent.raw");
    fs::write(machine.place("sent.raw"), [0; 8]).unwrap();
    let mut daemon = machine.daemon();
    daemon.until_heard("READY=1");
    daemon.until_heard("WATCHDOG=1");
    daemon.signal(libc::SIGHUP);
    let status = until("the reload", || {
        let status = daemon.client.call(totton_protocol::Command::Status).unwrap();
        (status.counters.reloads == 1).then_some(status)
    });
    assert_eq!((status.state, status.counters.stream_starts), (State::Streaming, 1));
    fs::write(machine.config(), "[engine]\nratio = 0\n").unwrap();
    daemon.signal(libc::SIGHUP);
    let error = until("the refusal", || {
        daemon.client.call(totton_protocol::Command::Status).unwrap().last_error
    });
    assert!(error.contains("upsampler.toml") && error.contains("1, 2, 4, 8, 16"), "{error}");
    let (status, took) = daemon.terminate();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    daemon.until_heard("STOPPING=1");
}

#[test]
fn sigterm_ends_in_time_even_if_the_supervisor_is_stuck_in_a_device() {
    let machine = Machine::new("pipe");
    // Opening a pipe that nobody writes to takes forever, and so does then opening the device.
    let pipe = std::ffi::CString::new(machine.place("pipe").to_str().unwrap()).unwrap();
    // SAFETY: the path is a C string that outlives the call.
    assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
    let mut daemon = machine.daemon();
    until("the sockets answer", || daemon.client.call(totton_protocol::Command::Status).ok());
    let (status, took) = daemon.terminate();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn under_systemd_each_line_has_its_priority() {
    let output = Command::new(PROGRAM)
        .args(["--config", "/nonexistent/upsampler.toml", "check-config"])
        .env("JOURNAL_STREAM", "1:1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.starts_with("<3>cannot read the configuration /nonexistent"), "{said}");
}

/// What the `file` plug-in of alsa-lib's own configuration is: its file may be a command.
const FILE_PLUG_IN: &str = "pcm.null { type null }\n\
    pcm.file { @args [ FILE FORMAT ] @args.FILE { type string } \
    @args.FORMAT { type string default raw } type file slave.pcm null file $FILE format $FORMAT }\n";

/// The name of a plug-in that makes the file `proof` by a shell command.
fn command_that_makes(proof: &Path) -> String {
    format!("file:'|touch {}; cat > /dev/null',raw", proof.display())
}

fn add(file: &Path, text: &str) {
    let whole = fs::read_to_string(file).unwrap() + text;
    fs::write(file, whole).unwrap();
}

#[test]
fn a_plug_in_plays_from_the_configuration_and_from_nowhere_else() {
    let machine = Machine::new("silence.raw");
    fs::write(machine.place("silence.raw"), [0; 8]).unwrap();
    add(&machine.place("asound.conf"), FILE_PLUG_IN);
    let proof = machine.place("PWNED");
    let settings = machine.place("settings.json");
    let hostile = serde_json::json!({
        "version": 1, "dac": command_that_makes(&proof), "sound": {"gain_db": -33.0},
    });
    fs::write(&settings, hostile.to_string()).unwrap();
    add(&machine.config(), &format!("[settings]\nfile = {settings:?}\n"));
    let mut daemon = machine.daemon();
    daemon.until_heard("READY=1");
    let status = until("the stream", || {
        let status = daemon.client.call(totton_protocol::Command::Status).ok()?;
        (status.state == State::Streaming).then_some(status)
    });
    assert_eq!((status.output.unwrap().name.as_str(), status.sound.gain_db), ("dac", -33.0));
    let serde_json::Value::Object(mut changes) = hostile else { panic!("an object") };
    changes.remove("version");
    let change = totton_protocol::Command::ChangeSettings { changes };
    let refused = daemon.client.ask(change).unwrap_err().to_string();
    assert!(refused.contains("dac is \"file:'|touch"), "{refused}");
    assert!(daemon.terminate().0.success());
    assert!(!proof.exists(), "no command was run");

    // Root's own file may say so.
    let text = fs::read_to_string(machine.config()).unwrap();
    let device = format!("device = {:?}", command_that_makes(&proof));
    fs::write(machine.config(), text.replace("device = \"dac\"", &device)).unwrap();
    fs::remove_file(machine.place("notify")).unwrap();
    let mut daemon = machine.daemon();
    until("the command of the configuration", || proof.exists().then_some(()));
    assert!(daemon.terminate().0.success());
}

#[test]
fn a_device_that_stays_away_costs_no_line_of_the_log_at_each_attempt() {
    let machine = Machine::new("silence.raw");
    fs::write(machine.place("silence.raw"), [0; 8]).unwrap();
    let text = fs::read_to_string(machine.config()).unwrap();
    for (device, lines) in
        [("no-such-plug-in", 1), ("hw:CARD=D90,DEV=0", 0), ("plughw:CARD=D90,DEV=0", 0)]
    {
        let with = text.replace("device = \"dac\"", &format!("device = {device:?}"));
        fs::write(machine.config(), with).unwrap();
        let log = fs::File::create(machine.place("log")).unwrap();
        let mut daemon = machine.daemon_that_logs_to(log.into());
        // Six attempts or so.
        until("three seconds", || {
            let status = daemon.client.call(totton_protocol::Command::Status).ok()?;
            (status.uptime_seconds > 3.0).then_some(())
        });
        assert!(daemon.terminate().0.success());
        fs::remove_file(machine.place("notify")).unwrap();
        let said = fs::read_to_string(machine.place("log")).unwrap();
        let of_alsa = said.lines().filter(|line| line.to_lowercase().contains("alsa")).count();
        assert_eq!(of_alsa, lines, "{device}: {said}");
        assert!(said.contains("Waiting for the DAC: "), "{said}");
    }
}
