//! The daemon as a whole: sockets, supervisor, and the order of their start.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{self, Receiver, Sender};

use totton_protocol::settings::{Foreign, Stored};
use totton_protocol::text::bounded;
use totton_protocol::{FaultKind, Settings, Sound};

use crate::audio::flow::Flow;
use crate::audio::realtime;
use crate::backend;
use crate::board::Board;
use crate::config::Config;
use crate::device::AudioDevices;
use crate::error::Error;
use crate::filters::FilterSet;
use crate::ipc::Sockets;
use crate::notify::{self, Notifier};
use crate::settings::Store;
use crate::settings::disk::RealDisk;
use crate::settings::file::{self, FileError};
use crate::settings::writer::Writer;
use crate::supervisor::{self, Event, Plan, Supervisor, prepare};

/// Where the daemon finds things.
#[derive(Debug, Clone)]
pub struct Places {
    /// The configuration's main file.
    pub config_file: PathBuf,
    /// The folder of the sockets.
    pub runtime: PathBuf,
}

/// Reads what the daemon needs, with the devices `devices`.
///
/// # Errors
/// When configuration or filter are missing or bad.
pub fn plan(config_file: &Path, devices: Box<dyn AudioDevices>) -> Result<Plan, Error> {
    let base = Config::load(config_file)?;
    let mut faults = vec![];
    let (mut settings, stored, foreign) = stored_settings(&base, &mut faults);
    let (config, filters) = usable(&base, &mut settings, &mut faults)?;
    let notifier = Notifier::from_environment().map_err(|source| Error::File {
        file: std::env::var_os("NOTIFY_SOCKET").unwrap_or_default().into(),
        source,
    })?;
    Ok(Plan {
        config_file: config_file.to_owned(),
        base,
        config,
        filters,
        settings: Arc::new(Store::with_foreign(settings, stored, foreign)),
        faults,
        devices,
        build_engine: Arc::new(backend::build),
        notifier,
        watchdog: notify::watchdog_interval(),
    })
}

/// The settings on the disk, or the configuration's; whether the disk holds them as they are; and
/// what of the file is another version's. Where there was a file that cannot be used, the sound is
/// muted: it may have been lower.
fn stored_settings(
    config: &Config,
    faults: &mut Vec<(FaultKind, String)>,
) -> (Settings, bool, Foreign) {
    let file = &config.settings.file;
    let configured = |muted: bool| {
        let output = &config.output;
        let mute = output.mute || muted;
        let sound = Sound { gain_db: output.gain_db, mute, ..Sound::default() };
        Settings { sound, ..Settings::default() }
    };
    match file::read(&mut RealDisk, file) {
        Ok(Some(Stored { settings, left_out, foreign, kept })) => {
            if !left_out.is_empty() {
                let (file, aside) = (file.display(), file.with_extension("bad"));
                let message =
                    format!("of {file}, kept as {}: {}", aside.display(), left_out.join("; "));
                faults.push((FaultKind::SettingsUnreadable, message));
            }
            let names = foreign.names();
            if !names.is_empty() {
                let names = bounded(&names.join(", "));
                log::info!("{}: kept for another version: {names}", file.display());
            }
            (settings, kept, foreign)
        }
        Ok(None) => (configured(false), true, Foreign::default()),
        Err(error) => {
            faults.push((FaultKind::SettingsUnreadable, error.to_string()));
            // Written at once where the file was moved aside: the next start is as quiet.
            let stored = !matches!(error, FileError::Content { .. });
            (configured(true), stored, Foreign::default())
        }
    }
}

/// What `settings` choose over `base`. What cannot be used is told in `faults`, and what the
/// configuration names is used instead; it stays in the settings, and may be put right while the
/// sound goes on. An equaliser may lower the sound: without it, the sound is muted.
fn usable(
    base: &Config,
    settings: &mut Settings,
    faults: &mut Vec<(FaultKind, String)>,
) -> Result<(Config, FilterSet), Error> {
    let mut used = settings.clone();
    loop {
        let error = match prepare::load(base, &used) {
            Ok(loaded) => return Ok(loaded),
            Err(error) => error,
        };
        let instead = match &error {
            Error::Profile { .. } if used.equaliser.take().is_some() => {
                settings.sound.mute = true;
                "it is left out, and the sound is muted: it may be louder without"
            }
            Error::Filter { .. } | Error::Setting(_) if used.filter.take().is_some() => {
                "what the configuration names is used instead"
            }
            _ => return Err(error),
        };
        faults.push((error.fault(), format!("{error}; {instead}")));
    }
}

/// Writes the settings from now on, and notes how that goes.
fn write_settings(
    board: &Arc<Board>,
    file: PathBuf,
    events: &Sender<Event>,
) -> Result<Writer, Error> {
    let told = {
        let board = Arc::clone(board);
        move |outcome: Result<(), FileError>| match outcome {
            Ok(()) => {
                board.flow().settings_writes.fetch_add(1, Relaxed);
                board.faults_end(&[FaultKind::DiskFull, FaultKind::SettingsNotStored]);
            }
            Err(error) => {
                let kind = match error.is_disk_full() {
                    true => FaultKind::DiskFull,
                    false => FaultKind::SettingsNotStored,
                };
                board.fault_strikes(kind, &error.to_string());
            }
        }
    };
    Writer::start(
        Arc::clone(board.settings()),
        Box::new(RealDisk),
        file,
        told,
        supervisor::tell_of_death(events),
    )
}

/// Runs the daemon until it is told to end by an event.
///
/// # Errors
/// When the sockets cannot be served; [`Error::ThreadDied`] when a part of it ended by itself.
pub fn run(
    plan: Plan,
    runtime: &Path,
    (events, received): (Sender<Event>, Receiver<Event>),
) -> Result<(), Error> {
    if plan.config.realtime.lock_memory {
        realtime::lock_memory();
    }
    let settings = Arc::clone(&plan.settings);
    let board = Arc::new(Board::with_settings(Arc::new(Flow::default()), settings));
    let _writer = write_settings(&board, plan.base.settings.file.clone(), &events)?;
    // Served before the first device is looked for: readiness means that they answer.
    let _sockets = Sockets::open(runtime, &board, &events)?;
    Supervisor::new(plan, board, (events, received))?.run()
}

/// A way to tell the supervisor things, for [`run`].
pub fn events() -> (Sender<Event>, Receiver<Event>) {
    mpsc::channel()
}
