//! The system's clock, set from the browser's.

use actix_web::{get, put, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::body::Json;
use crate::device::clock::{self, Told};
use crate::guard::Gate;
use crate::problem::Problem;
use crate::settings::Settings;
use crate::store::waiting;

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(get_clock).service(set_clock);
}

/// The device's clock.
#[derive(Serialize, ToSchema)]
struct Clock {
    /// What it shows now: milliseconds since 1970, UTC.
    unix_time_ms: u64,
}

/// Tells the device's time.
#[utoipa::path(tag = "system", responses((status = 200, body = Clock)))]
#[get("/clock")]
async fn get_clock() -> web::Json<Clock> {
    web::Json(Clock { unix_time_ms: clock::unix_ms() })
}

/// What time it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    /// Milliseconds since 1970, UTC: not before the date of the device's software, and at most 20
    /// years after it.
    #[schema(minimum = 0)]
    unix_time_ms: u64,
}

/// What became of it.
#[derive(Serialize, ToSchema)]
struct ClockOutcome {
    /// Whether the clock was set.
    changed: bool,
    /// What it shows now: milliseconds since 1970, UTC.
    unix_time_ms: u64,
}

/// Sets the device's clock, which has no battery and no network time. It is left alone where it
/// differs by less than a minute, and set once a minute at most.
#[utoipa::path(tag = "system", request_body = ClockChange, responses((status = 200, body = ClockOutcome)))]
#[put("/clock")]
async fn set_clock(
    gate: web::Data<Gate>,
    settings: web::Data<Settings>,
    body: Json<ClockChange>,
) -> Result<web::Json<ClockOutcome>, Problem> {
    let told = Told::now(body.0.unix_time_ms)?;
    let changed = waiting(move || {
        let changed = clock::set(settings.power_sockets(), told);
        // Whatever the answer was: it may have come too late.
        gate.password.follow_clock();
        changed
    })
    .await?;
    Ok(web::Json(ClockOutcome { changed, unix_time_ms: clock::unix_ms() }))
}
