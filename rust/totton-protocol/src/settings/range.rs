//! What numbers are accepted.

use std::fmt::Display;
use std::ops::RangeInclusive;

use thiserror::Error;

use crate::text::NotAccepted;

/// The range of [`Sound::gain_db`](super::Sound::gain_db) in dB.
pub const GAIN_DB: RangeInclusive<f64> = -120.0..=0.0;
/// The range of [`Sound::balance`](super::Sound::balance).
pub const BALANCE: RangeInclusive<f64> = -1.0..=1.0;
/// The range of [`Sound::headroom_db`](super::Sound::headroom_db) in dB.
pub const HEADROOM_DB: RangeInclusive<f64> = 0.0..=40.0;
/// The range of [`Crossfeed::cut_hz`](super::Crossfeed::cut_hz) in Hz.
pub const CROSSFEED_CUT_HZ: RangeInclusive<f64> = 300.0..=2000.0;
/// The range of [`Crossfeed::feed_db`](super::Crossfeed::feed_db) in dB.
pub const CROSSFEED_DB: RangeInclusive<f64> = 1.0..=15.0;
/// The range of [`Limiter::threshold_db`](super::Limiter::threshold_db) in dB.
pub const THRESHOLD_DB: RangeInclusive<f64> = -12.0..=-0.1;

/// A setting that is outside of what is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{key} is {found}; accepted: {accepted}")]
pub struct OutOfRange {
    /// The setting, `sound.gain_db`.
    pub key: &'static str,
    pub found: String,
    pub accepted: String,
}

/// Checks that `found` is within `range`.
///
/// # Errors
/// When it is not.
pub(super) fn within(
    key: &'static str,
    found: f64,
    range: &RangeInclusive<f64>,
    unit: &str,
) -> Result<(), OutOfRange> {
    if range.contains(&found) {
        return Ok(());
    }
    let accepted = format!("{} to {}{unit}", range.start(), range.end());
    refuse(key, found, accepted)
}

/// That `found` is not accepted.
pub(super) fn refuse(
    key: &'static str,
    found: impl Display,
    accepted: impl Into<String>,
) -> Result<(), OutOfRange> {
    Err(OutOfRange { key, found: found.to_string(), accepted: accepted.into() })
}

impl OutOfRange {
    /// That the value of `key` is not accepted.
    #[must_use]
    pub fn at(key: &'static str, NotAccepted { found, accepted }: NotAccepted) -> Self {
        Self { key, found, accepted }
    }
}
