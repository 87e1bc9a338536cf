//! A daemon that runs in this process, and the systemd that listens to it.

use std::fs;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gpu_upsampler::backend;
use gpu_upsampler::notify::Notifier;
use gpu_upsampler::supervisor::{ENGINES_BYTES, EngineBuilder, Event, Plan};
use gpu_upsampler::{Error, daemon};
use tempfile::TempDir;
use totton_dsp::{DesignSpec, design};
use totton_protocol::{Client, Command, State, Status, endpoint};

use crate::double::Machine;

pub const RATIO: usize = 4;
pub const BLOCK: usize = 256;

/// For how long a test waits: a busy machine may take its time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `done` says something, at most [`PATIENCE`].
pub fn until<T>(what: &str, done: impl FnMut() -> Option<T>) -> T {
    until_or(done).unwrap_or_else(|| panic!("waited in vain: {what}"))
}

/// The same; `None`: in vain.
pub fn until_or<T>(mut done: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let value = done();
        if value.is_some() || Instant::now() >= deadline {
            return value;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What a test wants otherwise.
pub struct Setup {
    /// Appended to the configuration; its tables must be other than `capture`, `engine`, `filter`.
    pub config: String,
    pub capture: String,
    pub ratio: String,
    /// Else one that is designed.
    pub filter: Option<PathBuf>,
    pub grace_seconds: f64,
    pub watchdog: Option<Duration>,
    pub build_engine: EngineBuilder,
    /// Bytes that engines may take together.
    pub engines_bytes: usize,
    /// Done to the daemon's folder before it starts.
    pub before: fn(&TempDir),
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            config: String::new(),
            capture: "rate = \"auto\"".to_owned(),
            ratio: RATIO.to_string(),
            filter: None,
            grace_seconds: 0.5,
            watchdog: None,
            build_engine: Arc::new(backend::build),
            engines_bytes: ENGINES_BYTES,
            before: |_| (),
        }
    }
}

/// A running daemon; dropping it ends it.
pub struct Running {
    pub machine: Machine,
    pub folder: TempDir,
    pub events: Sender<Event>,
    pub systemd: UnixDatagram,
    pub client: Client,
    thread: Option<Thread>,
}

impl Running {
    pub fn start(machine: Machine, setup: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let spec = DesignSpec {
            taps: 1500,
            ratio: RATIO as u32,
            attenuation_db: 100.0,
            ..DesignSpec::default()
        };
        design(&spec, &mut |_, _| {}).unwrap().save(&place("taps.filter")).unwrap();
        fs::write(place("upsampler.toml"), config_text(&folder, &setup)).unwrap();

        let systemd = UnixDatagram::bind(place("notify")).unwrap();
        systemd.set_nonblocking(true).unwrap();
        (setup.before)(&folder);
        let control = format!("ipc://{}", place(endpoint::CONTROL_FILE).display());
        let client = Client::with_endpoint(control, Duration::from_secs(5));
        let Setup { build_engine, engines_bytes, watchdog, .. } = setup;
        let (events, thread) = launch(&folder, &machine, (build_engine, engines_bytes), watchdog);
        Self { machine, folder, events, systemd, client, thread: Some(thread) }
    }

    /// Starts a daemon anew in the same folder, after [`Running::terminate`].
    pub fn start_again(&mut self) {
        let build = Arc::new(backend::build);
        let (events, thread) = launch(&self.folder, &self.machine, (build, ENGINES_BYTES), None);
        (self.events, self.thread) = (events, Some(thread));
    }

    pub fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The status; whatever is going on, its state and its ends are of one moment.
    pub fn status(&self) -> Status {
        let status = self.client.call(Command::Status).unwrap();
        let (input, output) = (status.input.is_some(), status.output.is_some());
        let fits = match status.state {
            State::Streaming => input && output,
            State::Idle => input == output,
            _ => !input && !output,
        };
        assert!(fits, "no state of a stream: {status:#?}");
        status
    }

    /// Waits for a state; gives the status that has it.
    pub fn until_state(&self, state: State) -> Status {
        self.until_status(&format!("{state:?}"), |status| status.state == state)
    }

    /// Waits for a status that `is` so; tells the last one when it does not come.
    pub fn until_status(&self, what: &str, is: impl Fn(&Status) -> bool) -> Status {
        let mut last = None;
        let found = until_or(|| {
            let status = self.status();
            let found = is(&status);
            last = Some(status);
            if found { last.take() } else { None }
        });
        found.unwrap_or_else(|| panic!("waited in vain: {what}; the status is {last:#?}"))
    }

    /// What systemd has heard and not yet been asked for.
    pub fn heard(&self) -> Vec<String> {
        let mut heard = vec![];
        let mut buffer = [0; 4096];
        loop {
            match self.systemd.recv(&mut buffer) {
                Ok(n) => heard.push(String::from_utf8_lossy(&buffer[..n]).into_owned()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return heard,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Waits for a daemon that ends by itself; tells why.
    pub fn end(&mut self) -> Result<(), Error> {
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap())
    }

    /// Ends the daemon; tells how long that took.
    pub fn terminate(&mut self) -> Duration {
        let started = Instant::now();
        let _ = self.events.send(Event::Terminate);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
        started.elapsed()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.terminate();
        }
    }
}

type Thread = JoinHandle<Result<(), Error>>;

fn launch(
    folder: &TempDir,
    machine: &Machine,
    (build_engine, engines_bytes): (EngineBuilder, usize),
    watchdog: Option<Duration>,
) -> (Sender<Event>, Thread) {
    let place = |name: &str| folder.path().join(name);
    let plan = Plan {
        build_engine,
        engines_bytes,
        notifier: Notifier::to(place("notify").as_os_str()).unwrap(),
        watchdog,
        ..daemon::plan(&place("upsampler.toml"), Box::new(machine.clone())).unwrap()
    };
    let (events, received) = daemon::events();
    let (runtime, sender) = (folder.path().to_owned(), events.clone());
    let thread = std::thread::spawn(move || daemon::run(plan, &runtime, (sender, received)));
    (events, thread)
}

fn config_text(folder: &TempDir, setup: &Setup) -> String {
    let Setup { config, capture, ratio, grace_seconds, .. } = setup;
    let filter = setup.filter.clone().unwrap_or_else(|| folder.path().join("taps.filter"));
    let settings = folder.path().join("settings.json");
    format!(
        "startup_grace_seconds = {grace_seconds}\n\
         [capture]\n{capture}\n\
         [engine]\nbackend = \"cpu\"\nratio = {ratio}\nblock_frames = {BLOCK}\n\
         [filter]\npath = {filter:?}\n\
         [output]\nheadroom = \"off\"\n\
         [realtime]\npriority = 0\nlock_memory = false\n\
         [settings]\nfile = {settings:?}\n\
         {config}\n"
    )
}
