//! `/api/v1`: the status, the commands, the events.
//!
//! A command answers with the daemon's status after it.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError, Route, web};
use serde::{Deserialize, Serialize};
use totton_protocol::settings::GAIN_DB;
use totton_protocol::{Command, Status};

use crate::VERSION;
use crate::body::Json;
use crate::daemon::Daemon;
use crate::events::{Source, events};
use crate::problem::Problem;

/// Adds the routes.
pub fn routes(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/api/v1")
            .service(resource("/status", "GET", web::get().to(status)))
            .service(resource("/events", "GET", web::get().to(events)))
            .service(resource("/health", "GET", web::get().to(health)))
            .service(resource("/reload", "POST", web::post().to(reload)))
            .service(resource("/restart-stream", "POST", web::post().to(restart_stream)))
            .service(resource("/mute", "PUT", web::put().to(mute)))
            .service(resource("/gain", "PUT", web::put().to(gain))),
    );
}

/// One path with one method; the others are told which.
fn resource(path: &str, method: &'static str, route: Route) -> actix_web::Resource {
    web::resource(path).route(route).default_service(web::to(
        move |request: HttpRequest| async move {
            let mut response =
                Problem::method_not_allowed(request.method().as_str(), method).error_response();
            response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(method));
            response
        },
    ))
}

/// `GET /status`: the daemon's [`Status`].
async fn status(daemon: web::Data<Daemon>) -> Result<web::Json<Status>, Problem> {
    daemon.call(Command::Status).await.map(web::Json)
}

/// What `GET /health` tells.
#[derive(Serialize)]
struct Health {
    /// Version of this service.
    version: &'static str,
    /// Whether the audio daemon is heard.
    daemon: bool,
    /// Why not.
    reason: Option<String>,
}

/// `GET /health`: 200 while this service works, whatever the daemon does.
async fn health(source: web::Data<Source>) -> HttpResponse {
    let reason = source.away();
    HttpResponse::Ok().json(Health { version: VERSION, daemon: reason.is_none(), reason })
}

/// The body of a command that needs no words: `{}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// `POST /reload`: read configuration and filter again.
async fn reload(daemon: web::Data<Daemon>, _: Json<Nothing>) -> Result<web::Json<Status>, Problem> {
    order(&daemon, Command::Reload).await
}

/// `POST /restart-stream`: close the stream and open it again.
async fn restart_stream(
    daemon: web::Data<Daemon>,
    _: Json<Nothing>,
) -> Result<web::Json<Status>, Problem> {
    order(&daemon, Command::RestartStream).await
}

/// The body of `PUT /mute`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mute {
    mute: bool,
}

/// `PUT /mute`: silence the output, or end the silence.
async fn mute(daemon: web::Data<Daemon>, body: Json<Mute>) -> Result<web::Json<Status>, Problem> {
    order(&daemon, Command::SetMute { mute: body.0.mute }).await
}

/// The body of `PUT /gain`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Gain {
    /// dB, within [`GAIN_DB`].
    gain_db: f64,
}

/// `PUT /gain`: set the gain in dB.
async fn gain(daemon: web::Data<Daemon>, body: Json<Gain>) -> Result<web::Json<Status>, Problem> {
    let gain_db = body.0.gain_db;
    if !GAIN_DB.contains(&gain_db) {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "out-of-range",
            "The value is out of range",
            format!("gain_db is {gain_db}"),
            format!("Send a gain_db from {} to {} (dB).", GAIN_DB.start(), GAIN_DB.end()),
        ));
    }
    order(&daemon, Command::SetGain { gain_db }).await
}

/// Carries out a command that changes something, and says so in the journal.
async fn order(daemon: &Daemon, command: Command) -> Result<web::Json<Status>, Problem> {
    let wanted = format!("{command:?}");
    match daemon.call(command).await {
        Ok(status) => {
            log::info!("done: {wanted}");
            Ok(web::Json(status))
        }
        Err(problem) => {
            log::warn!("not done: {wanted}: {problem}");
            Err(problem)
        }
    }
}
