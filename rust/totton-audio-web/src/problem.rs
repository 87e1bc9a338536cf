//! Errors as `application/problem+json` (RFC 9457), each with what to do.
//!
//! `type` is `urn:totton-audio:problem:KIND` and stable: the page translates by
//! it. `title` and `detail` are English sentences; `action` says what to do.

use std::fmt;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

/// Media type of every error.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What went wrong, for the one who asked.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: String,
    action: String,
    retry_after: Option<Duration>,
}

/// What went wrong, and what to do about it (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Members<'a> {
    /// `urn:totton-audio:problem:KIND`; stable, so that a program can tell.
    r#type: String,
    /// The kind of problem, in words.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What was found.
    detail: &'a str,
    /// What to do about it.
    action: &'a str,
}

impl Problem {
    /// A problem of the given kind; `action` says what to do about it.
    pub fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
        action: impl Into<String>,
    ) -> Self {
        Self {
            status,
            kind,
            title,
            detail: detail.into(),
            action: action.into(),
            retry_after: None,
        }
    }

    /// The same problem, worth another try after `delay` (whole seconds, rounded up).
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// The stable last part of `type`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// What was found, in words.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Nothing has this path.
    pub fn not_found(path: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is nothing here",
            format!("nothing has the path {path}"),
            "Open / for the page, /api for the description of the API.",
        )
    }

    /// A thing that was named is not there (any more).
    pub fn no_such(what: &str, id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no-such-thing",
            "It is not there",
            format!("there is no {what} {id:?}"),
            "Load the list again and choose from it.",
        )
    }

    /// The path is there, for other methods.
    pub fn method_not_allowed(method: &str, accepted: &str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "The method is not accepted here",
            format!("{method} is not accepted"),
            format!("Use {accepted}."),
        )
    }

    /// A value that is understood and not accepted.
    pub fn not_accepted(detail: impl Into<String>, action: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "not-accepted",
            "The request says something that is not accepted",
            detail,
            action,
        )
    }

    /// The device's own fault: a file or a program failed.
    pub fn failed(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "device-failed",
            "The device could not do it",
            detail,
            "Try again; if it stays so, download the diagnostics on the System view and report it.",
        )
    }

    /// Work on another thread was cut off because the service ends.
    pub fn stopping(error: impl fmt::Display) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "stopping",
            "The web service is stopping",
            error.to_string(),
            "Try again in a moment.",
        )
        .retry_after(Duration::from_secs(3))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status.as_u16(), self.kind, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(delay) = self.retry_after {
            let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
            response.insert_header((header::RETRY_AFTER, seconds.max(1).to_string()));
        }
        response.insert_header((header::CONTENT_TYPE, MEDIA_TYPE)).json(Members {
            r#type: format!("urn:totton-audio:problem:{}", self.kind),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            action: &self.action,
        })
    }
}
