//! The routes below `/api/v1`, one file for each subject. Each handler states what
//! it takes and gives; [`crate::openapi`] collects that into the API's description.

pub mod backup;
pub mod check;
pub mod clock;
pub mod description;
pub mod diagnostics;
pub mod equaliser;
pub mod filters;
pub mod headphones;
pub mod logs;
pub mod presets;
pub mod releases;
pub mod session;
pub mod settings;
pub mod spectrum;
pub mod stream;
pub mod system;
pub mod update;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::scope;
use utoipa_actix_web::service_config::ServiceConfig;

/// Adds every route.
pub fn routes(config: &mut ServiceConfig) {
    config.service(
        scope::scope("/api/v1")
            .configure(stream::routes)
            .configure(spectrum::routes)
            .configure(settings::routes)
            .configure(equaliser::routes)
            .configure(headphones::routes)
            .configure(filters::routes)
            .configure(presets::routes)
            .configure(backup::routes)
            .configure(system::routes)
            .configure(check::routes)
            .configure(clock::routes)
            .configure(logs::routes)
            .configure(diagnostics::routes)
            .configure(update::routes)
            .configure(releases::routes)
            .configure(session::routes)
            .configure(description::routes),
    );
}

/// The body of a request that needs no words: `{}`.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// The answer where there is nothing to tell: `{}`.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Done {}
