//! The device: services, boot, board; restart and power off.

use actix_web::{get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::Done;
use crate::VERSION;
use crate::body::Json;
use crate::device::board::{self, Board};
use crate::device::power;
use crate::device::units::{self, Milestone, Unit};
use crate::problem::Problem;
use crate::settings::Settings;
use crate::store::waiting;

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(get_system).service(switch_power);
}

/// The device beside the sound.
#[derive(Serialize, ToSchema)]
pub struct System {
    /// Version of this service; the image's services are released together.
    version: &'static str,
    board: Board,
    /// The three services; empty where systemd cannot be asked.
    services: Vec<Unit>,
    /// The boot's milestones, seconds from the kernel's start.
    boot: Vec<Milestone>,
    /// Why systemd cannot be asked.
    services_problem: Option<String>,
}

/// Reads it all; waits for systemd.
pub fn read(settings: &Settings) -> System {
    let (services, boot, services_problem) = match units::ask() {
        Ok((services, boot)) => (services, boot, None),
        Err(problem) => (Vec::new(), Vec::new(), Some(problem.detail().to_owned())),
    };
    let board = board::read(settings.data_folder());
    System { version: VERSION, board, services, boot, services_problem }
}

/// Services, boot milestones, temperatures, memory and disk.
#[utoipa::path(tag = "system", responses((status = 200, body = System)))]
#[get("/system")]
async fn get_system(settings: web::Data<Settings>) -> Result<web::Json<System>, Problem> {
    waiting(move || Ok(read(&settings))).await.map(web::Json)
}

/// What to switch.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Switch {
    #[serde(rename = "do")]
    request: power::Request,
}

/// Restarts the device or its audio service, or switches the device off.
#[utoipa::path(tag = "system", request_body = Switch, responses((status = 200, body = Done)))]
#[post("/power")]
async fn switch_power(
    settings: web::Data<Settings>,
    body: Json<Switch>,
) -> Result<web::Json<Done>, Problem> {
    let request = body.0.request;
    log::info!("asking systemd: {request:?}");
    waiting(move || power::ask(settings.power_sockets(), request)).await?;
    Ok(web::Json(Done {}))
}
