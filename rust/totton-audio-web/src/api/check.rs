//! The check of the board: `totton-audio-check`, for the page.

use actix_web::{get, web};
use totton_audio_check::Report;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::device::check;
use crate::guard::caller::{Place, Places};
use crate::problem::Problem;
use crate::settings::Settings;
use crate::store::waiting;

/// Checks at the same time, as in totton-audio-check.socket: each is a process.
const AT_ONCE: usize = 2;

/// Of these, for the page alone.
const FOR_THE_PAGE: usize = 1;

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(get_check);
}

/// Who may check now.
pub struct Checks(Places);

impl Default for Checks {
    fn default() -> Self {
        Self(Places::new(AT_ONCE, FOR_THE_PAGE))
    }
}

impl Checks {
    fn place(&self) -> Result<Place, Problem> {
        self.0.take().ok_or_else(check::busy)
    }

    /// Has the board checked.
    ///
    /// # Errors
    /// As [`check::ask`].
    pub async fn ask(&self, settings: web::Data<Settings>) -> Result<Report, Problem> {
        let place = self.place()?;
        // The place is free again once the check has ended, not when its reader has gone.
        waiting(move || {
            let report = check::ask(settings.check_socket());
            drop(place);
            report
        })
        .await
    }
}

/// Goes through what a board has to show, step by step: expected, found, what to do. It changes
/// nothing, and takes some seconds.
#[utoipa::path(tag = "system", responses((status = 200, body = Report)))]
#[get("/check")]
async fn get_check(
    checks: web::Data<Checks>,
    settings: web::Data<Settings>,
) -> Result<web::Json<Report>, Problem> {
    checks.ask(settings).await.map(web::Json)
}
