//! The names that a request may be for: a known name, or the very address that the
//! connection arrived at. A hostile name that is pointed at the device (DNS rebinding) gets
//! nothing; an address cannot be pointed anywhere.

use std::any::Any;
use std::collections::BTreeSet;
use std::net::IpAddr;

use actix_web::dev::{Extensions, ServiceRequest};
use actix_web::http::{StatusCode, header};
use actix_web::rt::net::TcpStream;

use crate::problem::Problem;

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
        (!bare.is_empty() && !bare.ends_with('.') && bare.chars().all(known))
            .then(|| Self(bare.to_ascii_lowercase()))
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
    /// Whether a request may be for this host, on a connection that arrived there.
    fn has(&self, authority: &str, arrival: Option<&Arrival>) -> bool {
        HostName::of_authority(authority).is_some_and(|name| {
            let address = arrival.map(|Arrival(address)| address.to_canonical().to_string());
            self.0.contains(&name.0) || address.is_some_and(|address| address == name.0)
        })
    }
}

/// The address of this device that a connection arrived at.
struct Arrival(IpAddr);

/// Keeps a new connection's [`Arrival`] with it.
pub fn note_arrival(connection: &dyn Any, data: &mut Extensions) {
    let stream = connection.downcast_ref::<TcpStream>();
    if let Some(Ok(address)) = stream.map(TcpStream::local_addr) {
        data.insert(Arrival(address.ip()));
    }
}

/// The host that the request is for, when it is one of ours.
///
/// # Errors
/// 400 for none or several, 421 for one that is not ours.
pub fn check<'a>(request: &'a ServiceRequest, allowed: &AllowedHosts) -> Result<&'a str, Problem> {
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
    let arrival = request.conn_data::<Arrival>();
    if allowed.has(host, arrival) && allowed.has(target, arrival) {
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
        for text in [
            "", ".", "..", "a..", "a..:80", ":80", "a b", "a@b", "a/b", "a:b", "a:80:80", "[::1",
            "[::1]x", "[x]",
        ] {
            assert_eq!(name(text), None, "{text}");
        }
    }
}
