//! The listening sockets.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::Error;

/// Connections the kernel keeps for us while we are busy.
const BACKLOG: i32 = 128;

/// A connection whose data is not acknowledged for so long is dead: the cable
/// was pulled. Without it an event stream would live on for a quarter of an hour.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// Opens one listening socket for each address.
///
/// # Errors
/// [`Error::Listen`] names the address that cannot be used, and what to do.
pub fn open(hosts: &[IpAddr], port: u16) -> Result<Vec<TcpListener>, Error> {
    hosts
        .iter()
        .map(|&host| {
            let address = SocketAddr::new(host, port);
            open_one(address).map_err(|source| Error::Listen {
                address,
                action: action(source.kind()),
                source,
            })
        })
        .collect()
}

fn open_one(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for connections of the old process in TIME_WAIT.
    socket.set_reuse_address(true)?;
    // IP_FREEBIND: the USB link gets its address only when a PC is plugged in.
    match address {
        SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
        SocketAddr::V6(_) => {
            socket.set_freebind_v6(true)?;
            socket.set_only_v6(true)?;
        }
    }
    // Accepted connections inherit this.
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn action(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::PermissionDenied => {
            "ports below 1024 need CAP_NET_BIND_SERVICE (AmbientCapabilities= in the unit), \
             or choose another listen.port"
        }
        ErrorKind::AddrInUse => {
            "another program has this port: `ss -ltnp` names it; stop it, \
             or choose another listen.port"
        }
        _ => "correct listen.hosts and listen.port in the settings",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_not_there_yet_can_be_listened_on() {
        // TEST-NET-1 (RFC 5737) is on no interface.
        let listeners = open(&["192.0.2.1".parse().unwrap()], 0).unwrap();
        assert_eq!(listeners[0].local_addr().unwrap().ip(), IpAddr::from([192, 0, 2, 1]));
    }

    #[test]
    fn a_port_in_use_is_an_error_that_says_what_to_do() {
        let host = IpAddr::from([127, 0, 0, 1]);
        let taken = open(&[host], 0).unwrap();
        let address = taken[0].local_addr().unwrap();
        let text = open(&[host], address.port()).unwrap_err().to_string();
        for part in [&address.to_string(), "ss -ltnp", "listen.port"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
