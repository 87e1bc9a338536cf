//! Errors as `application/problem+json` (RFC 9457), each with what to do.
//!
//! `type` is `urn:totton-audio:problem:KIND` and stable: the page translates by
//! it. `title` and `detail` are English sentences; `action` says what to do.

use std::fmt;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

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

/// The members of the JSON object.
#[derive(Serialize)]
struct Members<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
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

    /// The same problem, worth another try after `delay` (whole seconds).
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Nothing has this path.
    pub fn not_found(path: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is nothing here",
            format!("nothing has the path {path}"),
            "Open / for the page; the API is below /api/v1.",
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
            response.insert_header((header::RETRY_AFTER, delay.as_secs().max(1).to_string()));
        }
        response.insert_header((header::CONTENT_TYPE, "application/problem+json")).json(Members {
            r#type: format!("urn:totton-audio:problem:{}", self.kind),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            action: &self.action,
        })
    }
}
