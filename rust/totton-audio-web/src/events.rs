//! `GET /api/v1/events`: server-sent events.
//!
//! - `hello` first: `{"version": …, "unix_time_ms": …}`, the version of this service and what
//!   the clock shows;
//! - `telemetry`: a [`totton_protocol::Telemetry`] as it comes, at most 20 a second;
//! - `away`: `{"reason", "action", "silent_seconds"}` while the daemon is silent,
//!   again and again, so that a page can tell a silent daemon from a dead link;
//! - `heartbeat`: `{}`, when nothing else was sent for some seconds. It is an
//!   event, not a comment, because a page's script does not see comments.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, get, web};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::watch;

use crate::VERSION;
use crate::device::clock;
use crate::feed::{self, Events};
use crate::guard::caller::{Place, Places};
use crate::problem::Problem;

/// Longest silence on a stream.
pub const HEARTBEAT: Duration = Duration::from_secs(2);

/// What then breaks it.
pub const HEARTBEAT_EVENT: Bytes = Bytes::from_static(b"event: heartbeat\ndata: {}\n\n");

/// One stream of so many is for the page alone.
const KEPT: usize = 8;

/// What every event stream reads from.
pub struct Source {
    events: Events,
    closing: watch::Receiver<bool>,
    places: Places,
}

impl Source {
    /// Streams of `events`, at most `limit` at once, that end when `closing` turns true.
    pub fn new(events: Events, closing: watch::Receiver<bool>, limit: usize) -> Self {
        Self { events, closing, places: Places::new(limit, limit / KEPT) }
    }

    /// Why the daemon is away; `None` while it is heard.
    pub fn away(&self) -> Option<String> {
        match &*self.events.borrow() {
            Some(event) => event.away.clone(),
            None => Some("the audio daemon has not been heard yet".to_owned()),
        }
    }
}

/// One browser's stream.
struct Stream {
    first: Option<Bytes>,
    events: Events,
    closing: watch::Receiver<bool>,
    _place: Place,
}

#[derive(Serialize)]
struct Hello {
    version: &'static str,
    unix_time_ms: u64,
}

/// What happens, as server-sent events: `hello`, `telemetry`, `away`, `heartbeat`.
#[utoipa::path(
    tag = "stream",
    responses((status = 200, body = totton_protocol::Telemetry, content_type = "text/event-stream"))
)]
#[get("/events")]
pub async fn follow_events(source: web::Data<Source>) -> Result<HttpResponse, Problem> {
    let Some(place) = source.places.take() else {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-many-pages",
            "Too many pages are open",
            "no further page can show live state",
            "Close other tabs that show this page.",
        )
        .retry_after(Duration::from_secs(5)));
    };
    let mut events = source.events.clone();
    // What is known already comes first, then what is new.
    events.mark_changed();
    let hello = feed::event("hello", &Hello { version: VERSION, unix_time_ms: clock::unix_ms() })
        .unwrap_or_default();
    // `retry`: milliseconds until the browser connects again by itself.
    let first = Bytes::from([b"retry: 1000\n\n".as_slice(), &hello].concat());
    let stream =
        Stream { first: Some(first), events, closing: source.closing.clone(), _place: place };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(stream::unfold(stream, |mut stream| async move {
            let text = stream.next().await?;
            Some((Ok::<_, Infallible>(text), stream))
        })))
}

impl Stream {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            tokio::select! {
                biased;
                _ = self.closing.wait_for(|closing| *closing) => return None,
                changed = self.events.changed() => {
                    changed.ok()?;
                    if let Some(event) = &*self.events.borrow_and_update() {
                        return Some(event.text.clone());
                    }
                }
                () = tokio::time::sleep(HEARTBEAT) => {
                    return Some(HEARTBEAT_EVENT);
                }
            }
        }
    }
}
