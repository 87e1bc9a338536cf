//! What a configuration file may say: every key is optional, every value is
//! checked where it stands, so that an error names its line.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use totton_protocol::{CardDevice, Headroom};

use super::{CaptureRate, INPUT_RATES, PlaybackChoice, RATIOS, RatioChoice};
use crate::sample::SampleFormat;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub startup_grace_seconds: Option<Number<Seconds>>,
    #[serde(default)]
    pub capture: Capture,
    #[serde(default)]
    pub engine: Engine,
    #[serde(default)]
    pub filter: Filter,
    #[serde(default)]
    pub output: Output,
    #[serde(default)]
    pub playback: Playback,
    #[serde(default)]
    pub realtime: Realtime,
    #[serde(default)]
    pub settings: Settings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Capture {
    pub device: Option<Name>,
    pub rate: Option<CaptureRate>,
    pub drift: Option<super::DriftChoice>,
    pub channels: Option<Integer<1, 8>>,
    pub formats: Option<Formats>,
    pub period_ms: Option<Integer<1, 1000>>,
    pub buffer_ms: Option<Integer<2, 10_000>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Playback {
    pub device: Option<PlaybackChoice>,
    pub formats: Option<Formats>,
    pub period_ms: Option<Integer<1, 1000>>,
    pub buffer_ms: Option<Integer<2, 10_000>>,
    pub prefill_ms: Option<Integer<1, 10_000>>,
    pub max_rate: Option<Integer<44_100, 768_000>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Engine {
    pub backend: Option<super::Backend>,
    pub ratio: Option<RatioChoice>,
    pub block_frames: Option<BlockFrames>,
    pub precision: Option<super::Precision>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    pub path: Option<FilterPath>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Output {
    pub gain_db: Option<Number<Decibels>>,
    pub mute: Option<bool>,
    pub headroom: Option<Headroom>,
    pub headroom_db: Option<Number<Room>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Realtime {
    pub priority: Option<Integer<0, 90>>,
    pub lock_memory: Option<bool>,
    pub cpus: Option<Vec<Integer<0, 1023>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub file: Option<std::path::PathBuf>,
}

/// An integer from `LOW` to `HIGH`.
#[derive(Debug)]
pub(super) struct Integer<const LOW: i64, const HIGH: i64>(pub usize);

impl<'de, const LOW: i64, const HIGH: i64> Deserialize<'de> for Integer<LOW, HIGH> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let accepted = format!("an integer from {LOW} to {HIGH}");
        let value = integer(deserializer, &accepted)?;
        if (LOW..=HIGH).contains(&value) {
            Ok(Self(value as usize))
        } else {
            Err(de::Error::custom(format!("found {value}; accepted: {accepted}")))
        }
    }
}

/// A number within the range of `R`.
#[derive(Debug)]
pub(super) struct Number<R>(pub f64, PhantomData<R>);

/// A range of numbers, with its unit.
pub(super) trait Range {
    const RANGE: std::ops::RangeInclusive<f64>;
    const UNIT: &'static str;
}

#[derive(Debug)]
pub(super) struct Seconds;
impl Range for Seconds {
    const RANGE: std::ops::RangeInclusive<f64> = 0.0..=60.0;
    const UNIT: &'static str = "seconds";
}

#[derive(Debug)]
pub(super) struct Decibels;
impl Range for Decibels {
    const RANGE: std::ops::RangeInclusive<f64> = totton_protocol::settings::GAIN_DB;
    const UNIT: &'static str = "dB";
}

#[derive(Debug)]
pub(super) struct Room;
impl Range for Room {
    const RANGE: std::ops::RangeInclusive<f64> = totton_protocol::settings::HEADROOM_DB;
    const UNIT: &'static str = "dB";
}

impl<'de, R: Range> Deserialize<'de> for Number<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        if R::RANGE.contains(&value) {
            Ok(Self(value, PhantomData))
        } else {
            let (low, high) = (R::RANGE.start(), R::RANGE.end());
            Err(de::Error::custom(format!(
                "found {value}; accepted: a number from {low} to {high} ({})",
                R::UNIT
            )))
        }
    }
}

/// A text that is not empty.
#[derive(Debug)]
pub(super) struct Name(pub String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() || text.contains('\0') {
            return Err(de::Error::custom(format!(
                "found {text:?}; accepted: an ALSA device name"
            )));
        }
        Ok(Self(text))
    }
}

impl<'de> Deserialize<'de> for PlaybackChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Name(name) = Name::deserialize(deserializer)?;
        match name.as_str() {
            "auto" => Ok(Self::Auto),
            text if text.starts_with("usb:") => text
                .parse()
                .map(Self::Usb)
                .map_err(|form| de::Error::custom(format!("found {text:?}; accepted: {form}"))),
            // The other spellings of a card are plug-ins, too: plughw converts, dmix mixes. Who
            // wrote one here wants that.
            text if text.starts_with("hw:") => {
                Ok(CardDevice::spelled(text).map_or(Self::Named(name), Self::Card))
            }
            _ => Ok(Self::Named(name)),
        }
    }
}

/// A path whose placeholders are all known.
#[derive(Debug)]
pub(super) struct FilterPath(pub String);

impl<'de> Deserialize<'de> for FilterPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let rest = text.replace("{family}", "").replace("{ratio}", "");
        if rest.is_empty() || rest.contains(['{', '}', '\0']) {
            return Err(de::Error::custom(format!(
                "found {text:?}; accepted: a path, with the placeholders {{family}} and {{ratio}}"
            )));
        }
        Ok(Self(text))
    }
}

/// Formats in the order of preference, at least one.
#[derive(Debug)]
pub(super) struct Formats(pub Vec<SampleFormat>);

impl<'de> Deserialize<'de> for Formats {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let formats = Vec::deserialize(deserializer)?;
        if formats.is_empty() {
            return Err(de::Error::custom(
                "found an empty list; accepted: one or more of S16_LE, S24_3LE, S24_LE, S32_LE",
            ));
        }
        Ok(Self(formats))
    }
}

impl<'de> Deserialize<'de> for RatioChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ratio = number_or_auto(deserializer, "\"auto\" or one of 1, 2, 4, 8, 16", |value| {
            RATIOS.into_iter().find(|ratio| *ratio as i64 == value)
        })?;
        Ok(ratio.map_or(Self::Auto, Self::Fixed))
    }
}

#[derive(Debug)]
pub(super) struct BlockFrames(pub usize);

impl<'de> Deserialize<'de> for BlockFrames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let accepted = "a power of two from 64 to 65536";
        let value = integer(deserializer, accepted)?;
        if (64..=65536).contains(&value) && value & (value - 1) == 0 {
            Ok(Self(value as usize))
        } else {
            Err(de::Error::custom(format!("found {value}; accepted: {accepted}")))
        }
    }
}

impl<'de> Deserialize<'de> for CaptureRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let accepted = "\"auto\" or one of 44100, 48000, 88200, 96000, 176400, 192000 (Hz)";
        let rate = number_or_auto(deserializer, accepted, |value| {
            INPUT_RATES.into_iter().find(|rate| i64::from(*rate) == value)
        })?;
        Ok(rate.map_or(Self::Auto, Self::Fixed))
    }
}

/// A number that `find` knows, or `None` for `"auto"`.
fn number_or_auto<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    accepted: &'static str,
    find: impl Fn(i64) -> Option<T>,
) -> Result<Option<T>, D::Error> {
    struct NumberOrAuto<F>(&'static str, F);
    impl<T, F: Fn(i64) -> Option<T>> Visitor<'_> for NumberOrAuto<F> {
        type Value = Option<T>;
        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
            match (self.1)(value) {
                None => Err(E::invalid_value(de::Unexpected::Signed(value), &self)),
                found => Ok(found),
            }
        }
        fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
            match value {
                "auto" => Ok(None),
                _ => Err(E::invalid_value(de::Unexpected::Str(value), &self)),
            }
        }
    }
    deserializer.deserialize_any(NumberOrAuto(accepted, find))
}

/// An integer, with an error that says what is accepted.
fn integer<'de, D: Deserializer<'de>>(deserializer: D, accepted: &str) -> Result<i64, D::Error> {
    struct IntegerVisitor<'a>(&'a str);
    impl Visitor<'_> for IntegerVisitor<'_> {
        type Value = i64;
        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_i64<E: de::Error>(self, value: i64) -> Result<i64, E> {
            Ok(value)
        }
    }
    deserializer.deserialize_any(IntegerVisitor(accepted))
}
