//! The optional password: set it, log in, log out.

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Done, Nothing};
use crate::body::Json;
use crate::guard::Gate;
use crate::guard::password::{BROWSER_COOKIE, BROWSER_LASTS, COOKIE, LASTS, Opened};
use crate::problem::Problem;
use crate::settings::Settings;
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
    let visitor = gate.password.visitor(request.headers(), from);
    let opened = gate.password.log_in(visitor, body.0.password).await?;
    Ok(with_cookies(Some(opened)))
}

/// Ends this browser's session.
#[utoipa::path(tag = "session", request_body = Nothing, responses((status = 200, body = Done)))]
#[delete("/session")]
async fn log_out(
    gate: web::Data<Gate>,
    request: HttpRequest,
    _: Json<Nothing>,
) -> Result<HttpResponse, Problem> {
    let headers = request.headers().clone();
    waiting(move || gate.password.log_out(&headers)).await?;
    Ok(with_cookies(None))
}

/// Another password, or none.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    /// The password now set, needed where there is one.
    #[schema(max_length = 256)]
    current: Option<String>,
    /// The new one; null removes the password.
    #[schema(min_length = 8, max_length = 256)]
    new: Option<String>,
}

/// Sets, changes or removes the password. Every session ends; this browser gets a new one.
/// While none is set anybody who reaches the device may set the first one.
#[utoipa::path(tag = "session", request_body = PasswordChange, responses((status = 200, body = Done)))]
#[put("/password")]
async fn change_password(
    gate: web::Data<Gate>,
    settings: web::Data<Settings>,
    request: HttpRequest,
    body: Json<PasswordChange>,
) -> Result<HttpResponse, Problem> {
    let from = peer(&request)?;
    let PasswordChange { current, new } = body.0;
    if new.is_none() {
        may_be_removed(&settings)?;
    }
    let visitor = gate.password.visitor(request.headers(), from);
    gate.password.change(visitor, current, new).await.map(with_cookies)
}

/// Without a password only the USB network is served.
fn may_be_removed(settings: &Settings) -> Result<(), Problem> {
    let names: Vec<_> = settings.other_interfaces().iter().map(ToString::to_string).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::CONFLICT,
        "password-must-stay",
        "The password must stay",
        format!("the page is served on another network, too: {}", names.join(", ")),
        "Take listen.other_interfaces out of /etc/totton-audio/web.d/ and restart \
         totton-audio-web first; or choose another password.",
    ))
}

fn peer(request: &HttpRequest) -> Result<std::net::IpAddr, Problem> {
    let peer = request.peer_addr();
    peer.map(|peer| peer.ip()).ok_or_else(|| Problem::failed("the connection has no address"))
}

/// The answer with the cookies of a session that was opened, or without one.
fn with_cookies(opened: Option<Opened>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    let (session, lasts, browser) = match opened {
        Some(Opened { session, browser }) => (session, LASTS, browser),
        None => (String::new(), std::time::Duration::ZERO, None),
    };
    response.append_header((header::SET_COOKIE, cookie(COOKIE, session, lasts)));
    if let Some(browser) = browser {
        let text = cookie(BROWSER_COOKIE, browser, BROWSER_LASTS);
        response.append_header((header::SET_COOKIE, text));
    }
    response.json(Done {})
}

/// The link has no TLS, so the cookie cannot be `Secure`.
fn cookie(name: &'static str, value: String, lasts: std::time::Duration) -> String {
    Cookie::build(name, value)
        .path("/api/v1")
        .http_only(true)
        .same_site(SameSite::Strict)
        .max_age(Duration::seconds(lasts.as_secs().try_into().unwrap_or(i64::MAX)))
        .finish()
        .to_string()
}
