//! What this API is.

use actix_web::{HttpResponse, get, web};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::openapi::Description;

/// Adds the route.
pub fn routes(config: &mut ServiceConfig) {
    config.service(get_description);
}

/// This description.
#[utoipa::path(
    tag = "description",
    responses((status = 200, body = Object, content_type = "application/json"))
)]
#[get("/openapi.json")]
async fn get_description(description: web::Data<Description>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(description.json())
}
