//! One line of OPRA's `database_v1.jsonl`: a vendor, a product or an equaliser.
//!
//! Format: OPRA's `docs/CONSUMING.md` and `schemas/`. Artwork and blurbs are left
//! out when read: a page that works without a network has no use for them.

use serde::{Deserialize, Serialize};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "lowercase")]
pub enum Entry {
    Vendor(Vendor),
    Product(Info),
    Eq(Eq),
}

/// One line with its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// `vendor`, `vendor::product` or `vendor:product::curve`.
    pub id: String,
    #[serde(flatten)]
    pub entry: Entry,
}

/// A maker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vendor {
    /// Its name.
    pub name: String,
}

/// A headphone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Info {
    /// Its name.
    pub name: String,
    /// `over_the_ear`, `on_ear`, `in_ear` or `earbuds`.
    #[serde(default)]
    pub subtype: String,
    /// The maker's id; not in the repository, where the folder tells it.
    #[serde(default)]
    pub vendor_id: String,
}

/// An equaliser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Eq {
    /// Who made it.
    pub author: String,
    /// Target, measurement and the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// `parametric_eq`; others are left out.
    #[serde(rename = "type")]
    pub kind: String,
    pub parameters: Parameters,
    /// The headphone's id; not in the repository.
    #[serde(default)]
    pub product_id: String,
}

/// Gain and bands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameters {
    /// Gain before the bands in dB.
    #[serde(default)]
    pub gain_db: f64,
    pub bands: Vec<Band>,
}

/// What a band does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    PeakDip,
    HighShelf,
    LowShelf,
    LowPass,
    HighPass,
    BandPass,
    BandStop,
}

/// One band.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Band {
    #[serde(rename = "type")]
    pub shape: Shape,
    /// Hz.
    pub frequency: f64,
    /// dB.
    #[serde(default)]
    pub gain_db: f64,
    /// Quality; passes have a slope instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<f64>,
    /// dB an octave, of passes: 6, 12, 18, 24, 30 or 36.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slope: Option<f64>,
}
