//! Asks the audio daemon.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web;
use serde::Serialize;
use totton_protocol::{Answer, Client, ClientError, Command, ErrorCode, Status};
use utoipa::ToSchema;

use crate::guard::caller::Places;
use crate::problem::Problem;
use crate::settings::Settings;

/// Requests on their way at the same time: each that waits holds a thread.
const AT_ONCE: usize = 8;

/// Of these, for the page alone.
const FOR_THE_PAGE: usize = 2;

/// Of all, for what may take seconds; of these, for the page alone. Volume and mute have room
/// beside them.
const SLOW_AT_ONCE: usize = 4;
const SLOW_FOR_THE_PAGE: usize = 1;

/// What to do while the daemon is away; the feed says the same.
pub const AWAY_ACTION: &str = "Wait: systemd starts it again. If it stays away, \
     systemctl status gpu-upsampler and journalctl -u gpu-upsampler say why.";

/// All settings of the sound.
#[derive(Serialize, ToSchema)]
pub struct CurrentSettings {
    pub settings: totton_protocol::Settings,
    /// Counts up at each change.
    pub revision: u64,
}

/// The way to the audio daemon.
pub struct Daemon {
    quick: Client,
    slow: Client,
    places: Places,
    slow_places: Places,
}

impl Daemon {
    /// The daemon of these settings; nothing is asked yet.
    pub fn new(settings: &Settings) -> Self {
        Self {
            quick: Client::with_endpoint(settings.control(), settings.answer()),
            slow: Client::with_endpoint(settings.control(), settings.slow_answer()),
            places: Places::new(AT_ONCE, FOR_THE_PAGE),
            slow_places: Places::new(SLOW_AT_ONCE, SLOW_FOR_THE_PAGE),
        }
    }

    /// Sends one command and waits for its answer.
    ///
    /// # Errors
    /// 503 while the daemon is away or too many wait for it, 422 for a value out
    /// of range, 409 when it cannot do it, 502 when the two are not understood
    /// by each other.
    pub async fn ask(&self, command: Command) -> Result<Answer, Problem> {
        let busy = |most: usize| {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "Too many requests wait for the audio daemon",
                format!("at most {most} requests of this kind wait at once"),
                "Try again in a moment.",
            )
            .retry_after(Duration::from_secs(1))
        };
        let _slow = match is_slow(&command) {
            true => Some(self.slow_places.take().ok_or_else(|| busy(SLOW_AT_ONCE))?),
            false => None,
        };
        let _place = self.places.take().ok_or_else(|| busy(AT_ONCE))?;
        let client = self.client(&command);
        web::block(move || ask(&client, command)).await.map_err(Problem::stopping)?
    }

    /// Sends a command that is answered with the status.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn call(&self, command: Command) -> Result<Status, Problem> {
        let name = command.name();
        match self.ask(command).await? {
            Answer::Status { status } => Ok(*status),
            answer => Err(unexpected(name, answer)),
        }
    }

    /// Carries out a command that changes something, and says so in the journal.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn order(&self, command: Command) -> Result<Status, Problem> {
        let said = format!("{command:?}");
        let answer = self.call(command).await;
        match &answer {
            Ok(_) => log::info!("done: {said}"),
            Err(problem) => log::warn!("not done: {said}: {problem}"),
        }
        answer
    }

    /// Sends a command that is answered with the settings.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn settings(&self, command: Command) -> Result<CurrentSettings, Problem> {
        let name = command.name();
        match self.ask(command).await? {
            Answer::Settings { settings, revision } => {
                Ok(CurrentSettings { settings: *settings, revision })
            }
            answer => Err(unexpected(name, answer)),
        }
    }

    /// Changes settings by a merge patch, on a thread that may wait.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn change_waiting(&self, changes: serde_json::Value) -> Result<(), Problem> {
        let serde_json::Value::Object(changes) = changes else { return Ok(()) };
        let command = Command::ChangeSettings { changes };
        ask(&self.client(&command), command).map(drop)
    }

    /// Puts other settings in place of all, on a thread that may wait.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn replace_waiting(&self, settings: totton_protocol::Settings) -> Result<(), Problem> {
        let command = Command::ReplaceSettings { settings: Box::new(settings) };
        ask(&self.client(&command), command).map(drop)
    }

    fn client(&self, command: &Command) -> Client {
        if is_slow(command) { self.slow.clone() } else { self.quick.clone() }
    }
}

/// What loads a filter or opens a device takes its time.
fn is_slow(command: &Command) -> bool {
    !matches!(
        command,
        Command::Status
            | Command::Settings
            | Command::ResetOvers
            | Command::SetMute { .. }
            | Command::SetGain { .. }
    )
}

fn ask(client: &Client, command: Command) -> Result<Answer, Problem> {
    let by_a_user =
        matches!(command, Command::ChangeSettings { .. } | Command::ReplaceSettings { .. });
    client.ask(command).map_err(|error| match error {
        // What is no setting came from the one who asked this service.
        ClientError::Refused { code: ErrorCode::BadRequest, message, .. } if by_a_user => {
            Problem::not_accepted(message, "Correct the setting that the detail names.")
        }
        error => problem(error),
    })
}

/// The daemon's answer is for another question.
pub fn unexpected(command: &'static str, answer: Answer) -> Problem {
    problem(ClientError::Unexpected { command, answer: Box::new(answer) })
}

fn problem(error: ClientError) -> Problem {
    let detail = error.to_string();
    match error {
        ClientError::NoAnswer { .. } | ClientError::Socket { .. } => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "daemon-away",
            "The audio daemon is away",
            detail,
            AWAY_ACTION,
        )
        .retry_after(Duration::from_secs(2)),
        ClientError::Refused { code: ErrorCode::OutOfRange, .. } => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "out-of-range",
            "The value is out of range",
            detail,
            "Send a value within the range that the detail names.",
        ),
        ClientError::Refused { code: ErrorCode::BadEqualiser | ErrorCode::BadFilter, .. } => {
            Problem::not_accepted(detail, "Correct what the detail names; what was in force stays.")
        }
        ClientError::Refused { code: ErrorCode::Failed, .. } => Problem::new(
            StatusCode::CONFLICT,
            "daemon-failed",
            "The audio daemon could not do it",
            detail,
            "Remove the cause that the detail names and try again; what was in force stays.",
        ),
        ClientError::NotUnderstood { .. }
        | ClientError::Unexpected { .. }
        | ClientError::Refused {
            code: ErrorCode::BadRequest | ErrorCode::UnsupportedVersion,
            ..
        } => Problem::new(
            StatusCode::BAD_GATEWAY,
            "daemon-not-understood",
            "The web service and the audio daemon do not understand each other",
            detail,
            "Install services of the same version, then restart both: \
             systemctl restart gpu-upsampler totton-audio-web",
        ),
    }
}
