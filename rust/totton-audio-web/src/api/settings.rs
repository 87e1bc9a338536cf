//! The daemon's settings, the DACs.

use actix_web::{get, patch, web};
use serde::{Deserialize, Serialize};
use totton_protocol::{Answer, Command, Dac, DacChoice};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::body::Json;
use crate::daemon::{CurrentSettings, Daemon, unexpected};
use crate::problem::Problem;

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(get_settings).service(change_settings).service(get_dacs);
}

/// What a listener can set.
#[utoipa::path(tag = "settings", responses((status = 200, body = CurrentSettings)))]
#[get("/settings")]
async fn get_settings(daemon: web::Data<Daemon>) -> Result<web::Json<CurrentSettings>, Problem> {
    daemon.settings(Command::Settings).await.map(web::Json)
}

/// Changes some settings by a JSON merge patch (RFC 7396): null puts a setting back to its
/// default. All is taken or nothing. A DAC and a filter are chosen from their lists.
#[utoipa::path(
    tag = "settings",
    request_body(content = Object, content_type = "application/json"),
    responses((status = 200, body = CurrentSettings))
)]
#[patch("/settings")]
async fn change_settings(
    daemon: web::Data<Daemon>,
    body: Json<serde_json::Map<String, serde_json::Value>>,
) -> Result<web::Json<CurrentSettings>, Problem> {
    let changes = body.0;
    // What is no DAC goes no further: alsa-lib's other names run commands.
    if let Some(dac) = changes.get("dac").filter(|dac| !dac.is_null()) {
        DacChoice::deserialize(dac).map_err(|error| {
            Problem::not_accepted(format!("dac: {error}"), "Choose a DAC from the list.")
        })?;
    }
    // A client chooses among what there is: no path of its own reaches the daemon.
    if let Some(filter) = changes.get("filter").filter(|filter| !filter.is_null()) {
        let filters = super::filters::choices(&daemon).await?;
        if !filters.iter().any(|choice| choice.path == *filter) {
            return Err(Problem::no_such("filter", &filter.to_string()));
        }
    }
    if changes.contains_key("equaliser") {
        return Err(Problem::not_accepted(
            "the equaliser has two sides, which this request does not know",
            "Use PUT /api/v1/equaliser.",
        ));
    }
    daemon.settings(Command::ChangeSettings { changes }).await.map(web::Json)
}

/// The DACs.
#[derive(Serialize, ToSchema)]
struct Dacs {
    dacs: Vec<Dac>,
}

/// The sound cards that can play.
#[utoipa::path(tag = "settings", responses((status = 200, body = Dacs)))]
#[get("/dacs")]
async fn get_dacs(daemon: web::Data<Daemon>) -> Result<web::Json<Dacs>, Problem> {
    match daemon.ask(Command::Dacs).await? {
        Answer::Dacs { dacs } => Ok(web::Json(Dacs { dacs })),
        answer => Err(unexpected("dacs", answer)),
    }
}
