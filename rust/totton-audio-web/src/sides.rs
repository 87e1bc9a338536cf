//! The two sides of the equaliser, to compare, of which one is heard.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::equaliser::Profile;
use crate::problem::Problem;

/// The document with the two sides.
pub const SIDES: &str = "equaliser.json";

/// Which side is heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    #[default]
    A,
    B,
}

/// Two equalisers to compare, one of which is heard.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Sides {
    /// Which one is heard.
    pub side: Side,
    /// Neither is heard.
    pub bypass: bool,
    pub a: Option<Profile>,
    pub b: Option<Profile>,
}

impl Sides {
    /// Checks both.
    ///
    /// # Errors
    /// 422 naming the first value that is not accepted.
    pub fn check(&self) -> Result<(), Problem> {
        self.a.iter().chain(&self.b).try_for_each(Profile::check)
    }

    /// What the daemon is to be told.
    pub fn heard(&self) -> serde_json::Value {
        let profile = match self.side {
            Side::A => self.a.as_ref(),
            Side::B => self.b.as_ref(),
        };
        match profile.filter(|profile| !self.bypass && !profile.is_flat()) {
            Some(profile) => json!({ "name": profile.name, "text": profile.text() }),
            None => serde_json::Value::Null,
        }
    }
}

/// One at a time: the daemon and the file must tell the same.
#[derive(Default)]
pub struct Turn(Mutex<()>);

impl Turn {
    /// Waits for the turn.
    pub fn take(&self) -> std::sync::MutexGuard<'_, ()> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
