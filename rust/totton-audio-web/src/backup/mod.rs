//! A backup: what a user has set, in one file that may come from a stranger.
//!
//! Nothing in it is trusted. Each part passes the checks of the API by itself, so that one bad
//! part does not lose the good ones; what is left out is told with the reason. Its SHA-256 tells
//! accidents only: whoever edits the file can compute it anew.
//!
//! - [`form`]: the JSON document, written whole and read part by part
//! - [`archive`]: the same with the uploaded filters beside it, as a tar file
//! - [`plan`]: what of it is put in place, and what changes by that
//! - [`report`]: what is told of it

pub mod archive;
pub mod form;
pub mod plan;
pub mod report;

use actix_web::http::StatusCode;

use crate::problem::Problem;

/// The file as a whole cannot be used.
pub fn unusable(reason: impl Into<String>) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "not-a-backup",
        "The file is no backup that can be used",
        reason,
        "Choose a file that this page has made. Nothing was changed.",
    )
}
