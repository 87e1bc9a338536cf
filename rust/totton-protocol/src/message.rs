//! Requests, replies and telemetry.

use serde::{Deserialize, Serialize};

use crate::status::{Levels, Status};

/// Version of the messages; raised when an old peer would misread a new message.
pub const PROTOCOL_VERSION: u32 = 1;

/// The largest request that the daemon reads, in bytes.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// The range of [`Command::SetGain`] in dB.
pub const GAIN_DB: std::ops::RangeInclusive<f64> = -120.0..=0.0;

/// A request: `{"version":1,"command":"set-gain","gain_db":-6.0}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub version: u32,
    #[serde(flatten)]
    pub command: Command,
}

impl From<Command> for Request {
    fn from(command: Command) -> Self {
        Self { version: PROTOCOL_VERSION, command }
    }
}

/// What the daemon can be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Command {
    /// Only tell the status.
    Status,
    /// Read configuration and filter again; the old ones stay if the new ones are bad.
    Reload,
    /// Close the stream and open it again.
    RestartStream,
    /// Silence the output, or end the silence; ramped.
    SetMute { mute: bool },
    /// Set the gain in dB, within [`GAIN_DB`]; ramped.
    SetGain { gain_db: f64 },
}

/// What the daemon answers. Every command that succeeds tells the status after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Reply {
    Ok { status: Box<Status> },
    Error { code: ErrorCode, message: String },
}

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// Not JSON, not a known command, or larger than [`MAX_REQUEST_BYTES`].
    BadRequest,
    /// The request's version is not [`PROTOCOL_VERSION`].
    UnsupportedVersion,
    /// A value is outside its range.
    OutOfRange,
    /// The command was understood and could not be carried out.
    Failed,
}

/// What the daemon publishes several times a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Telemetry {
    pub version: u32,
    /// Counts up by one a message; a gap means that messages were missed.
    pub sequence: u64,
    pub status: Status,
    pub levels: Levels,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_flat_json_object() {
        let text =
            serde_json::to_string(&Request::from(Command::SetGain { gain_db: -6.0 })).unwrap();
        assert_eq!(text, r#"{"version":1,"command":"set-gain","gain_db":-6.0}"#);
        let back: Request = serde_json::from_str(&text).unwrap();
        assert_eq!(back.command, Command::SetGain { gain_db: -6.0 });
    }

    #[test]
    fn an_unknown_command_is_refused() {
        assert!(serde_json::from_str::<Request>(r#"{"version":1,"command":"explode"}"#).is_err());
    }
}
