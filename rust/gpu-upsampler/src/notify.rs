//! Telling systemd how the service is (`sd_notify(3)`).
//!
//! The socket is a value, not the process's environment, so that a test can
//! stand in for systemd.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// A way to systemd; without one, what is said goes nowhere.
#[derive(Debug, Default)]
pub struct Notifier {
    target: Option<(UnixDatagram, SocketAddr)>,
}

impl Notifier {
    /// The way that systemd names in `NOTIFY_SOCKET`.
    ///
    /// # Errors
    /// When it names one that cannot be used.
    pub fn from_environment() -> io::Result<Self> {
        std::env::var_os("NOTIFY_SOCKET")
            .map_or_else(|| Ok(Self::default()), |name| Self::to(&name))
    }

    /// The way to the socket `name`; a leading `@` means an abstract one.
    ///
    /// # Errors
    /// When there can be no such socket.
    pub fn to(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
            _ => SocketAddr::from_pathname(name)?,
        };
        Ok(Self { target: Some((UnixDatagram::unbound()?, address)) })
    }

    /// The service is up.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// How the service is, in one line.
    pub fn status(&self, status: &str) {
        self.send(&format!("STATUS={}", one_line(status)));
    }

    /// The service is alive.
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// The service is about to end.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=Stopping");
    }

    fn send(&self, message: &str) {
        if let Some((socket, address)) = &self.target
            && let Err(error) = socket.send_to_addr(message.as_bytes(), address)
        {
            log::warn!("cannot tell systemd {message:?}: {error}");
        }
    }
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

/// How often systemd wants to hear that the service is alive: a third of
/// `WatchdogSec=`, so that one late message does no harm.
pub fn watchdog_interval() -> Option<Duration> {
    // WATCHDOG_PID: the watchdog may be another process's (sd_watchdog_enabled(3)).
    let for_us =
        std::env::var("WATCHDOG_PID").ok().is_none_or(|pid| pid.parse() == Ok(std::process::id()));
    let microseconds: u64 = std::env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    (for_us && microseconds > 0).then(|| Duration::from_micros(microseconds / 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_hears_each_message_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let systemd = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::to(path.as_os_str()).unwrap();
        notifier.ready("one\ntwo");
        notifier.alive();
        let mut buffer = [0; 100];
        let n = systemd.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], b"READY=1\nSTATUS=one two");
        let n = systemd.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], b"WATCHDOG=1");
    }
}
