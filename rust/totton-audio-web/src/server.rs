//! Puts the parts together, serves, stops on SIGTERM.

use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::{HttpServer, web};
use futures_util::future::try_join_all;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::app::{self, Shared};
use crate::error::Error;
use crate::guard::{Gate, note_arrival};
use crate::listen::{Listeners, Place};
use crate::serve;
use crate::settings::Settings;

/// Threads that serve an interface; the work is light, and the cores are the audio's.
const WORKERS: usize = 2;

/// Threads of one worker that may wait for the disk, the daemon or a program. A request that finds
/// none waits for its turn: each has a stack and an arena of its own, and memory is limited.
const WAITING_THREADS: usize = 16;

/// Connections of one worker; a few browsers need a handful each.
const CONNECTIONS: usize = 256;

/// The headers of a request must be here after so long.
const HEADERS: Duration = Duration::from_secs(5);

/// Whole seconds that requests under way get when the service stops.
const GRACE_SECONDS: u64 = 1;

/// Makes an HTTP server for listening sockets.
type Start = Box<dyn Fn(Vec<TcpListener>) -> std::io::Result<Server>>;

/// All parts of the service, and the sockets of every interface that is there.
struct Service {
    places: Vec<(Place, Option<Listeners>)>,
    gate: web::Data<Gate>,
    start: Start,
    /// Set to true before the servers are stopped: event streams would hold them.
    closing: watch::Sender<bool>,
}

impl Service {
    /// Opens the sockets and starts to listen to the daemon.
    ///
    /// # Errors
    /// When a socket or a thread cannot be made.
    fn open(settings: &Settings) -> Result<Self, Error> {
        let (closing, closed) = watch::channel(false);
        let shared = Shared::open(settings, &closed)?;
        let gate = shared.gate.clone();
        let open = |place: Place| {
            let may = !place.needs_password || gate.password.is_set();
            let listeners = if may { Listeners::open(&place)? } else { None };
            Ok((place, listeners))
        };
        let places = settings.places().into_iter().map(open).collect::<Result<_, Error>>()?;
        let app = move || app::app(&shared);
        let start = move |listeners: Vec<TcpListener>| {
            let mut server = HttpServer::new(app.clone())
                .workers(WORKERS)
                .worker_max_blocking_threads(WAITING_THREADS)
                .max_connections(CONNECTIONS)
                .client_request_timeout(HEADERS)
                .shutdown_timeout(GRACE_SECONDS)
                .on_connect(note_arrival)
                .disable_signals();
            for listener in listeners {
                server = server.listen(listener)?;
            }
            Ok(server.run())
        };
        Ok(Self { places, gate, start: Box::new(start), closing })
    }
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// When the service cannot start, or the server ends by itself.
pub async fn run(settings: &Settings) -> Result<(), Error> {
    let signals = |source| Error::Signals { source };
    let mut terminate = signal(SignalKind::terminate()).map_err(signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(signals)?;
    let Service { places, gate, start, closing } = Service::open(settings)?;
    let links: Vec<_> = places
        .iter()
        .filter_map(|(_, listeners)| listeners.as_ref().map(serve::links))
        .collect::<Result<_, _>>()?;
    if !links.is_empty() {
        log::info!("listening on {}", links.join(" "));
    }
    let all = places.into_iter().map(|(place, found)| {
        serve::serve(place, found, &gate.password, &start, closing.subscribe())
    });
    let mut serving = std::pin::pin!(try_join_all(all));
    tokio::select! {
        _ = terminate.recv() => log::info!("stopping: SIGTERM"),
        _ = interrupt.recv() => log::info!("stopping: SIGINT"),
        ended = &mut serving => return ended.map(drop),
    }
    closing.send_replace(true);
    serving.await.map(drop)
}
