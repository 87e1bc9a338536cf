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

impl Request {
    /// Reads one request as the daemon receives it.
    ///
    /// # Errors
    /// The refusal to answer with: too large, not JSON, another version (told
    /// before anything else in the request is looked at), not a known command,
    /// or a value outside its range.
    pub fn parse(bytes: &[u8]) -> Result<Self, Box<Reply>> {
        #[derive(Deserialize)]
        struct Envelope {
            version: u32,
        }
        let refuse = |code, message| Err(Box::new(Reply::Error { code, message }));
        if bytes.len() > MAX_REQUEST_BYTES {
            let message =
                format!("the request has {} bytes; accepted: {MAX_REQUEST_BYTES}", bytes.len());
            return refuse(ErrorCode::BadRequest, message);
        }
        let request = match serde_json::from_slice::<Envelope>(bytes) {
            Ok(Envelope { version: PROTOCOL_VERSION }) => serde_json::from_slice::<Self>(bytes),
            Ok(Envelope { version }) => {
                let message =
                    format!("the request has version {version}; accepted: {PROTOCOL_VERSION}");
                return refuse(ErrorCode::UnsupportedVersion, message);
            }
            Err(error) => Err(error),
        };
        match request {
            Ok(Self { command: Command::SetGain { gain_db }, .. })
                if !GAIN_DB.contains(&gain_db) =>
            {
                let (low, high) = (GAIN_DB.start(), GAIN_DB.end());
                refuse(
                    ErrorCode::OutOfRange,
                    format!("gain_db is {gain_db}; accepted: {low} to {high} dB"),
                )
            }
            Ok(request) => Ok(request),
            Err(error) => refuse(ErrorCode::BadRequest, format!("not a request: {error}")),
        }
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

    fn refusal(bytes: &[u8]) -> ErrorCode {
        match *Request::parse(bytes).unwrap_err() {
            Reply::Error { code, .. } => code,
            Reply::Ok { .. } => panic!("a refusal is an error"),
        }
    }

    #[test]
    fn what_is_no_request_is_refused_with_the_reason() {
        for bad in [&b""[..], b"\xff\xfe", b"{", b"[]", b"null", br#"{"version":1}"#] {
            assert_eq!(refusal(bad), ErrorCode::BadRequest, "{bad:?}");
        }
        assert_eq!(refusal(br#"{"version":1,"command":"explode"}"#), ErrorCode::BadRequest);
        assert_eq!(refusal(br#"{"version":1,"command":"set-gain"}"#), ErrorCode::BadRequest);
        assert_eq!(refusal(&vec![b' '; MAX_REQUEST_BYTES + 1]), ErrorCode::BadRequest);
        // Of a newer peer's request only the version is understood.
        let newer = br#"{"version":2,"command":"explode"}"#;
        assert_eq!(refusal(newer), ErrorCode::UnsupportedVersion);
        let loud = br#"{"version":1,"command":"set-gain","gain_db":0.1}"#;
        assert_eq!(refusal(loud), ErrorCode::OutOfRange);
    }

    #[test]
    fn an_unknown_command_is_refused() {
        assert!(serde_json::from_str::<Request>(r#"{"version":1,"command":"explode"}"#).is_err());
    }
}
