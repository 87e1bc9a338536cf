//! A device of a sound card.

use std::fmt;

/// The most characters of a card's id: the kernel's `id[16]` with its zero, `struct snd_card`.
const MAX_ID: usize = 15;

/// The highest number of a card, a device and a subdevice: `SNDRV_CARDS` is at most 256, and a
/// sound card has at most 256 minor numbers for its devices (`include/sound/minors.h`).
const MAX_NUMBER: u32 = 255;

/// A sound card: its number, or its id as `/proc/asound/cards` has it in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Card {
    /// 0 to 255.
    Number(u32),
    /// 1 to 15 letters, digits, `_` and `-`, not digits alone (kernel, `sound/core/init.c`).
    Id(CardId),
}

/// A card's id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CardId(String);

impl CardId {
    /// The id itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Card {
    fn parse(text: &str) -> Option<Self> {
        if text.bytes().all(|b| b.is_ascii_digit()) {
            return number(text).map(Self::Number);
        }
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        let good = text.len() <= MAX_ID && text.bytes().all(known);
        good.then(|| Self::Id(CardId(text.to_owned())))
    }
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Id(id) => f.write_str(id.as_str()),
        }
    }
}

fn number(text: &str) -> Option<u32> {
    let digits = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number <= MAX_NUMBER)
}

/// A device of a sound card. Its [`Display`](fmt::Display) is the name that alsa-lib is given,
/// `hw:CARD,DEVICE`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CardDevice {
    pub card: Card,
    /// 0 to 255.
    pub device: u32,
    /// 0 to 255; `None`: whichever is free.
    pub subdevice: Option<u32>,
}

impl fmt::Display for CardDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hw:{},{}", self.card, self.device)?;
        self.subdevice.map_or(Ok(()), |subdevice| write!(f, ",{subdevice}"))
    }
}

/// Names of PCMs whose arguments are the kernel's own numbers.
const DIRECT: [&str; 3] = ["hw", "plughw", "dmix"];

/// Names that alsa-lib's files lead to device 0 of the card (`alsa/cards/*.conf`): what comes
/// after the card counts such outputs, not devices.
const FIRST: [&str; 3] = ["default", "sysdefault", "front"];

impl CardDevice {
    /// The device that the ALSA name `name` spells, as `aplay -L` prints it or as people write it
    /// after `aplay -l`: `hw:DAC,0`, `hw:0`, `hw:CARD=DAC,DEV=0`, `plughw:CARD=DAC`,
    /// `sysdefault:CARD=DAC`, `front:CARD=DAC,DEV=0`. `None` for every other name.
    #[must_use]
    pub fn spelled(name: &str) -> Option<Self> {
        let (kind, arguments) = name.split_once(':')?;
        if !DIRECT.contains(&kind) && !FIRST.contains(&kind) {
            return None;
        }
        let [card, device, subdevice] = arguments_of(arguments)?;
        let number_at = |part: Option<&str>| part.map_or(Some(None), |p| number(p).map(Some));
        let found = Self {
            card: Card::parse(card.filter(|card| !card.is_empty())?)?,
            device: number_at(device)?.unwrap_or(0),
            subdevice: number_at(subdevice)?,
        };
        let first = found.device == 0 && found.subdevice.is_none();
        (DIRECT.contains(&kind) || first).then_some(found)
    }
}

/// The arguments CARD, DEV and SUBDEV, by their places or by their names.
fn arguments_of(text: &str) -> Option<[Option<&str>; 3]> {
    let mut found = [None; 3];
    for (place, part) in text.split(',').enumerate() {
        let (place, value) = match part.split_once('=') {
            Some((key, value)) => {
                (["CARD", "DEV", "SUBDEV"].iter().position(|known| *known == key)?, value)
            }
            None => (place, part),
        };
        // More than three, or one of them twice.
        let slot = found.get_mut(place).filter(|slot| slot.is_none())?;
        *slot = Some(value);
    }
    Some(found)
}
