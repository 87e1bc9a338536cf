//! What there is to choose from: DACs and filters.

use serde::{Deserialize, Serialize};

/// A sound card that can play.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Dac {
    /// What to put into the setting `dac`: stays the same when other cards come and go.
    pub name: String,
    /// The card's name for people.
    pub label: String,
    /// USB vendor and product, `1234:abcd`, where it is a USB card.
    pub usb_id: Option<String>,
    /// ALSA name now, `hw:CARD,DEVICE`.
    pub device: String,
    /// Rates in Hz that it accepts, of those that this box can play.
    pub rates: Vec<u32>,
    /// ALSA sample formats that it accepts.
    pub formats: Vec<String>,
    /// The most channels it accepts.
    pub channels: u32,
    /// Whether the stream plays to it.
    pub in_use: bool,
    /// Why its capabilities are not known, for instance because another program has it.
    pub problem: Option<String>,
}

/// A filter in one or several files: one for each rate family and ratio.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FilterChoice {
    /// What to put into the setting `filter`: a path in which `{family}` and `{ratio}` stand for
    /// the rate family and the ratio.
    pub path: String,
    /// A name for people: the file's, without placeholders and ending.
    pub label: String,
    /// Whether this is the filter in force.
    pub in_use: bool,
    /// Its files.
    pub files: Vec<FilterFile>,
}

/// One file of a filter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FilterFile {
    /// The whole path.
    pub file: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Input rate in Hz that it is meant for.
    pub input_rate: Option<u32>,
    /// Output frames for each input frame.
    pub ratio: Option<u32>,
    /// Taps, counted at the output rate.
    pub taps: Option<u64>,
    /// `linear`, `minimum`, `mixed` or `unknown`.
    pub phase: Option<String>,
    /// Why it cannot be used, as far as its header tells; the checksum is looked at when it is loaded.
    pub problem: Option<String>,
}
