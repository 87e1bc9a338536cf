//! The listening sockets: each is bound to a network interface, and to an address there.
//!
//! An address alone would not do: Linux takes a packet for any of its addresses on any of its
//! interfaces (the weak end system model of RFC 1122, 3.3.4.2), so a neighbour on another
//! network could reach the page that is meant for the USB link.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{Error as IoError, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::Duration;

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use crate::error::Error;

/// Connections the kernel keeps for us while we are busy.
const BACKLOG: i32 = 128;

/// A connection whose data is not acknowledged for so long is dead: the cable
/// was pulled. Without it an event stream would live on for a quarter of an hour.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// The name of a network interface, as the kernel accepts one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interface(String);

impl Interface {
    /// Bytes of the longest name (IFNAMSIZ without its final zero).
    const LONGEST: usize = 15;

    /// Reads a name.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=Self::LONGEST).contains(&text.len()) && text != "." && text != "..";
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | ':');
        (fits && text.chars().all(plain)).then(|| Self(text.to_owned()))
    }

    /// The device's own.
    pub fn loopback() -> Self {
        Self("lo".to_owned())
    }

    /// The device's end of the USB link, as 20-totton-audio-usb.network names it.
    pub fn usb() -> Self {
        Self("usb0".to_owned())
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is to be listened on, on one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub interface: Interface,
    pub addresses: BTreeSet<IpAddr>,
    pub port: u16,
    /// Served only while a password is set.
    pub needs_password: bool,
}

/// The sockets of a [`Place`] whose interface is there.
#[must_use]
pub struct Listeners {
    interface: Interface,
    sockets: Vec<Socket>,
}

impl Listeners {
    /// Opens one socket for each address; `None` while there is no such interface.
    ///
    /// # Errors
    /// [`Error::Listen`] names the address that cannot be used, and what to do.
    pub fn open(place: &Place) -> Result<Option<Self>, Error> {
        let mut sockets = Vec::new();
        for &host in &place.addresses {
            let address = SocketAddr::new(host, place.port);
            match open_one(&place.interface, address) {
                Ok(socket) => sockets.push(socket),
                Err(error) if error.raw_os_error() == Some(Errno::ENODEV as i32) => {
                    return Ok(None);
                }
                Err(source) => {
                    return Err(Error::Listen { address, action: action(source.kind()), source });
                }
            }
        }
        let listeners = Self { interface: place.interface.clone(), sockets };
        // Another interface may have taken the name between two sockets.
        Ok(listeners.are_attached().then_some(listeners))
    }

    /// Whether the sockets still hear. They are bound to the interface's index: a new interface
    /// of the same name has another, and the kernel then finds none for the old one (ENODEV).
    pub fn are_attached(&self) -> bool {
        let name = self.interface.0.as_bytes();
        self.sockets
            .iter()
            .all(|socket| matches!(socket.device(), Ok(Some(device)) if device == name))
    }

    /// The addresses, with the port that was taken.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn addresses(&self) -> Result<Vec<SocketAddr>, IoError> {
        let address = |socket: &Socket| {
            socket.local_addr()?.as_socket().ok_or_else(|| IoError::from(ErrorKind::Unsupported))
        };
        self.sockets.iter().map(address).collect()
    }

    /// The same sockets for the one who accepts connections.
    ///
    /// # Errors
    /// When there are no file descriptors left.
    pub fn duplicates(&self) -> Result<Vec<TcpListener>, IoError> {
        self.sockets.iter().map(|socket| Ok(socket.try_clone()?.into())).collect()
    }
}

fn open_one(interface: &Interface, address: SocketAddr) -> Result<Socket, IoError> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Needs no capability for a socket that is bound to no interface yet (Linux 5.7).
    socket.bind_device(Some(interface.0.as_bytes()))?;
    // A restart must not wait for connections of the old process in TIME_WAIT.
    socket.set_reuse_address(true)?;
    // IP_FREEBIND: an interface may get its address later than its name.
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
    Ok(socket)
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

    fn place(interface: &str, address: &str, port: u16) -> Place {
        let interface = Interface::new(interface).unwrap();
        Place {
            interface,
            addresses: [address.parse().unwrap()].into(),
            port,
            needs_password: false,
        }
    }

    #[test]
    fn an_address_that_is_not_there_yet_can_be_listened_on() {
        // TEST-NET-1 (RFC 5737) is on no interface.
        let listeners = Listeners::open(&place("lo", "192.0.2.1", 0)).unwrap().unwrap();
        let address = listeners.addresses().unwrap()[0];
        assert_eq!(address.ip(), IpAddr::from([192, 0, 2, 1]));
        assert!(listeners.are_attached());
    }

    #[test]
    fn an_interface_that_is_not_there_is_no_error() {
        assert!(Listeners::open(&place("none7", "192.0.2.1", 0)).unwrap().is_none());
    }

    #[test]
    fn a_port_in_use_is_an_error_that_says_what_to_do() {
        let taken = Listeners::open(&place("lo", "127.0.0.1", 0)).unwrap().unwrap();
        let address = taken.addresses().unwrap()[0];
        let again = Listeners::open(&place("lo", "127.0.0.1", address.port()));
        let text = again.map(|_| ()).unwrap_err().to_string();
        for part in [&address.to_string(), "ss -ltnp", "listen.port"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn what_the_kernel_refuses_as_a_name_is_no_interface() {
        for good in ["usb0", "wlan0", "enp0s1f2", "eth0.7", "a", "abcdefghijklmno"] {
            assert!(Interface::new(good).is_some(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "eth0:1", "two words", "abcdefghijklmnop", "größe", "a\0"]
        {
            assert!(Interface::new(bad).is_none(), "{bad:?}");
        }
    }
}
