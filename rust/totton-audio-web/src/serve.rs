//! One HTTP server for each network interface, for as long as the interface is there.
//!
//! A listening socket hears the very interface that it was bound to. When the gadget is set up
//! anew, or a Wi-Fi adapter is pulled, the interface that comes back is another one of the same
//! name: the old sockets stay deaf. So they are closed with their connections, and new ones are
//! opened. Each interface has its own worker threads and its own limit of connections: whoever
//! floods one leaves the others their share.
//!
//! A network beside the USB network is served only while a password is set. The USB network is
//! served all the same: it is where a password is set, the first one and the one after a reset.

use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::Server;
use tokio::sync::watch;

use crate::error::Error;
use crate::guard::password::Password;
use crate::listen::{Listeners, Place};

/// How often an interface is looked for.
const LOOK: Duration = Duration::from_millis(500);

/// Serves a place until `closing` becomes true. `listeners` are its sockets, where the
/// interface is there and may be served already; `start` makes the server.
///
/// # Errors
/// When a socket cannot be opened, or the server ends by itself.
pub async fn serve(
    place: Place,
    mut listeners: Option<Listeners>,
    password: &Password,
    start: impl Fn(Vec<TcpListener>) -> std::io::Result<Server>,
    mut closing: watch::Receiver<bool>,
) -> Result<(), Error> {
    let failed = |source| Error::Serve { source };
    let may = || !place.needs_password || password.is_set();
    loop {
        if !may() {
            log::error!(
                "the page is not served on {} (listen.other_interfaces): no password is set, and \
                 anybody there could control the device; set one on the page over USB (System)",
                place.interface
            );
            tokio::select! {
                () = until(may) => {}
                () = told(&mut closing) => return Ok(()),
            }
        }
        let attached = match listeners.take() {
            Some(attached) => attached,
            None => {
                log::info!("the network interface {} is not there: waiting", place.interface);
                let found = tokio::select! {
                    found = found(&place) => found?,
                    () = told(&mut closing) => return Ok(()),
                };
                log::info!("listening on {}", links(&found)?);
                found
            }
        };
        let server = start(attached.duplicates().map_err(failed)?).map_err(failed)?;
        let handle = server.handle();
        let serving = actix_web::rt::spawn(server);
        tokio::select! {
            ended = serving => return Err(failed(reason(ended))),
            () = told(&mut closing) => {
                handle.stop(true).await;
                return Ok(());
            }
            () = until(|| !attached.are_attached() || !may()) => {}
        }
        if may() {
            log::warn!(
                "the network interface {} is gone, its connections with it",
                place.interface
            );
        }
        handle.stop(false).await;
    }
}

/// The sockets as links, for the log.
///
/// # Errors
/// When the kernel does not tell their addresses.
pub fn links(listeners: &Listeners) -> Result<String, Error> {
    let addresses = listeners.addresses().map_err(|source| Error::Serve { source })?;
    let links: Vec<_> = addresses.iter().map(|address| format!("http://{address}")).collect();
    Ok(links.join(" "))
}

/// Until `closing` is true, or nobody can say so any more.
async fn told(closing: &mut watch::Receiver<bool>) {
    // The guard that it returns must not outlive it.
    let _ = closing.wait_for(|closing| *closing).await;
}

async fn found(place: &Place) -> Result<Listeners, Error> {
    loop {
        if let Some(listeners) = Listeners::open(place)? {
            return Ok(listeners);
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(LOOK).await;
    }
}

fn reason(ended: Result<std::io::Result<()>, tokio::task::JoinError>) -> std::io::Error {
    match ended {
        Ok(Err(source)) => source,
        Ok(Ok(())) => std::io::Error::other("without a reason"),
        Err(error) => std::io::Error::other(error),
    }
}
