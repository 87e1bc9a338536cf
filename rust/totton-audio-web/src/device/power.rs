//! Restart and power off, without any privilege.
//!
//! systemd listens on a socket for each thing that may be asked for; connecting
//! to it is the whole request. The unit behind the socket runs one `systemctl`
//! command that is written in the unit, so nothing that this service sends is
//! ever read by a privileged program.

use std::os::unix::net::UnixStream;
use std::path::Path;

use actix_web::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::problem::Problem;

/// What may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = PowerRequest)]
pub enum Request {
    /// Start the whole device again.
    Reboot,
    /// Switch the device off.
    PowerOff,
    /// Start the audio service again, and this service with it.
    RestartAudio,
}

impl Request {
    fn socket(self) -> &'static str {
        match self {
            Self::Reboot => "reboot",
            Self::PowerOff => "poweroff",
            Self::RestartAudio => "restart-audio",
        }
    }
}

/// Asks systemd, by the socket in `folder`.
///
/// # Errors
/// 409 when systemd does not listen.
pub fn ask(folder: &Path, request: Request) -> Result<(), Problem> {
    let path = folder.join(request.socket());
    UnixStream::connect(&path).map(drop).map_err(|error| {
        Problem::new(
            StatusCode::CONFLICT,
            "power-not-possible",
            "This device cannot be switched from here",
            format!("cannot connect to {}: {error}", path.display()),
            "Enable the sockets totton-audio-reboot.socket, -poweroff and -restart, or use the device's own switch.",
        )
    })
}
