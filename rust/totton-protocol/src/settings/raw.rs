//! Settings as they are written, before their values are looked at.

use serde::Deserialize;

use super::{Headroom, OutOfRange};
use crate::text::{EqualiserText, Name};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) version: u32,
    #[serde(default)]
    pub(super) sound: Sound,
    pub(super) dac: Option<String>,
    pub(super) filter: Option<String>,
    pub(super) equaliser: Option<Equaliser>,
}

impl Settings {
    pub(super) fn checked(self) -> Result<super::Settings, OutOfRange> {
        let settings = super::Settings {
            version: self.version,
            sound: self.sound.checked()?,
            dac: self.dac.map(|text| dac(&text)).transpose()?,
            filter: self.filter.map(filter).transpose()?,
            equaliser: self.equaliser.map(Equaliser::checked).transpose()?,
        };
        settings.check()?;
        Ok(settings)
    }
}

pub(super) fn dac(text: &str) -> Result<crate::DacChoice, OutOfRange> {
    text.parse().map_err(|error| OutOfRange::at("dac", error))
}

pub(super) fn filter(text: String) -> Result<crate::FilterPath, OutOfRange> {
    text.try_into().map_err(|error| OutOfRange::at("filter", error))
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Sound {
    gain_db: f64,
    mute: bool,
    balance: f64,
    mono: bool,
    crossfeed: Option<Crossfeed>,
    headroom: Headroom,
    headroom_db: f64,
    limiter: Option<Limiter>,
    host_volume: bool,
}

impl Default for Sound {
    fn default() -> Self {
        let sound = super::Sound::default();
        Self {
            gain_db: sound.gain_db,
            mute: sound.mute,
            balance: sound.balance,
            mono: sound.mono,
            crossfeed: None,
            headroom: sound.headroom,
            headroom_db: sound.headroom_db,
            limiter: None,
            host_volume: sound.host_volume,
        }
    }
}

impl Sound {
    pub(super) fn checked(self) -> Result<super::Sound, OutOfRange> {
        // Adding 0.0 makes 0.0 of -0.0, and changes nothing else.
        let sound = super::Sound {
            gain_db: self.gain_db + 0.0,
            mute: self.mute,
            balance: self.balance + 0.0,
            mono: self.mono,
            crossfeed: self.crossfeed.map(Crossfeed::checked).transpose()?,
            headroom: self.headroom,
            headroom_db: self.headroom_db + 0.0,
            limiter: self.limiter.map(Limiter::checked).transpose()?,
            host_volume: self.host_volume,
        };
        sound.check()?;
        Ok(sound)
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Crossfeed {
    cut_hz: f64,
    feed_db: f64,
}

impl Default for Crossfeed {
    fn default() -> Self {
        let super::Crossfeed { cut_hz, feed_db } = super::Crossfeed::default();
        Self { cut_hz, feed_db }
    }
}

impl Crossfeed {
    pub(super) fn checked(self) -> Result<super::Crossfeed, OutOfRange> {
        let crossfeed = super::Crossfeed { cut_hz: self.cut_hz, feed_db: self.feed_db };
        crossfeed.check()?;
        Ok(crossfeed)
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Limiter {
    threshold_db: f64,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { threshold_db: super::Limiter::default().threshold_db }
    }
}

impl Limiter {
    pub(super) fn checked(self) -> Result<super::Limiter, OutOfRange> {
        let limiter = super::Limiter { threshold_db: self.threshold_db };
        limiter.check()?;
        Ok(limiter)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Equaliser {
    pub(super) name: String,
    pub(super) text: String,
}

impl Equaliser {
    pub(super) fn checked(self) -> Result<super::Equaliser, OutOfRange> {
        let name =
            Name::try_from(self.name).map_err(|error| OutOfRange::at("equaliser.name", error))?;
        let text = EqualiserText::try_from(self.text)
            .map_err(|error| OutOfRange::at("equaliser.text", error))?;
        Ok(super::Equaliser { name, text })
    }
}
