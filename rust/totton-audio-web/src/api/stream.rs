//! The status, the events, and what is done to the stream at once.
//!
//! A command answers with the daemon's status after it.

use actix_web::{get, post, put, web};
use serde::{Deserialize, Serialize};
use totton_protocol::{Command, Status};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::Nothing;
use crate::VERSION;
use crate::body::Json;
use crate::daemon::Daemon;
use crate::events::{self, Source};
use crate::problem::Problem;

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(get_status)
        .service(events::follow_events)
        .service(get_health)
        .service(reload)
        .service(restart_stream)
        .service(reset_overs)
        .service(set_mute)
        .service(set_gain);
}

/// What the audio daemon is doing.
#[utoipa::path(tag = "stream", responses((status = 200, body = Status)))]
#[get("/status")]
async fn get_status(daemon: web::Data<Daemon>) -> Result<web::Json<Status>, Problem> {
    daemon.call(Command::Status).await.map(web::Json)
}

/// How this service is.
#[derive(Serialize, ToSchema)]
struct Health {
    /// Version of this service.
    version: &'static str,
    /// Whether the audio daemon is heard.
    daemon: bool,
    /// Why not.
    reason: Option<String>,
}

/// Whether this service works: 200 whatever the daemon does.
#[utoipa::path(tag = "stream", responses((status = 200, body = Health)))]
#[get("/health")]
async fn get_health(source: web::Data<Source>) -> web::Json<Health> {
    let reason = source.away();
    web::Json(Health { version: VERSION, daemon: reason.is_none(), reason })
}

/// Reads configuration and filter again; the old ones stay if the new ones are bad.
#[utoipa::path(tag = "stream", request_body = Nothing, responses((status = 200, body = Status)))]
#[post("/reload")]
async fn reload(daemon: web::Data<Daemon>, _: Json<Nothing>) -> Result<web::Json<Status>, Problem> {
    daemon.order(Command::Reload).await.map(web::Json)
}

/// Closes the stream and opens it again.
#[utoipa::path(tag = "stream", request_body = Nothing, responses((status = 200, body = Status)))]
#[post("/restart-stream")]
async fn restart_stream(
    daemon: web::Data<Daemon>,
    _: Json<Nothing>,
) -> Result<web::Json<Status>, Problem> {
    daemon.order(Command::RestartStream).await.map(web::Json)
}

/// Counts what is beyond full scale anew.
#[utoipa::path(tag = "stream", request_body = Nothing, responses((status = 200, body = Status)))]
#[post("/reset-overs")]
async fn reset_overs(
    daemon: web::Data<Daemon>,
    _: Json<Nothing>,
) -> Result<web::Json<Status>, Problem> {
    daemon.order(Command::ResetOvers).await.map(web::Json)
}

/// Silence or sound.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetMute {
    mute: bool,
}

/// Silences the output, or ends the silence.
#[utoipa::path(tag = "stream", request_body = SetMute, responses((status = 200, body = Status)))]
#[put("/mute")]
async fn set_mute(
    daemon: web::Data<Daemon>,
    body: Json<SetMute>,
) -> Result<web::Json<Status>, Problem> {
    daemon.order(Command::SetMute { mute: body.0.mute }).await.map(web::Json)
}

/// The volume.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetGain {
    /// dB.
    #[schema(minimum = -120, maximum = 0)]
    gain_db: f64,
}

/// Sets the volume.
#[utoipa::path(tag = "stream", request_body = SetGain, responses((status = 200, body = Status)))]
#[put("/gain")]
async fn set_gain(
    daemon: web::Data<Daemon>,
    body: Json<SetGain>,
) -> Result<web::Json<Status>, Problem> {
    let gain_db = body.0.gain_db;
    if !(-120.0..=0.0).contains(&gain_db) {
        return Err(Problem::new(
            actix_web::http::StatusCode::UNPROCESSABLE_ENTITY,
            "out-of-range",
            "The value is out of range",
            format!("gain_db is {gain_db}"),
            "Send a gain_db from -120 to 0 (dB).",
        ));
    }
    daemon.order(Command::SetGain { gain_db }).await.map(web::Json)
}
