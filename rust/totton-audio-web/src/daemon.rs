//! Asks the audio daemon.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web;
use tokio::sync::Semaphore;
use totton_protocol::{Client, ClientError, Command, ErrorCode, Status};

use crate::problem::Problem;
use crate::settings::Settings;

/// Requests on their way at the same time. The daemon answers one after the
/// other; each that waits holds a thread.
const AT_ONCE: usize = 8;

/// What to do while the daemon is away; the feed says the same.
pub const AWAY_ACTION: &str = "Wait: systemd starts it again. If it stays away, \
     systemctl status gpu-upsampler and journalctl -u gpu-upsampler say why.";

/// The way to the audio daemon.
pub struct Daemon {
    quick: Client,
    slow: Client,
    places: Semaphore,
}

impl Daemon {
    /// The daemon of these settings; nothing is asked yet.
    pub fn new(settings: &Settings) -> Self {
        Self {
            quick: Client::with_endpoint(settings.control(), settings.answer()),
            slow: Client::with_endpoint(settings.control(), settings.slow_answer()),
            places: Semaphore::new(AT_ONCE),
        }
    }

    /// Sends one command and waits for the status after it.
    ///
    /// # Errors
    /// 503 while the daemon is away or too many wait for it, 422 for a value out
    /// of range, 409 when it cannot do it, 502 when the two are not understood
    /// by each other.
    pub async fn call(&self, command: Command) -> Result<Status, Problem> {
        let Ok(_place) = self.places.try_acquire() else {
            return Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "Too many requests wait for the audio daemon",
                format!("{AT_ONCE} requests wait already"),
                "Try again in a moment.",
            )
            .retry_after(Duration::from_secs(1)));
        };
        let client = match command {
            Command::Reload | Command::RestartStream => self.slow.clone(),
            _ => self.quick.clone(),
        };
        match web::block(move || client.call(command)).await {
            Ok(answer) => answer.map_err(problem),
            Err(error) => Err(Problem::stopping(error)),
        }
    }

    /// Carries out a command that changes something, and says so in the journal.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn order(&self, command: Command) -> Result<Status, Problem> {
        let said = format!("{command:?}");
        let answer = self.call(command).await;
        match &answer {
            Ok(_) => log::info!("done: {said}"),
            Err(problem) => log::warn!("not done: {said}: {problem}"),
        }
        answer
    }
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
        ClientError::Refused {
            code: ErrorCode::Failed | ErrorCode::BadFilter | ErrorCode::BadEqualiser,
            ..
        } => Problem::new(
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
