//! Who may ask, and the headers of every response.
//!
//! The device has no password by default, so any page that the PC's browser
//! opens could try to drive it. What stops that, in this order:
//!
//! - [`host`]: the `Host` must be a known name, or the address that the connection arrived
//!   at, against DNS rebinding;
//! - [`origin`]: what a browser says comes from another page is refused;
//! - [`caller`]: a browser that asks the API must bring the page's cookie, which it
//!   does not send for another page;
//! - [`pace`]: each kind of caller has a pace of its own, so that a stranger's flood
//!   takes nothing from the page. What is refused before is not counted at all, and
//!   neither are the page's own files, which cost no more than a refusal;
//! - a body must be JSON or an octet stream, which a page of another origin cannot
//!   send without asking first (CORS preflight), and we never answer that with yes.
//!
//! [`policy`] tells the browser what the page may do. [`password`] is the optional password,
//! [`streams`] ends what was let in before it changed, [`log_pace`] bounds the log. The page's own
//! files, `/api/v1/health`, `/api/v1/session` and the API's description are open without one.

pub mod caller;
pub mod hashing;
pub mod host;
pub mod keeper;
pub mod lockout;
pub mod log_pace;
pub mod origin;
pub mod pace;
pub mod password;
pub mod policy;
pub mod sessions;
pub mod steady;
pub mod streams;
pub mod token;

use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};

use crate::body::essence;
use crate::cookie::SET_PAGE;
use crate::openapi::{self, Description};
use crate::page;
use crate::problem::Problem;
use caller::Caller;
pub use host::{AllowedHosts, HostName, note_arrival};
use log_pace::LogPace;
use pace::Pace;
use password::Password;
use policy::Policy;

/// What may be asked for without a session, besides the page's own files.
const OPEN: [&str; 3] = ["/api/v1/health", "/api/v1/session", "/api/v1/openapi.json"];

const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    (
        header::PERMISSIONS_POLICY,
        "camera=(), microphone=(), geolocation=(), usb=(), serial=(), payment=()",
    ),
];

/// All that decides whether a request passes.
pub struct Gate {
    pub hosts: AllowedHosts,
    pub pace: Pace,
    pub password: Password,
    pub log: LogPace,
    pub policy: Policy,
}

/// The middleware: refuses what may not pass, and adds the security headers to
/// every response, refusals included.
///
/// # Errors
/// Only those of the services behind it.
pub async fn guard<B: MessageBody + 'static>(
    gate: web::Data<Gate>,
    description: web::Data<Description>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    // Before the check: what changes after it must not be missed.
    let sessions = gate.password.sessions();
    let mut response = match check(&request, &gate, &description) {
        Ok(Pass::For(left, caller)) => {
            let response = caller.asks(next.call(request)).await?.map_into_boxed_body();
            streams::end_with(sessions, left, response)
        }
        Ok(Pass::NoSuchMethod) => {
            let refusal = openapi::refuse(request.request(), &description);
            request.into_response(refusal)
        }
        Err(problem) => {
            let line = || format!("refused {} {}: {problem}", request.method(), request.path());
            gate.log.warn(Instant::now(), line);
            let mut refusal = problem.error_response();
            if problem.kind() == origin::PAGE_NEEDED {
                // A page of ours that is open already, of the version before or with its cookies
                // cleared, has it for its next request. A browser does not take it for another
                // page's request.
                refusal.headers_mut().insert(header::SET_COOKIE, SET_PAGE);
            }
            request.into_response(refusal)
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, gate.policy.header());
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

/// What a request that is not refused may do.
enum Pass {
    /// It may last this long, for this caller.
    For(Duration, Caller),
    /// Its path does not have its method.
    NoSuchMethod,
}

/// Whether the request may pass.
fn check(
    request: &ServiceRequest,
    gate: &Gate,
    description: &Description,
) -> Result<Pass, Problem> {
    let host = host::check(request, &gate.hosts)?;
    let (headers, method) = (request.headers(), request.method());
    // As the router reads it: `/%61pi` is `/api` there.
    let path = request.match_info().as_str();
    origin::check(headers, host, method, path)?;
    let session = gate.password.session(headers);
    let left = session.as_ref().map(|(_, left)| *left);
    let caller = Caller::of(headers, session.map(|(digest, _)| digest));
    // Not "below /api": what is not known to be open is closed.
    let open = page::has(path);
    if !open && caller == Caller::Stranger && Caller::is_browser(headers) {
        return Err(origin::page_needed());
    }
    let changes = !matches!(*method, Method::GET | Method::HEAD);
    if let Some(peer) = request.peer_addr().filter(|_| changes || !open) {
        gate.pace.count(&caller, peer.ip(), changes, Instant::now())?;
    }
    if changes {
        if description.methods(path).is_some_and(|all| !all.contains(method.as_str())) {
            return Ok(Pass::NoSuchMethod);
        }
        check_content_type(headers)?;
    }
    if open || OPEN.contains(&path) || !gate.password.is_set() {
        return Ok(Pass::For(Duration::MAX, caller));
    }
    let left = left.ok_or_else(password::needed)?;
    Ok(Pass::For(left, caller))
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let found = essence(headers);
    let accepted = ["application/json", "application/octet-stream"];
    if accepted.iter().any(|accepted| found.eq_ignore_ascii_case(accepted)) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "json-needed",
        "The request must be JSON",
        format!("the content type is {found:?}"),
        "Send Content-Type: application/json; a file goes as application/octet-stream.",
    ))
}
