//! Puts the parts together, serves, stops on SIGTERM.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::body::BodyLimit;
use crate::daemon::Daemon;
use crate::error::Error;
use crate::events::Source;
use crate::guard::{AllowedHosts, guard};
use crate::page::{self, Page};
use crate::settings::Settings;
use crate::{api, feed, listen};

/// Threads that serve; the work is light, and the cores are the audio's.
const WORKERS: usize = 2;

/// Connections of one worker; a few browsers need a handful each.
const CONNECTIONS: usize = 512;

/// The headers of a request must be here after so long.
const HEADERS: Duration = Duration::from_secs(5);

/// Whole seconds that requests under way get when the service stops.
const GRACE_SECONDS: u64 = 1;

/// A server with its sockets open; it serves when [`server`](Self::server) is awaited.
pub struct Service {
    pub server: Server,
    pub addresses: Vec<SocketAddr>,
    /// Set to true before the server is stopped: event streams would hold it.
    pub closing: watch::Sender<bool>,
}

impl Service {
    /// Opens the sockets and starts to listen to the daemon.
    ///
    /// # Errors
    /// When a socket or a thread cannot be made.
    pub fn open(settings: &Settings) -> Result<Self, Error> {
        let listeners = listen::open(settings.hosts(), settings.port())?;
        let addresses = listeners
            .iter()
            .map(TcpListener::local_addr)
            .collect::<Result<_, _>>()
            .map_err(|source| Error::Serve { source })?;
        let (closing, closed) = watch::channel(false);
        let events = feed::start(settings)?;
        let source = web::Data::new(Source::new(events, closed, settings.max_event_streams()));
        let daemon = web::Data::new(Daemon::new(settings));
        let allowed = web::Data::new(AllowedHosts(settings.allowed_hosts()));
        let limit = web::Data::new(BodyLimit(settings.max_body_bytes()));
        let page = web::Data::new(Page::new().map_err(|source| Error::Serve { source })?);
        let mut server = HttpServer::new(move || {
            App::new()
                .app_data(source.clone())
                .app_data(daemon.clone())
                .app_data(allowed.clone())
                .app_data(limit.clone())
                .app_data(page.clone())
                .wrap(from_fn(guard))
                .configure(api::routes)
                .default_service(web::to(page::file))
        })
        .workers(WORKERS)
        .max_connections(CONNECTIONS)
        .client_request_timeout(HEADERS)
        .shutdown_timeout(GRACE_SECONDS)
        .disable_signals();
        for listener in listeners {
            server = server.listen(listener).map_err(|source| Error::Serve { source })?;
        }
        Ok(Self { server: server.run(), addresses, closing })
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
    let Service { server, addresses, closing } = Service::open(settings)?;
    let handle = server.handle();
    let serving = actix_web::rt::spawn(server);
    let links: Vec<_> = addresses.iter().map(|address| format!("http://{address}")).collect();
    log::info!("listening on {}", links.join(" "));
    tokio::select! {
        _ = terminate.recv() => log::info!("stopping: SIGTERM"),
        _ = interrupt.recv() => log::info!("stopping: SIGINT"),
        ended = serving => {
            let source = match ended {
                Ok(Err(source)) => source,
                Ok(Ok(())) => std::io::Error::other("without a reason"),
                Err(error) => std::io::Error::other(error),
            };
            return Err(Error::Serve { source });
        }
    }
    closing.send_replace(true);
    handle.stop(true).await;
    Ok(())
}
