//! Requests, replies and telemetry.

use serde::{Deserialize, Serialize};

use crate::catalogue::{Dac, FilterChoice};
use crate::meter::{BlockLoad, Buffer, Drift, Levels, Memory, Promptness, Spectrum, Temperature};
use crate::settings::{OutOfRange, Settings, out_of_range, read_gain, read_text};
use crate::status::Status;
use crate::text::{EqualiserText, bounded};

/// Version of the messages; raised when an old peer would misread a new message.
pub const PROTOCOL_VERSION: u32 = 2;

/// The largest request that the daemon reads, in bytes.
pub const MAX_REQUEST_BYTES: usize = 256 * 1024;

/// A request: `{"version":2,"command":"set-gain","gain_db":-6.0}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Request {
    /// [`PROTOCOL_VERSION`].
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Only tell the status. Answer: `status`.
    Status,
    /// Read configuration and filter again; the old ones stay if the new ones are bad.
    /// Answer: `status`.
    Reload,
    /// Close the stream and open it again. Answer: `status`.
    RestartStream,
    /// Count what is beyond full scale anew: `overs` of the status. Answer: `status`.
    ResetOvers,
    /// Silence the output, or end the silence; ramped. Answer: `status`.
    SetMute { mute: bool },
    /// Set the volume in dB, -120 to 0; ramped. Answer: `status`.
    SetGain {
        #[serde(deserialize_with = "read_gain")]
        gain_db: f64,
    },
    /// Tell all settings. Answer: `settings`.
    Settings,
    /// Put other settings in place of all that are in force; refused as a whole or taken as a
    /// whole. Answer: `settings`.
    ReplaceSettings { settings: Box<Settings> },
    /// Change some settings, by a JSON merge patch (RFC 7396) on [`Settings`]: null puts a setting
    /// back to its default. Refused as a whole or taken as a whole. Answer: `settings`.
    ChangeSettings {
        #[cfg_attr(feature = "openapi", schema(value_type = Object))]
        changes: serde_json::Map<String, serde_json::Value>,
    },
    /// Tell what an equaliser's text comes down to, without using it. Answer: `equaliser`.
    CheckEqualiser {
        #[serde(deserialize_with = "read_text")]
        #[cfg_attr(test, schemars(with = "String"))]
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        text: EqualiserText,
    },
    /// Tell which DACs there are. Answer: `dacs`.
    Dacs,
    /// Tell which filters there are. Answer: `filters`.
    Filters,
    /// Tell what comes in and goes out by frequency. It is computed while somebody asks, at most 25
    /// times a second, and told at the next request; two seconds after the last request it ends.
    /// The answers of the first 0.3 s after a pause are silence. Answer: `spectrum`.
    Spectrum,
    /// Tell what was measured in the last minutes, and before an abort, as tables. Answer:
    /// `flight-recorder`.
    FlightRecorder,
    /// Tell how an order ended that was answered with `pending`: that is told once. Answer: that of
    /// the order, or `pending` again.
    Outcome {
        /// What `pending` gave.
        order: u64,
    },
}

impl Command {
    /// The command's name in a message.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Reload => "reload",
            Self::RestartStream => "restart-stream",
            Self::ResetOvers => "reset-overs",
            Self::SetMute { .. } => "set-mute",
            Self::SetGain { .. } => "set-gain",
            Self::Settings => "settings",
            Self::ReplaceSettings { .. } => "replace-settings",
            Self::ChangeSettings { .. } => "change-settings",
            Self::CheckEqualiser { .. } => "check-equaliser",
            Self::Dacs => "dacs",
            Self::Filters => "filters",
            Self::Spectrum => "spectrum",
            Self::FlightRecorder => "flight-recorder",
            Self::Outcome { .. } => "outcome",
        }
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
        if bytes.len() > MAX_REQUEST_BYTES {
            let message =
                format!("the request has {} bytes; accepted: {MAX_REQUEST_BYTES}", bytes.len());
            return Err(Box::new(Reply::error(ErrorCode::BadRequest, message)));
        }
        let not_a_request = |error: serde_json::Error| {
            let message = format!("not a request: {}", bounded(&error.to_string()));
            Box::new(Reply::error(ErrorCode::BadRequest, message))
        };
        let Envelope { version } = serde_json::from_slice(bytes).map_err(not_a_request)?;
        if version != PROTOCOL_VERSION {
            let message =
                format!("the request has version {version}; accepted: {PROTOCOL_VERSION}");
            return Err(Box::new(Reply::error(ErrorCode::UnsupportedVersion, message)));
        }
        serde_json::from_slice(bytes).map_err(|error| match out_of_range(bytes, &error) {
            Some(found) => Box::new(found.into()),
            None => not_a_request(error),
        })
    }
}

/// What the daemon answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Reply {
    /// It was done.
    Ok(Answer),
    /// It was not done, and nothing has changed.
    Error {
        code: ErrorCode,
        /// The reason: what was found, where, and what is accepted.
        message: String,
        /// The line at fault, from 1, where a text was refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<u32>,
    },
}

impl Reply {
    /// A refusal without a line.
    pub fn error(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Error { code, message: message.into(), line: None }
    }

    /// The status, as most commands are answered.
    #[must_use]
    pub fn status(status: Status) -> Self {
        Self::Ok(Answer::Status { status: Box::new(status) })
    }
}

impl From<OutOfRange> for Reply {
    fn from(error: OutOfRange) -> Self {
        Self::error(ErrorCode::OutOfRange, error.to_string())
    }
}

/// What a command that was done is answered with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// The status after the command.
    Status { status: Box<Status> },
    /// All settings after the command.
    Settings {
        settings: Box<Settings>,
        /// Counts up at each change.
        revision: u64,
    },
    /// The sound cards that can play.
    Dacs { dacs: Vec<Dac> },
    /// The filters of the image and those in the data folder.
    Filters { filters: Vec<FilterChoice> },
    /// What comes in and what goes to the DAC by frequency; null while no stream is open.
    Spectrum { input: Option<Spectrum>, output: Option<Spectrum> },
    /// What an equaliser's text comes down to.
    Equaliser {
        /// Gain before the bands in dB.
        preamp_db: f64,
        /// Parametric bands that are on.
        bands: u32,
        /// Graphic curves.
        curves: u32,
    },
    /// What was measured ten times a second: comma-separated values with names in the first line,
    /// the oldest first.
    FlightRecorder {
        /// The last five minutes.
        now: String,
        /// The last minutes before the daemon was last ended by an abort (its watchdog); null: it
        /// never was.
        at_abort: Option<String>,
    },
    /// It takes longer than an answer may, and is being done: a request `outcome` tells how it
    /// ended.
    Pending {
        /// What `outcome` is to name.
        order: u64,
    },
}

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// Not JSON, not a known command or setting, or larger than [`MAX_REQUEST_BYTES`].
    BadRequest,
    /// The request's version is not [`PROTOCOL_VERSION`].
    UnsupportedVersion,
    /// A value is outside its range.
    OutOfRange,
    /// A filter that is named is not there or cannot be used.
    BadFilter,
    /// An equaliser's text is not understood or cannot be used; `line` says where.
    BadEqualiser,
    /// The command was understood and could not be carried out.
    Failed,
}

/// What the daemon publishes twenty times a second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Telemetry {
    /// [`PROTOCOL_VERSION`].
    pub version: u32,
    /// Counts up by one a message; a gap means that messages were missed.
    pub sequence: u64,
    pub status: Status,
    pub levels: Levels,
    /// How full each buffer of the open stream is, along the flow.
    #[serde(default)]
    pub buffers: Vec<Buffer>,
    /// The control loop against clock drift, while a stream is open.
    #[serde(default)]
    pub drift: Option<Drift>,
    /// The engine's time for single blocks, while sound flows.
    #[serde(default)]
    pub blocks: Option<BlockLoad>,
    /// The board's thermometers; none where the kernel tells of none.
    #[serde(default)]
    pub temperatures: Vec<Temperature>,
    /// The daemon's memory, where the kernel tells it.
    #[serde(default)]
    pub memory: Option<Memory>,
    /// How soon the daemon has answered and looked after its stream.
    #[serde(default)]
    pub promptness: Promptness,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_flat_json_object() {
        let text =
            serde_json::to_string(&Request::from(Command::SetGain { gain_db: -6.0 })).unwrap();
        assert_eq!(text, r#"{"version":2,"command":"set-gain","gain_db":-6.0}"#);
        let back: Request = serde_json::from_str(&text).unwrap();
        assert_eq!(back.command, Command::SetGain { gain_db: -6.0 });
    }

    #[test]
    fn a_commands_name_is_the_one_in_its_message() {
        for command in [
            Command::Status,
            Command::Reload,
            Command::RestartStream,
            Command::ResetOvers,
            Command::SetMute { mute: true },
            Command::SetGain { gain_db: 0.0 },
            Command::Settings,
            Command::ReplaceSettings { settings: Box::default() },
            Command::ChangeSettings { changes: serde_json::Map::new() },
            Command::CheckEqualiser { text: EqualiserText::default() },
            Command::Dacs,
            Command::Filters,
            Command::Spectrum,
            Command::FlightRecorder,
            Command::Outcome { order: 7 },
        ] {
            let value = serde_json::to_value(Request::from(command.clone())).unwrap();
            assert_eq!(value["command"], command.name());
            let back = Request::parse(&serde_json::to_vec(&value).unwrap()).unwrap();
            assert_eq!(back.command, command);
        }
    }

    #[test]
    fn every_answer_comes_back_as_it_was() {
        for reply in [
            Reply::status(Status::default()),
            Reply::Ok(Answer::Settings { settings: Box::default(), revision: 3 }),
            Reply::Ok(Answer::Dacs { dacs: vec![Dac::default()] }),
            Reply::Ok(Answer::Filters { filters: vec![FilterChoice::default()] }),
            Reply::Ok(Answer::Spectrum { input: Some(Spectrum::default()), output: None }),
            Reply::Ok(Answer::Equaliser { preamp_db: -6.6, bands: 10, curves: 0 }),
            Reply::Ok(Answer::Pending { order: 7 }),
            Reply::Ok(Answer::FlightRecorder { now: "uptime_ms\n".into(), at_abort: None }),
            Reply::error(ErrorCode::Failed, "no"),
            Reply::Error { code: ErrorCode::BadEqualiser, message: "no".into(), line: Some(3) },
        ] {
            let text = serde_json::to_string(&reply).unwrap();
            assert_eq!(serde_json::from_str::<Reply>(&text).unwrap(), reply, "{text}");
        }
        let text = serde_json::to_string(&Reply::status(Status::default())).unwrap();
        assert!(text.starts_with(r#"{"result":"ok","answer":"status","status":{"#), "{text}");
    }

    fn refusal(bytes: &[u8]) -> ErrorCode {
        match *Request::parse(bytes).unwrap_err() {
            Reply::Error { code, .. } => code,
            Reply::Ok(_) => panic!("a refusal is an error"),
        }
    }

    #[test]
    fn what_is_no_request_is_refused_with_the_reason() {
        for bad in [&b""[..], b"\xff\xfe", b"{", b"[]", b"null", br#"{"version":2}"#] {
            assert_eq!(refusal(bad), ErrorCode::BadRequest, "{bad:?}");
        }
        for bad in [
            &br#"{"version":2,"command":"explode"}"#[..],
            br#"{"version":2,"command":"set-gain"}"#,
            br#"{"version":2,"command":"set-gain","gain_db":-1,"loud":true}"#,
            br#"{"version":2,"command":"replace-settings","settings":{"version":1,"loud":true}}"#,
            br#"{"version":2,"command":"change-settings","changes":[]}"#,
            br#"{"version":2,"command":"set-gain","gain_db":1e999}"#,
            br#"{"version":2,"command":"explode","gain_db":6}"#,
            br#"{"version":2,"command":"set-gain","gain_db":-6,"gain_db":-1}"#,
            br#"{"version":2,"version":2,"command":"status"}"#,
            br#"{"version":2,"command":"replace-settings","settings":{"version":1,"dac":5}}"#,
        ] {
            assert_eq!(refusal(bad), ErrorCode::BadRequest, "{}", String::from_utf8_lossy(bad));
        }
        assert_eq!(refusal(&vec![b' '; MAX_REQUEST_BYTES + 1]), ErrorCode::BadRequest);
        // Of a newer peer's request only the version is understood.
        let newer = br#"{"version":3,"command":"explode"}"#;
        assert_eq!(refusal(newer), ErrorCode::UnsupportedVersion);
        for loud in [
            &br#"{"version":2,"command":"set-gain","gain_db":0.1}"#[..],
            br#"{"version":2,"command":"replace-settings","settings":{"version":1,"sound":{"gain_db":1}}}"#,
            br#"{"version":2,"command":"replace-settings","settings":{"version":1,"dac":"file:'|id',raw"}}"#,
            br#"{"version":2,"command":"replace-settings","settings":{"version":1,"filter":"/etc/x"}}"#,
            br#"{"version":2,"command":"replace-settings","settings":{"version":9}}"#,
            br#"{"version":2,"command":"check-equaliser","text":"\u0000"}"#,
        ] {
            assert_eq!(refusal(loud), ErrorCode::OutOfRange, "{}", String::from_utf8_lossy(loud));
        }
        // Nesting without end, and a name that fills the request, cost a short refusal.
        let deep = format!(r#"{{"version":2,"x":{}"#, "[".repeat(200_000));
        let name = "\u{1b}x".repeat(60_000);
        let long = format!(r#"{{"version":2,"command":"status","settings":{{}},"{name}":1}}"#);
        let named = format!(r#"{{"version":2,"command":{}}}"#, serde_json::Value::from(name));
        for bad in [deep, long, named] {
            let reply =
                serde_json::to_string(&*Request::parse(bad.as_bytes()).unwrap_err()).unwrap();
            assert!(reply.contains("bad-request") && reply.len() < 2000, "{reply:.3000}");
        }
    }
}
