//! Who may ask, and the headers of every response.
//!
//! The device has no password by default, so any page that the PC's browser
//! opens could try to drive it. Three things stop that:
//!
//! - the `Host` must be a known name, so that a hostile name pointed at the
//!   device (DNS rebinding) gets nothing;
//! - a request that changes something must come from the page itself: `Origin`,
//!   where the browser sends it, equals `Host`, and `Sec-Fetch-Site` agrees;
//! - its body must be JSON or an octet stream, which a page of another origin
//!   cannot send without asking first (CORS preflight), and we never answer that
//!   with yes.
//!
//! [`pace`] limits how often one client may ask, [`password`] is the optional
//! password, [`streams`] ends what was let in before it changed. The page's own
//! files, `/api/v1/health`, `/api/v1/session` and the API's description are open
//! without one.

pub mod pace;
pub mod password;
pub mod streams;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};

use crate::body::essence;
use crate::openapi::{self, Description};
use crate::problem::Problem;
use pace::Pace;
use password::Password;

/// What a browser without a session may ask for below `/api/v1/`.
const OPEN: [&str; 3] = ["/api/v1/health", "/api/v1/session", "/api/v1/openapi.json"];

/// The page loads nothing from elsewhere and runs no inline script.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'";

const SECURITY_HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    (
        header::PERMISSIONS_POLICY,
        "camera=(), microphone=(), geolocation=(), usb=(), serial=(), payment=()",
    ),
];

/// A host as DNS compares it: lower case, no final dot, no brackets.
#[derive(Debug, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// Reads a name or an address without a port.
    pub fn without_port(text: &str) -> Option<Self> {
        let bare = match text.strip_prefix('[') {
            Some(rest) => return Self::v6(rest.strip_suffix(']')?),
            None if text.contains(':') => return Self::v6(text),
            None => text.strip_suffix('.').unwrap_or(text),
        };
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        (!bare.is_empty() && bare.chars().all(known)).then(|| Self(bare.to_ascii_lowercase()))
    }

    /// Reads what a `Host` header or an origin holds: the port is ignored.
    pub fn of_authority(text: &str) -> Option<Self> {
        let end = text.rfind(']').map_or(0, |bracket| bracket + 1);
        match text.get(end..)?.split_once(':') {
            None => Self::without_port(text),
            Some((_, port)) if port.chars().all(|c| c.is_ascii_digit()) => {
                Self::without_port(text.get(..text.len() - port.len() - 1)?)
            }
            Some(_) => None,
        }
    }

    fn v6(text: &str) -> Option<Self> {
        let address: std::net::Ipv6Addr = text.parse().ok()?;
        Some(Self(address.to_string()))
    }

    /// The name itself.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// The names a request may be for.
#[derive(Debug, Clone)]
pub struct AllowedHosts(pub BTreeSet<String>);

impl AllowedHosts {
    fn has(&self, authority: &str) -> bool {
        HostName::of_authority(authority).is_some_and(|name| self.0.contains(&name.0))
    }
}

/// All that decides whether a request passes.
pub struct Gate {
    pub hosts: AllowedHosts,
    pub pace: Pace,
    pub password: Password,
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
        Ok(Pass::For(left)) => {
            let response = next.call(request).await?.map_into_boxed_body();
            streams::end_with(sessions, left, response)
        }
        Ok(Pass::NoSuchMethod) => {
            let refusal = openapi::refuse(request.request(), &description);
            request.into_response(refusal)
        }
        Err(problem) => {
            log::warn!("refused {} {}: {problem}", request.method(), request.path());
            request.into_response(problem.error_response())
        }
    };
    let headers = response.headers_mut();
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
    /// It may last this long.
    For(Duration),
    /// Its path does not have its method.
    NoSuchMethod,
}

/// Whether the request may pass.
fn check(
    request: &ServiceRequest,
    gate: &Gate,
    description: &Description,
) -> Result<Pass, Problem> {
    let host = check_host(request, &gate.hosts)?;
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if let Some(peer) = request.peer_addr() {
        gate.pace.count(peer.ip(), changes, Instant::now())?;
    }
    if changes {
        check_origin(request.headers(), host)?;
        let method = request.method().as_str();
        if description.methods(request.path()).is_some_and(|all| !all.contains(method)) {
            return Ok(Pass::NoSuchMethod);
        }
        check_content_type(request.headers())?;
    }
    let path = request.path();
    if !path.starts_with("/api/v1/") || OPEN.contains(&path) {
        return Ok(Pass::For(Duration::MAX));
    }
    gate.password.lets_in(request.headers()).map(Pass::For).ok_or_else(password::needed)
}

/// The host that the request is for, when it is one of ours.
fn check_host<'a>(request: &'a ServiceRequest, allowed: &AllowedHosts) -> Result<&'a str, Problem> {
    let mut hosts = request.headers().get_all(header::HOST);
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "one-host-needed",
            "The request must name one host",
            "the request has no Host header, or several",
            "Send exactly one Host header.",
        ));
    };
    let host = host.to_str().unwrap_or_default();
    // The absolute form of a request line names a host, too.
    let target = request.uri().authority().map_or(host, |authority| authority.as_str());
    if allowed.has(host) && allowed.has(target) {
        return Ok(host);
    }
    Err(Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "unknown-host",
        "The device does not answer to this name",
        format!("{host:?} is not a name of this device"),
        "Open http://totton-audio.local, or add the name to access.allowed_hosts in \
         /etc/totton-audio/web.d/.",
    ))
}

fn check_origin(headers: &HeaderMap, host: &str) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let same_origin = text("origin").is_none_or(|origin| {
        origin.strip_prefix("http://").is_some_and(|from| from.eq_ignore_ascii_case(host))
    });
    let same_site =
        text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    if same_origin && same_site {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "foreign-origin",
        "Another page may not control the device",
        format!("the request comes from {}", text("origin").unwrap_or("another site")),
        "Use the device's own page.",
    ))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<String> {
        HostName::of_authority(text).map(HostName::into_string)
    }

    #[test]
    fn a_port_a_final_dot_and_capitals_do_not_matter() {
        for text in ["totton-audio.local", "Totton-Audio.LOCAL:8080", "totton-audio.local.:80"] {
            assert_eq!(name(text).as_deref(), Some("totton-audio.local"), "{text}");
        }
        assert_eq!(name("[::1]:80").as_deref(), Some("::1"));
        assert_eq!(name("[0:0::1]").as_deref(), Some("::1"));
    }

    #[test]
    fn what_is_not_a_host_is_none() {
        for text in ["", ":80", "a b", "a@b", "a/b", "a:b", "a:80:80", "[::1", "[::1]x", "[x]"] {
            assert_eq!(name(text), None, "{text}");
        }
    }
}
