//! The optional password: set it, log in, log out.

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Done, Nothing};
use crate::body::Json;
use crate::guard::Gate;
use crate::guard::password::{COOKIE, LASTS};
use crate::problem::Problem;
use crate::store::waiting;

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(get_session).service(log_in).service(log_out).service(change_password);
}

/// Whether a password is set, and whether this browser has given it.
#[derive(Serialize, ToSchema)]
struct Session {
    /// Whether the device has a password.
    password_set: bool,
    /// Whether this browser may use the API.
    open: bool,
}

/// Tells whether the password is needed.
#[utoipa::path(tag = "session", responses((status = 200, body = Session)))]
#[get("/session")]
async fn get_session(gate: web::Data<Gate>, request: HttpRequest) -> web::Json<Session> {
    web::Json(Session {
        password_set: gate.password.is_set(),
        open: gate.password.lets_in(request.headers()).is_some(),
    })
}

/// The password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LogIn {
    #[schema(max_length = 256)]
    password: String,
}

/// Opens a session: the answer sets its cookie.
#[utoipa::path(tag = "session", request_body = LogIn, responses((status = 200, body = Done)))]
#[post("/session")]
async fn log_in(
    gate: web::Data<Gate>,
    request: HttpRequest,
    body: Json<LogIn>,
) -> Result<HttpResponse, Problem> {
    let from = peer(&request)?;
    let token = waiting(move || gate.password.log_in(from, &body.0.password)).await?;
    Ok(with_cookie(token, Duration::seconds(LASTS.as_secs() as i64)))
}

/// Ends this browser's session.
#[utoipa::path(tag = "session", request_body = Nothing, responses((status = 200, body = Done)))]
#[delete("/session")]
async fn log_out(
    gate: web::Data<Gate>,
    request: HttpRequest,
    _: Json<Nothing>,
) -> Result<HttpResponse, Problem> {
    gate.password.log_out(request.headers())?;
    Ok(with_cookie(String::new(), Duration::ZERO))
}

/// Another password, or none.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    /// The password now set; not looked at while there is none.
    #[schema(max_length = 256)]
    current: Option<String>,
    /// The new one; null removes the password.
    #[schema(min_length = 8, max_length = 256)]
    new: Option<String>,
}

/// Sets, changes or removes the password. Every session ends; this browser gets a new one.
#[utoipa::path(tag = "session", request_body = PasswordChange, responses((status = 200, body = Done)))]
#[put("/password")]
async fn change_password(
    gate: web::Data<Gate>,
    request: HttpRequest,
    body: Json<PasswordChange>,
) -> Result<HttpResponse, Problem> {
    let from = peer(&request)?;
    let PasswordChange { current, new } = body.0;
    let token = waiting(move || {
        gate.password.change(from, current.as_deref(), new.as_deref())?;
        log::info!("the page's password was {}", if new.is_some() { "set" } else { "removed" });
        new.map(|new| gate.password.log_in(from, &new)).transpose()
    })
    .await?;
    Ok(match token {
        Some(token) => with_cookie(token, Duration::seconds(LASTS.as_secs() as i64)),
        None => with_cookie(String::new(), Duration::ZERO),
    })
}

fn peer(request: &HttpRequest) -> Result<std::net::IpAddr, Problem> {
    let peer = request.peer_addr();
    peer.map(|peer| peer.ip()).ok_or_else(|| Problem::failed("the connection has no address"))
}

/// The link has no TLS, so the cookie cannot be `Secure`.
fn with_cookie(token: String, lasts: Duration) -> HttpResponse {
    let cookie = Cookie::build(COOKIE, token)
        .path("/api/v1")
        .http_only(true)
        .same_site(SameSite::Strict)
        .max_age(lasts)
        .finish();
    HttpResponse::Ok().insert_header((header::SET_COOKIE, cookie.to_string())).json(Done {})
}
