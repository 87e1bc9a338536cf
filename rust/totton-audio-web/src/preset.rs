//! A preset: the sound's settings and the equaliser under a name.

use serde::{Deserialize, Serialize};
use totton_protocol::text::quoted;
use totton_protocol::{FilterPath, Name, Sound};
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::sides::Sides;

/// The sound under a name. The volume, mute and the DAC are not part of it: a
/// preset must not be loud by surprise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// A name for people.
    #[schema(value_type = String, min_length = 1, max_length = 80)]
    pub name: Name,
    pub sound: Sound,
    /// The filter; null: as the configuration says.
    #[schema(value_type = Option<String>)]
    pub filter: Option<FilterPath>,
    pub equaliser: Sides,
}

impl Preset {
    /// Checks every value.
    ///
    /// # Errors
    /// 422 naming the first that is not accepted.
    pub fn check(&self) -> Result<(), Problem> {
        checked_name(self.name.as_str())?;
        self.sound
            .check()
            .map_err(|error| Problem::not_accepted(error.to_string(), "Correct the value."))?;
        self.equaliser.check()
    }
}

/// A name that a preset may have.
///
/// # Errors
/// 422 telling what a name is.
pub fn checked_name(name: &str) -> Result<Name, Problem> {
    let found = name.parse::<Name>().ok().filter(|name| name.as_str().chars().count() <= 80);
    found.ok_or_else(|| {
        let found = format!("name is {}", quoted(name));
        Problem::not_accepted(found, "Send 1 to 80 visible characters on one line.")
    })
}
