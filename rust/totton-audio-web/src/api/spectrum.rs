//! `GET /api/v1/spectrum`: what plays by frequency, as server-sent events. The
//! daemon is asked only while somebody listens, once for all who do.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, get, web};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::watch;
use totton_protocol::{Answer, Command, Spectrum};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::daemon::{Daemon, unexpected};
use crate::events::{HEARTBEAT, HEARTBEAT_EVENT};
use crate::feed::event;
use crate::guard::caller::{Caller, Place, Places};
use crate::problem::Problem;

/// Time between two spectra.
const INTERVAL: Duration = Duration::from_millis(66);

/// Time between two looks whether somebody listens.
const LOOK: Duration = Duration::from_millis(150);

/// Pages that show the spectrum at the same time.
const AT_ONCE: usize = 16;

/// Of these, for the device's own page alone.
const FOR_THE_PAGE: usize = 4;

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(follow_spectrum);
}

/// What comes in and goes out by frequency.
#[derive(Serialize, ToSchema)]
struct Both {
    input: Spectrum,
    output: Spectrum,
}

/// Why there is none.
#[derive(Serialize)]
struct Unavailable {
    reason: String,
}

/// The newest spectrum for all who listen.
pub struct Spectra {
    newest: watch::Receiver<Bytes>,
    closing: watch::Receiver<bool>,
    places: Arc<Places>,
}

impl Spectra {
    /// Starts the task that asks the daemon; it ends when `closing` turns true.
    pub fn start(daemon: web::Data<Daemon>, closing: watch::Receiver<bool>) -> Self {
        let (sender, newest) = watch::channel(Bytes::new());
        let places = Arc::new(Places::new(AT_ONCE, FOR_THE_PAGE));
        let (listening, mut closed) = (Arc::clone(&places), closing.clone());
        actix_web::rt::spawn(async move {
            let asking = async {
                loop {
                    if listening.all_free() {
                        tokio::time::sleep(LOOK).await;
                        continue;
                    }
                    let text = match Caller::Page.asks(look(&daemon)).await {
                        Ok(Some(spectra)) => event("spectrum", &spectra),
                        Ok(None) => event("nothing", &serde_json::json!({})),
                        Err(problem) => {
                            let reason = problem.detail().to_owned();
                            event("unavailable", &Unavailable { reason })
                        }
                    };
                    if let Ok(text) = text {
                        sender.send_replace(text);
                    }
                    tokio::time::sleep(INTERVAL).await;
                }
            };
            tokio::select! {
                () = asking => {}
                _ = closed.wait_for(|closing| *closing) => {}
            }
        });
        Self { newest, closing, places }
    }
}

async fn look(daemon: &Daemon) -> Result<Option<Both>, Problem> {
    match daemon.ask(Command::Spectrum).await? {
        Answer::Spectrum { input: Some(input), output: Some(output) } => {
            Ok(Some(Both { input, output }))
        }
        Answer::Spectrum { .. } => Ok(None),
        answer => Err(unexpected("spectrum", answer)),
    }
}

struct Listener {
    newest: watch::Receiver<Bytes>,
    closing: watch::Receiver<bool>,
    _place: Place,
}

impl Listener {
    async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            biased;
            _ = self.closing.wait_for(|closing| *closing) => None,
            changed = self.newest.changed() => {
                changed.ok()?;
                Some(self.newest.borrow_and_update().clone())
            }
            () = tokio::time::sleep(HEARTBEAT) => Some(HEARTBEAT_EVENT),
        }
    }
}

/// What plays by frequency, fifteen times a second, as server-sent events: `spectrum`; `nothing`
/// while no stream is open; or `unavailable` with a reason.
#[utoipa::path(
    tag = "stream",
    responses((status = 200, body = Both, content_type = "text/event-stream"))
)]
#[get("/spectrum")]
async fn follow_spectrum(spectra: web::Data<Spectra>) -> Result<HttpResponse, Problem> {
    let Some(place) = spectra.places.take() else {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-many-pages",
            "Too many pages show the spectrum",
            format!("at most {AT_ONCE} show it at once"),
            "Close the spectrum on other pages.",
        )
        .retry_after(Duration::from_secs(3)));
    };
    let listener = Listener {
        newest: spectra.newest.clone(),
        closing: spectra.closing.clone(),
        _place: place,
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(stream::unfold(listener, |mut listener| async move {
            let text = listener.next().await?;
            Some((Ok::<_, Infallible>(text), listener))
        })))
}
