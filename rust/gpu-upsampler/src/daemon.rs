//! The daemon as a whole: sockets, supervisor, and the order of their start.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

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
use crate::supervisor::{Event, Plan, Supervisor};

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
    let config = Config::load(config_file)?;
    let filters = FilterSet::load(&config)?;
    let notifier = Notifier::from_environment().map_err(|source| Error::File {
        file: std::env::var_os("NOTIFY_SOCKET").unwrap_or_default().into(),
        source,
    })?;
    Ok(Plan {
        config_file: config_file.to_owned(),
        config,
        filters,
        devices,
        build_engine: Box::new(backend::build),
        notifier,
        watchdog: notify::watchdog_interval(),
    })
}

/// Runs the daemon until it is told to end by an event.
///
/// # Errors
/// When the sockets cannot be served.
pub fn run(
    plan: Plan,
    runtime: &Path,
    (events, received): (Sender<Event>, Receiver<Event>),
) -> Result<(), Error> {
    if plan.config.realtime.lock_memory {
        realtime::lock_memory();
    }
    let board = Arc::new(Board::new(Arc::new(Flow::default())));
    // Served before the first device is looked for: readiness means that they answer.
    let _sockets = Sockets::open(runtime, &board, &events)?;
    Supervisor::new(plan, board, received).run();
    Ok(())
}

/// A way to tell the supervisor things, for [`run`].
pub fn events() -> (Sender<Event>, Receiver<Event>) {
    mpsc::channel()
}
