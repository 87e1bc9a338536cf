//! Telling systemd how the service is (`sd_notify(3)`).
//!
//! The words are `sd-notify`'s, the socket is ours: a value, not the process's environment, so
//! that a test can stand in for systemd. Nothing here waits: a systemd that is busy, and whose
//! socket is full, must not hold the one who looks after the sound. See
//! docs/decisions/0012-telling-systemd.md.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::NotifyState;

/// A way to systemd; without one, what is said goes nowhere.
#[derive(Debug, Default)]
pub struct Notifier {
    target: Option<(UnixDatagram, SocketAddr)>,
    /// The newest status that systemd had no room for.
    owed: Option<String>,
    /// It does not know yet that the service is up.
    ready_owed: bool,
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
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { target: Some((socket, address)), ..Self::default() })
    }

    /// The service is up.
    pub fn ready(&mut self, status: &str) {
        self.ready_owed = true;
        self.status(status);
    }

    /// How the service is, in one line.
    pub fn status(&mut self, status: &str) {
        self.owed = Some(one_line(status));
        self.turn();
    }

    /// Says what there was no room for before; to be called now and then.
    pub fn turn(&mut self) {
        let Some(status) = &self.owed else { return };
        let status = NotifyState::Status(status);
        let told = if self.ready_owed {
            self.send(&[NotifyState::Ready, status])
        } else {
            self.send(&[status])
        };
        if told {
            (self.owed, self.ready_owed) = (None, false);
        }
    }

    /// The service is alive. Where there is no room for that, systemd has others to read, and
    /// the next one comes.
    pub fn alive(&self) {
        self.send(&[NotifyState::Watchdog]);
    }

    /// The service is about to end.
    pub fn stopping(&mut self) {
        self.owed = None;
        self.send(&[NotifyState::Stopping, NotifyState::Status("Stopping")]);
    }

    /// False: there was no room.
    fn send(&self, states: &[NotifyState]) -> bool {
        let Some((socket, address)) = &self.target else { return true };
        let message = states.iter().map(NotifyState::to_string).collect::<Vec<_>>().join("\n");
        match socket.send_to_addr(message.as_bytes(), address) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) => log::warn!("cannot tell systemd {message:?}: {error}"),
        }
        true
    }
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

/// How often systemd wants to hear that the service is alive: a third of
/// `WatchdogSec=`, so that one late message does no harm.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|interval| !interval.is_zero()).map(|all| all / 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_hears_each_message_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let systemd = UnixDatagram::bind(&path).unwrap();
        let mut notifier = Notifier::to(path.as_os_str()).unwrap();
        notifier.ready("one\ntwo");
        notifier.alive();
        let mut buffer = [0; 100];
        let n = systemd.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], b"READY=1\nSTATUS=one two");
        let n = systemd.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], b"WATCHDOG=1");
    }

    #[test]
    fn a_systemd_that_does_not_listen_holds_nobody_and_hears_the_newest_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let systemd = UnixDatagram::bind(&path).unwrap();
        systemd.set_nonblocking(true).unwrap();
        let mut notifier = Notifier::to(path.as_os_str()).unwrap();
        // More than any such socket holds.
        for _ in 0..10_000 {
            notifier.alive();
        }
        notifier.ready("old");
        notifier.status("new");
        let hear = || {
            let mut buffer = [0; 100];
            systemd.recv(&mut buffer).ok().map(|n| buffer[..n].to_vec())
        };
        while let Some(message) = hear() {
            assert_eq!(message, b"WATCHDOG=1");
        }
        notifier.turn();
        assert_eq!(hear().unwrap(), b"READY=1\nSTATUS=new");
        notifier.turn();
        assert_eq!(hear(), None);
    }
}
