//! The journal: read, follow, download.

use actix_web::http::{StatusCode, header};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, get, web};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::device::journal::{Entry, Following, Reading, Wanted};
use crate::events::{HEARTBEAT, HEARTBEAT_EVENT};
use crate::feed::event;
use crate::guard::caller::{Place, Places};
use crate::problem::Problem;

/// Journals read at the same time: each is a process.
const AT_ONCE: usize = 6;

/// Of these, for the page alone.
const FOR_THE_PAGE: usize = 2;

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(get_logs).service(follow_logs).service(download_logs);
}

/// How many may read, and when they must end.
pub struct Readers {
    places: Places,
    closing: watch::Receiver<bool>,
}

impl Readers {
    /// Readers that end when `closing` turns true.
    pub fn new(closing: watch::Receiver<bool>) -> Self {
        Self { places: Places::new(AT_ONCE, FOR_THE_PAGE), closing }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// 503 when too many read.
    pub fn place(&self) -> Result<Place, Problem> {
        self.places.take().ok_or_else(|| {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too-many-readers",
                "Too many pages read the journal",
                format!("at most {AT_ONCE} read it at once"),
                "Close the log on other pages.",
            )
            .retry_after(std::time::Duration::from_secs(3))
        })
    }
}

/// Entries of the journal.
#[derive(Serialize, ToSchema)]
struct Logs {
    /// The oldest first.
    entries: Vec<Entry>,
}

/// The newest entries.
#[utoipa::path(tag = "logs", params(Wanted), responses((status = 200, body = Logs)))]
#[get("/logs")]
async fn get_logs(
    readers: web::Data<Readers>,
    wanted: web::Query<Wanted>,
) -> Result<web::Json<Logs>, Problem> {
    wanted.check()?;
    let _place = readers.place()?;
    Ok(web::Json(Logs { entries: wanted.newest().await? }))
}

struct Follower {
    following: Following,
    closing: watch::Receiver<bool>,
    _place: Place,
}

impl Follower {
    async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            biased;
            _ = self.closing.wait_for(|closing| *closing) => None,
            entry = self.following.next() => event("entry", &entry?).ok(),
            () = tokio::time::sleep(HEARTBEAT) => Some(HEARTBEAT_EVENT),
        }
    }
}

/// The entries from now on, as server-sent events named `entry`.
#[utoipa::path(
    tag = "logs",
    params(Wanted),
    responses((status = 200, body = Entry, content_type = "text/event-stream"))
)]
#[get("/logs/follow")]
async fn follow_logs(
    readers: web::Data<Readers>,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, Problem> {
    wanted.check()?;
    let place = readers.place()?;
    let follower =
        Follower { following: wanted.follow()?, closing: readers.closing.clone(), _place: place };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(stream::unfold(follower, |mut follower| async move {
            let text = follower.next().await?;
            Some((Ok::<_, std::convert::Infallible>(text), follower))
        })))
}

/// The newest 5000 entries as text.
#[utoipa::path(
    tag = "logs",
    params(Wanted),
    responses((status = 200, body = String, content_type = "text/plain"))
)]
#[get("/logs/download")]
async fn download_logs(
    readers: web::Data<Readers>,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, Problem> {
    wanted.check()?;
    let (place, reading) = (readers.place()?, wanted.text()?);
    let lines = stream::unfold((reading, place), |(mut reading, place): (Reading, _)| async move {
        let line = reading.line().await?;
        Some((Ok::<_, std::convert::Infallible>(line), (reading, place)))
    });
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"totton-audio-journal.txt\"",
        ))
        .streaming(lines))
}
