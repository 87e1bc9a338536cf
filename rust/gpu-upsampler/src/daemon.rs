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
use crate::recorder;
use crate::settings::Store;
use crate::settings::disk::RealDisk;
use crate::settings::file::{self, FileError};
use crate::settings::writer::Writer;
use crate::supervisor::{self, ENGINES_BYTES, Event, Plan, Supervisor, prepare};

/// Where the daemon finds things.
#[derive(Debug, Clone)]
pub struct Places {
    /// The configuration's main file.
    pub config_file: PathBuf,
    /// The folder of the sockets.
    pub runtime: PathBuf,
}

/// Reads what the daemon needs, with the devices `devices`. A configuration that cannot be used is
/// a fault, and no reason not to start: the page, which tells of it, needs the daemon. Its defaults
/// are used until a reload finds a good one. The same goes for a filter.
///
/// # Errors
/// When systemd's socket cannot be used.
pub fn plan(config_file: &Path, devices: Box<dyn AudioDevices>) -> Result<Plan, Error> {
    let mut faults = vec![];
    let (base, configured) = configuration(config_file, &mut faults);
    let (mut settings, stored, foreign) = stored_settings(&base, configured, &mut faults);
    let (config, filters) = usable(&base, &mut settings, &mut faults);
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
        engines_bytes: ENGINES_BYTES,
        notifier,
        watchdog: notify::watchdog_interval(),
        records_aborts: false,
    })
}

/// The configuration, or the defaults; whether it is the configuration.
fn configuration(file: &Path, faults: &mut Vec<(FaultKind, String)>) -> (Config, bool) {
    match Config::load(file) {
        Ok(config) => (config, true),
        Err(error) => {
            let instead = "the defaults are used until it is put right and read again (Reload)";
            let message = format!("{error}; {instead}");
            log::error!("{message}");
            faults.push((error.fault(), message));
            (Config::default(), false)
        }
    }
}

/// The settings on the disk, or the configuration's; whether the disk holds them as they are; and
/// what of the file is another version's. Where there was a file that cannot be used, or the
/// configuration cannot be used that would say it, the sound is muted: it may have been lower.
fn stored_settings(
    config: &Config,
    configured: bool,
    faults: &mut Vec<(FaultKind, String)>,
) -> (Settings, bool, Foreign) {
    let file = &config.settings.file;
    let of_the_configuration = |muted: bool| {
        let sound = config.output.sound();
        let sound = Sound { mute: sound.mute || muted, ..sound };
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
        Ok(None) => (of_the_configuration(!configured), true, Foreign::default()),
        Err(error) => {
            faults.push((FaultKind::SettingsUnreadable, error.to_string()));
            // Written at once where the file was moved aside: the next start is as quiet.
            let stored = !matches!(error, FileError::Content { .. });
            (of_the_configuration(true), stored, Foreign::default())
        }
    }
}

/// What `settings` choose over `base`. What cannot be used is told in `faults`, and what the
/// configuration names is used instead; it stays in the settings, and may be put right while the
/// sound goes on. An equaliser may lower the sound: without it, the sound is muted. Where no filter
/// can be used there is none, and nothing is played.
fn usable(
    base: &Config,
    settings: &mut Settings,
    faults: &mut Vec<(FaultKind, String)>,
) -> (Config, FilterSet) {
    let mut used = settings.clone();
    loop {
        let error = match prepare::load(base, &used) {
            Ok(loaded) => return loaded,
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
            _ => {
                faults.push((error.fault(), error.to_string()));
                let config = base.with_settings(&used).unwrap_or_else(|_| base.clone());
                let (file, fault, reason) = match error {
                    Error::Filter { file, fault, reason } => (file, fault, reason),
                    other => (config.filter.template().into(), other.fault(), other.to_string()),
                };
                return (config, FilterSet::none(file, fault, reason));
            }
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
    let recorded = recorder::file_beside(&plan.base.settings.file);
    if let Some(table) = recorder::left_by_an_abort(&recorded) {
        board.remember_an_abort(table);
    }
    if plan.records_aborts
        && let Err(error) = recorder::write_at_abort(Arc::clone(board.recorder()), &recorded)
    {
        log::warn!("an abort will leave no record in {}: {error}", recorded.display());
    }
    // Served before the first device is looked for: readiness means that they answer.
    let _sockets = Sockets::open(runtime, &board, &events)?;
    Supervisor::new(plan, board, (events, received))?.run()
}

/// A way to tell the supervisor things, for [`run`].
pub fn events() -> (Sender<Event>, Receiver<Event>) {
    mpsc::channel()
}
