//! What a listener sets, and what outlives a restart.
//!
//! Reading these types is the check: what a page, a backup, a message or a file holds becomes one
//! of them only if every value is within its range.
//!
//! - [`raw`]: the same as it is written, not yet checked
//! - [`range`]: what numbers are accepted
//! - [`merge`]: changes, as JSON merge patches
//! - [`command`]: single settings of a command
//! - [`stored`]: settings from the disk, as far as they can be used
//! - [`foreign`]: what on the disk is another version's

mod command;
mod foreign;
mod merge;
mod range;
mod raw;
mod stored;

use serde::{Deserialize, Deserializer, Serialize, de};
use thiserror::Error;

use crate::dac_choice::DacChoice;
use crate::filter_path::FilterPath;
use crate::text::{EqualiserText, Name, bounded};
use range::{refuse, within};

pub(crate) use command::{out_of_range, read_gain, read_text};
pub use foreign::Foreign;
pub use merge::merge;
pub use range::{
    BALANCE, CROSSFEED_CUT_HZ, CROSSFEED_DB, GAIN_DB, HEADROOM_DB, OutOfRange, THRESHOLD_DB,
};
pub use stored::{Stored, from_stored};

/// Version of the settings; raised when an older daemon would misread them.
pub const SETTINGS_VERSION: u32 = 1;

/// Everything that a listener can set.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// [`SETTINGS_VERSION`].
    pub version: u32,
    /// What is done to the sound.
    #[serde(default)]
    pub sound: Sound,
    /// The DAC by the name in the list of DACs: `auto`, `usb:VID:PID`, `usb:VID:PID:SERIAL`, or a
    /// device of a sound card, `hw:CARD,DEVICE`; null: as the configuration says.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub dac: Option<DacChoice>,
    /// The filter by the path in the list of filters; null: as the configuration says.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub filter: Option<FilterPath>,
    /// The equaliser; null: none.
    #[serde(default)]
    pub equaliser: Option<Equaliser>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: SETTINGS_VERSION,
            sound: Sound::default(),
            dac: None,
            filter: None,
            equaliser: None,
        }
    }
}

/// What is done to the sound besides the filter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Sound {
    /// Volume in dB, -120 to 0.
    pub gain_db: f64,
    /// Silence.
    pub mute: bool,
    /// -1 (left only) to 1 (right only): the other side's amplitude is 1 - |balance|.
    pub balance: f64,
    /// Both sides get the mean of left and right.
    pub mono: bool,
    /// Part of each side, low-passed and late, on the other side, for headphones; null: none.
    pub crossfeed: Option<Crossfeed>,
    /// Where the room for the filter's overshoot comes from.
    pub headroom: Headroom,
    /// The room of the headroom `fixed` in dB, 0 to 40.
    pub headroom_db: f64,
    /// Bends what comes near full scale instead of cutting it off; null: none.
    pub limiter: Option<Limiter>,
    /// Whether the volume control of the computer's sound card is obeyed.
    pub host_volume: bool,
}

impl Default for Sound {
    fn default() -> Self {
        Self {
            gain_db: 0.0,
            mute: false,
            balance: 0.0,
            mono: false,
            crossfeed: None,
            headroom: Headroom::Fixed,
            headroom_db: 3.0,
            limiter: None,
            host_volume: true,
        }
    }
}

/// Where the room for the filter's overshoot comes from: a filter can bring out more than full
/// scale of an input that is just at it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Headroom {
    /// None: what is too loud is limited or cut off, and counted.
    Off,
    /// As much as `headroom_db` says. Loud masters have peaks between their samples of up to 3 dB
    /// above full scale, and seldom more.
    #[default]
    Fixed,
    /// As much as the loaded filter can need at the worst: nothing is ever cut off.
    WorstCase,
}

/// Crossfeed after Bauer, with the two figures of bs2b.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Crossfeed {
    /// Cut-off of the low-pass towards the other side in Hz, 300 to 2000.
    pub cut_hz: f64,
    /// How much lower the other side is at low frequencies, in dB, 1 to 15.
    pub feed_db: f64,
}

impl Default for Crossfeed {
    /// bs2b's own default: 700 Hz, 4.5 dB.
    fn default() -> Self {
        Self { cut_hz: 700.0, feed_db: 4.5 }
    }
}

/// The soft limiter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Limiter {
    /// Level in dBFS above which samples are bent, -12 to -0.1; below it they stay as they are.
    pub threshold_db: f64,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { threshold_db: -1.0 }
    }
}

/// An equaliser that is folded into the filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Equaliser {
    /// A name for people, 1 to 200 characters on one line.
    #[cfg_attr(test, schemars(with = "String"))]
    #[cfg_attr(feature = "openapi", schema(value_type = String, min_length = 1, max_length = 200))]
    pub name: Name,
    /// The text of Equalizer APO or AutoEQ: `Preamp:`, `Filter:`, `GraphicEQ:` lines, at most
    /// 64 KiB.
    #[cfg_attr(test, schemars(with = "String"))]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub text: EqualiserText,
}

/// Reading is the check: of the raw type, then of its values.
macro_rules! read_checked {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                raw::$name::deserialize(deserializer)?.checked().map_err(de::Error::custom)
            }
        }
    )*};
}
read_checked!(Settings, Sound, Crossfeed, Limiter, Equaliser);

impl Crossfeed {
    fn check(&self) -> Result<(), OutOfRange> {
        within("sound.crossfeed.cut_hz", self.cut_hz, &CROSSFEED_CUT_HZ, " Hz")?;
        within("sound.crossfeed.feed_db", self.feed_db, &CROSSFEED_DB, " dB")
    }
}

impl Limiter {
    fn check(&self) -> Result<(), OutOfRange> {
        within("sound.limiter.threshold_db", self.threshold_db, &THRESHOLD_DB, " dBFS")
    }
}

impl Sound {
    /// Checks every value against its range, where it was not read but made.
    ///
    /// # Errors
    /// The first that is outside.
    pub fn check(&self) -> Result<(), OutOfRange> {
        within("sound.gain_db", self.gain_db, &GAIN_DB, " dB")?;
        within("sound.balance", self.balance, &BALANCE, "")?;
        within("sound.headroom_db", self.headroom_db, &HEADROOM_DB, " dB")?;
        self.crossfeed.as_ref().map_or(Ok(()), Crossfeed::check)?;
        self.limiter.as_ref().map_or(Ok(()), Limiter::check)
    }
}

impl Settings {
    /// Checks every value against its range, where it was not read but made; whether a DAC or a
    /// filter is there, and what an equaliser's text means, the daemon knows.
    ///
    /// # Errors
    /// The first that is outside.
    pub fn check(&self) -> Result<(), OutOfRange> {
        if self.version != SETTINGS_VERSION {
            return refuse("version", self.version, SETTINGS_VERSION.to_string());
        }
        self.sound.check()
    }

    /// These settings with the JSON merge patch `patch` on them (RFC 7396).
    ///
    /// # Errors
    /// [`Refused`] when what comes out is no settings, or has a value outside its range.
    pub fn changed(&self, patch: serde_json::Value) -> Result<Self, Refused> {
        let mut value = serde_json::to_value(self)?;
        merge(&mut value, patch);
        Ok(serde_json::from_value::<raw::Settings>(value)?.checked()?)
    }
}

/// Why something is no settings.
#[derive(Debug, Error)]
pub enum Refused {
    /// Its form: an unknown setting, a number for a text.
    #[error("not settings: {}", bounded(&.0.to_string()))]
    Form(#[from] serde_json::Error),
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_number_is_the_same_to_the_last_bit_when_it_is_read_again() {
        let text = "{\"crossfeed\":{\"cut_hz\":955.5555555555555555}}";
        let read: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            read["crossfeed"]["cut_hz"],
            json!("955.5555555555555555".parse::<f64>().unwrap())
        );
        let again: serde_json::Value = serde_json::from_str(&read.to_string()).unwrap();
        assert_eq!(read, again);
    }

    #[test]
    fn the_defaults_change_nothing_and_are_accepted() {
        Settings::default().check().unwrap();
        let back: Settings = serde_json::from_str(r#"{"version":1}"#).unwrap();
        assert_eq!(back, Settings::default());
    }

    #[test]
    fn what_is_out_of_range_names_key_and_range() {
        let refused = |patch: serde_json::Value| {
            let changed = Settings::default().changed(patch.clone());
            let Err(Refused::OutOfRange(error)) = changed else { panic!("{patch}: {changed:?}") };
            // Reading it says the same.
            let mut value = serde_json::to_value(Settings::default()).unwrap();
            merge(&mut value, patch);
            let read = serde_json::from_value::<Settings>(value).unwrap_err().to_string();
            assert_eq!(read, error.to_string());
            read
        };
        for (patch, said) in [
            (json!({"sound": {"gain_db": 0.1}}), "sound.gain_db is 0.1; accepted: -120 to 0 dB"),
            (json!({"sound": {"gain_db": 1e300}}), "sound.gain_db is 1000"),
            (json!({"sound": {"balance": -2}}), "sound.balance is -2; accepted: -1 to 1"),
            (
                json!({"sound": {"crossfeed": {"cut_hz": 100}}}),
                "sound.crossfeed.cut_hz is 100; accepted: 300 to 2000 Hz",
            ),
            (
                json!({"sound": {"limiter": {"threshold_db": 0}}}),
                "sound.limiter.threshold_db is 0; accepted: -12 to -0.1 dBFS",
            ),
            (json!({"version": 2}), "version is 2; accepted: 1"),
            (json!({"dac": ""}), "dac is \"\"; accepted: \"auto\", usb:VID:PID"),
            (json!({"dac": "file:'|id',raw"}), "dac is \"file:'|id',raw\"; accepted: \"auto\""),
            (json!({"filter": "/a/../b.filter"}), "filter is \"/a/../b.filter\"; accepted: an abs"),
            (json!({"equaliser": {"name": "a\n", "text": ""}}), "equaliser.name is \"a\\n\"; acc"),
            (json!({"equaliser": {"name": "a", "text": "\u{0}"}}), "equaliser.text is the control"),
        ] {
            let message = refused(patch);
            assert!(message.starts_with(said), "{message}");
        }
        let long = "a".repeat(crate::text::MAX_EQUALISER_BYTES + 1);
        assert!(refused(json!({"equaliser": {"name": "a", "text": long}})).contains("65537 bytes"));
    }

    #[test]
    fn numbers_that_are_none_do_not_come_in() {
        for text in ["NaN", "1e999", "-1e999", "Infinity", "null", "\"-6\"", "[]"] {
            let sound = format!(r#"{{"gain_db":{text}}}"#);
            assert!(serde_json::from_str::<Sound>(&sound).is_err(), "{text}");
            let crossfeed = format!(r#"{{"cut_hz":{text}}}"#);
            assert!(serde_json::from_str::<Crossfeed>(&crossfeed).is_err(), "{text}");
        }
        for made in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(Sound { gain_db: made, ..Sound::default() }.check().is_err(), "{made}");
        }
        let sound: Sound = serde_json::from_str(r#"{"gain_db":-0.0,"balance":-0.0}"#).unwrap();
        assert!(sound.gain_db.is_sign_positive() && sound.balance.is_sign_positive());
        assert!(serde_json::from_str::<Limiter>(r#"{"threshold_db":0}"#).is_err());
        assert!(serde_json::from_str::<Sound>(r#"{"mono":true,"mono":false}"#).is_err());
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        let error = serde_json::from_value::<Settings>(json!({"version": 1, "sound": {"loud": 1}}));
        assert!(error.unwrap_err().to_string().contains("unknown field `loud`"));
    }
}
