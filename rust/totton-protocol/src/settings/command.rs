//! Single settings of a command: read as strictly as whole settings are.

use serde::{Deserialize, Deserializer, de};

use super::range::{GAIN_DB, OutOfRange, within};
use super::raw;
use crate::text::EqualiserText;

/// Whether `error` is of a value outside its range in a request that has `gain_db`, `settings` or
/// `text`.
pub(crate) fn out_of_range(request: &[u8], error: &serde_json::Error) -> Option<OutOfRange> {
    #[derive(Deserialize)]
    struct Values {
        gain_db: Option<f64>,
        settings: Option<raw::Settings>,
        text: Option<String>,
    }
    let Values { gain_db, settings, text } = serde_json::from_slice(request).ok()?;
    let found = [
        gain_db.and_then(|gain_db| gain(gain_db).err()),
        settings.and_then(|settings| settings.checked().err()),
        text.and_then(|text| EqualiserText::try_from(text).err())
            .map(|e| OutOfRange::at("text", e)),
    ];
    // Only where that is what the reading failed of.
    let said = error.to_string();
    found.into_iter().flatten().find(|found| said.starts_with(&found.to_string()))
}

fn gain(found: f64) -> Result<f64, OutOfRange> {
    // -0.0 is 0.0 for whoever reads it.
    within("gain_db", found, &GAIN_DB, " dB").map(|()| found + 0.0)
}

/// Reads the volume of a command.
pub(crate) fn read_gain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    gain(f64::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// Reads the equaliser's text of a command.
pub(crate) fn read_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<EqualiserText, D::Error> {
    let text = String::deserialize(deserializer)?;
    EqualiserText::try_from(text).map_err(|e| de::Error::custom(OutOfRange::at("text", e)))
}
