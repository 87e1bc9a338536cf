//! Puts the parts together, serves, stops on SIGTERM.

use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use futures_util::future::try_join_all;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use utoipa_actix_web::AppExt;

use crate::api::backup::Desk;
use crate::api::equaliser::Turn;
use crate::api::headphones::Headphones;
use crate::api::logs::Readers;
use crate::api::spectrum::Spectra;
use crate::api::update::Update;
use crate::body::BodyLimit;
use crate::daemon::Daemon;
use crate::error::Error;
use crate::events::Source;
use crate::guard::log_pace::LogPace;
use crate::guard::pace::Pace;
use crate::guard::password::Password;
use crate::guard::{AllowedHosts, Gate, guard, note_arrival};
use crate::listen::{Listeners, Place};
use crate::openapi::Description;
use crate::page::{self, Page};
use crate::plot::Plots;
use crate::problem::Problem;
use crate::settings::Settings;
use crate::store::Store;
use crate::{api, feed, serve};

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
        let events = feed::start(settings)?;
        let failed = |reason: String| Error::Start { reason };
        let store = Store::with_limits(settings.data_folder(), settings.limits());
        store.clear_leftovers();
        let password =
            Password::load(&store).map_err(|problem| failed(problem.detail().to_owned()))?;
        let open = |place: Place| {
            let may = !place.needs_password || password.is_set();
            let listeners = if may { Listeners::open(&place)? } else { None };
            Ok((place, listeners))
        };
        let places = settings.places().into_iter().map(open).collect::<Result<_, Error>>()?;
        let gate = web::Data::new(Gate {
            hosts: AllowedHosts(settings.allowed_hosts().clone()),
            pace: Pace::default(),
            password,
            log: LogPace::default(),
        });
        let source =
            web::Data::new(Source::new(events, closed.clone(), settings.max_event_streams()));
        let readers = web::Data::new(Readers::new(closed.clone()));
        let daemon = web::Data::new(Daemon::new(settings));
        let spectra = web::Data::new(Spectra::start(daemon.clone(), closed));
        let limit = web::Data::new(BodyLimit(settings.max_body_bytes()));
        let headphones = web::Data::new(Headphones::new(&store));
        let (plots, turn) = (web::Data::new(Plots::default()), web::Data::new(Turn::default()));
        let update = web::Data::new(Update::new(settings));
        let desk = web::Data::new(Desk::default());
        let page = web::Data::new(Page::new().map_err(|error| failed(error.to_string()))?);
        let description =
            web::Data::new(Description::new().map_err(|error| failed(error.to_string()))?);
        let (settings, store) = (web::Data::new(settings.clone()), web::Data::new(store));
        let kept = gate.clone();
        let app = move || {
            App::new()
                .app_data(gate.clone())
                .app_data(source.clone())
                .app_data(readers.clone())
                .app_data(daemon.clone())
                .app_data(limit.clone())
                .app_data(headphones.clone())
                .app_data(plots.clone())
                .app_data(turn.clone())
                .app_data(desk.clone())
                .app_data(update.clone())
                .app_data(spectra.clone())
                .app_data(page.clone())
                .app_data(description.clone())
                .app_data(settings.clone())
                .app_data(store.clone())
                .app_data(web::QueryConfig::default().error_handler(|error, _| {
                    let action = "Correct the query; /api describes what it may say.";
                    Problem::not_accepted(error.to_string(), action).into()
                }))
                .app_data(web::PathConfig::default().error_handler(|error, _| {
                    let action = "Load the list again and choose from it.";
                    Problem::not_accepted(error.to_string(), action).into()
                }))
                .wrap(from_fn(guard))
                .into_utoipa_app()
                .configure(api::routes)
                .into_app()
                .default_service(web::to(page::file))
        };
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
        Ok(Self { places, gate: kept, start: Box::new(start), closing })
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
