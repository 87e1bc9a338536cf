//! The DAC of the settings: any DAC, a USB device, or a device of a sound card. No text of
//! alsa-lib's: its plug-ins open files and run commands, so their names are for the
//! configuration's files alone.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::text::{NotAccepted, is_plain, quoted};

/// The most characters of a card's id: the kernel's `id[16]` with its zero, `struct snd_card`.
const MAX_ID: usize = 15;

/// The highest number of a card, a device and a subdevice: `SNDRV_CARDS` is at most 256, and a
/// sound card has at most 256 minor numbers for its devices (`include/sound/minors.h`).
const MAX_NUMBER: u32 = 255;

/// The most characters of a serial number: a USB string descriptor holds 126.
const MAX_SERIAL: usize = 126;

/// Which USB device a card is: `usb:VID:PID` or `usb:VID:PID:SERIAL`, the
/// numbers in hexadecimal as `lsusb` prints them. Unlike a card's number or id
/// it depends neither on the port nor on the order of plugging.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UsbId {
    pub vendor: u16,
    pub product: u16,
    /// In a choice, `None` means any; of a device, that it has none.
    pub serial: Option<String>,
}

impl UsbId {
    /// Whether this choice means the device `found`.
    #[must_use]
    pub fn means(&self, found: &Self) -> bool {
        (self.vendor, self.product) == (found.vendor, found.product)
            && (self.serial.is_none() || self.serial == found.serial)
    }

    /// This device as a choice that can be set. A serial number that no setting can hold is left
    /// out: a DAC may tell anything.
    #[must_use]
    pub fn to_choice(&self) -> Self {
        let serial = self.serial.clone().filter(|serial| is_serial(serial));
        Self { serial, ..*self }
    }
}

fn is_serial(text: &str) -> bool {
    let length = text.chars().take(MAX_SERIAL + 1).count();
    (1..=MAX_SERIAL).contains(&length) && text.chars().all(is_plain)
}

impl fmt::Display for UsbId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "usb:{:04x}:{:04x}", self.vendor, self.product)?;
        self.serial.as_ref().map_or(Ok(()), |serial| write!(f, ":{serial}"))
    }
}

impl FromStr for UsbId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "usb:VID:PID or usb:VID:PID:SERIAL, as lsusb -v prints them";
        let number = |part: Option<&str>| {
            part.filter(|p| p.len() == 4).and_then(|p| u16::from_str_radix(p, 16).ok()).ok_or(FORM)
        };
        let mut parts = text.splitn(4, ':');
        if parts.next() != Some("usb") {
            return Err(FORM);
        }
        let (vendor, product) = (number(parts.next())?, number(parts.next())?);
        match parts.next() {
            Some("") => Err(FORM),
            serial => Ok(Self { vendor, product, serial: serial.map(str::to_owned) }),
        }
    }
}

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

/// A DAC that a listener chooses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DacChoice {
    /// The first USB DAC.
    Auto,
    /// By what it is on the USB.
    Usb(UsbId),
    /// By the sound card.
    Card(CardDevice),
}

const ACCEPTED: &str = "\"auto\", usb:VID:PID or usb:VID:PID:SERIAL as lsusb -v prints them, or a \
                        device of a sound card, hw:CARD,DEVICE, with the card's id or number as \
                        aplay -l prints them; another name of alsa-lib can only stand in \
                        /etc/totton-audio/upsampler.d";

/// What else `aplay -L` prints: which device that is differs from card to card, and stands in
/// alsa-lib's files.
const BY_USE: [&str; 11] = [
    "iec958:",
    "spdif:",
    "hdmi:",
    "rear:",
    "center_lfe:",
    "side:",
    "surround",
    "modem:",
    "phoneline:",
    "usbstream:",
    "dsnoop:",
];

impl FromStr for DacChoice {
    type Err = NotAccepted;

    fn from_str(text: &str) -> Result<Self, NotAccepted> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let refused = |accepted: &str| NotAccepted::new(quoted(text), accepted);
        if text.starts_with("usb:") {
            let id: UsbId = text.parse().map_err(refused)?;
            return match id.serial.as_deref().is_none_or(is_serial) {
                true => Ok(Self::Usb(id)),
                false => Err(refused("a serial number of at most 126 visible characters")),
            };
        }
        if let Some(found) = CardDevice::spelled(text) {
            return Ok(Self::Card(found));
        }
        if BY_USE.iter().any(|name| text.starts_with(name)) {
            return Err(refused(
                "hw:CARD,DEVICE with the numbers of aplay -l: a name after its use is another \
                 device on each kind of card",
            ));
        }
        Err(refused(ACCEPTED))
    }
}

impl fmt::Display for DacChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Usb(id) => id.fmt(f),
            Self::Card(device) => device.fmt(f),
        }
    }
}

impl Serialize for DacChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DacChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<DacChoice, serde_json::Error> {
        serde_json::from_value(serde_json::Value::from(text))
    }

    #[test]
    fn every_spelling_of_a_card_and_a_device_is_understood() {
        for (spelling, meant) in [
            ("hw:DAC,0", "hw:DAC,0"),
            ("hw:DAC", "hw:DAC,0"),
            ("hw:0", "hw:0,0"),
            ("hw:0,3", "hw:0,3"),
            ("hw:DAC,1,2", "hw:DAC,1,2"),
            ("hw:CARD=DAC,DEV=0", "hw:DAC,0"),
            ("hw:CARD=DAC,DEV=1,SUBDEV=2", "hw:DAC,1,2"),
            ("hw:DEV=1,CARD=DAC", "hw:DAC,1"),
            ("hw:CARD=D90", "hw:D90,0"),
            ("plughw:CARD=D90,DEV=0", "hw:D90,0"),
            ("plughw:2", "hw:2,0"),
            ("dmix:CARD=D90,DEV=1", "hw:D90,1"),
            ("sysdefault:CARD=D90", "hw:D90,0"),
            ("default:CARD=D90", "hw:D90,0"),
            ("front:CARD=D90,DEV=0", "hw:D90,0"),
            ("hw:CARD=A_b-9,DEV=255", "hw:A_b-9,255"),
            ("hw:255", "hw:255,0"),
            ("hw:ABCDEFGHIJKLMNO", "hw:ABCDEFGHIJKLMNO,0"),
            ("auto", "auto"),
            ("usb:20b1:30D2", "usb:20b1:30d2"),
            ("usb:0d8c:0012:A:1 b", "usb:0d8c:0012:A:1 b"),
        ] {
            let choice = read(spelling).unwrap_or_else(|error| panic!("{spelling}: {error}"));
            assert_eq!(serde_json::to_value(&choice).unwrap(), meant, "{spelling}");
            assert_eq!(read(meant).unwrap(), choice, "it reads as it is written");
        }
    }

    #[test]
    fn no_other_text_is_a_dac() {
        let long = format!("hw:{}", "A".repeat(100_000));
        for hostile in [
            "",
            "auto ",
            "Auto",
            "null",
            "default",
            "sysdefault",
            "pulse",
            "D90",
            "0",
            "file:'|id > /tmp/x; cat > /dev/null',raw",
            "file:'|id',raw",
            "file:/etc/passwd",
            "file:FILE=/etc/passwd,FORMAT=raw",
            "tee:hw,'/tmp/x',raw",
            "tee:",
            "plug:'hw:0,0'",
            "plug:hw",
            "hw:{card 0}",
            "{ type file file \"|id\" }",
            "hw:0,0'",
            "hw:'0',0",
            "hw:\"0\",0",
            "hw:0,0,raw",
            "hw:0,0,0,0",
            "hw:@args",
            "@args",
            "hw:",
            "hw:,",
            "hw:,0",
            "hw:CARD=",
            "hw:0,",
            "hw:0,x",
            "hw:0,-1",
            "hw:0,+1",
            "hw:+0",
            "hw:256",
            "hw:0,256",
            "hw:0000",
            "hw:0,0x0",
            "hw:99999999999999999999",
            "hw:CARD=DAC,CARD=DAC",
            "hw:0,DEV=0,DEV=1",
            "hw:FILE=x",
            "hw:CARD=DAC;DEV=0",
            "hw:DAC ,0",
            " hw:DAC,0",
            "hw:DAC,0\n",
            "hw:DAC,0\0",
            "hw:D\0AC",
            "hw:DAC,0\u{202e}",
            "hw:ＤＡＣ,0",
            "ｈｗ:DAC,0",
            "hw:D\u{430}C,0",
            "hw:DAC,\u{663}",
            "hw:../0",
            "hw:/dev/snd/controlC0",
            "hw:DAC.0",
            "hw:$HOME",
            "hw:ABCDEFGHIJKLMNOP",
            &long,
            "HW:0",
            "hw:0:0",
            "shm:0",
            "hooks:0",
            "ladspa:x",
            "softvol:hw",
            "default:CARD=D90,DEV=0,AES0=4",
            "front:CARD=D90,DEV=1",
            "iec958:CARD=D90,DEV=0",
            "hdmi:CARD=NVidia,DEV=0",
            "surround51:CARD=D90,DEV=0",
            "usbstream:CARD=D90",
            "usb:1",
            "usb:20b1",
            "usb:20b:30d2",
            "usb:20b1:30d2:",
            "usb:20b1:30dx",
            "usb:20b1:30d2:a\nb",
            "usb:20b1:30d2:\u{202e}x",
            &format!("usb:20b1:30d2:{}", "x".repeat(127)),
        ] {
            let refused = match read(hostile) {
                Err(error) => error.to_string(),
                Ok(choice) => panic!("{hostile:?} is {choice}"),
            };
            assert!(refused.contains("accepted: "), "{refused}");
            assert!(refused.chars().all(is_plain) && refused.len() < 1000, "{refused:?}");
        }
        for other in ["5", "null", "{}", "[\"auto\"]", "true"] {
            assert!(serde_json::from_str::<DacChoice>(other).is_err(), "{other}");
        }
    }

    #[test]
    fn what_is_given_to_alsa_lib_has_nothing_that_it_interprets() {
        // Whatever is accepted of all texts over a small alphabet of what alsa-lib reads specially.
        let alphabet =
            ["hw:", "D", "1", ",", "=", "CARD=", "DEV=", "'", "\"", "|", "{", "@", "/", "\n"];
        let mut texts = vec![String::new()];
        let mut accepted = 0;
        for _ in 0..5 {
            texts = texts.iter().flat_map(|t| alphabet.map(|part| format!("{t}{part}"))).collect();
            if texts.len() > 50_000 {
                texts.retain(|text| text.starts_with("hw:"));
            }
            for choice in texts.iter().filter_map(|text| text.parse::<DacChoice>().ok()) {
                let name = choice.to_string();
                let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ',');
                assert!(
                    name.strip_prefix("hw:").is_some_and(|n| n.chars().all(harmless)),
                    "{name}"
                );
                accepted += 1;
            }
        }
        assert!(accepted > 20, "{accepted}");
    }

    #[test]
    fn a_usb_id_reads_as_it_is_written() {
        for text in ["usb:20b1:30d2", "usb:0d8c:0012:A:1 b"] {
            assert_eq!(text.parse::<UsbId>().unwrap().to_string(), text);
        }
        let strange = UsbId { vendor: 1, product: 2, serial: Some("a\u{1b}[2J".to_owned()) };
        assert_eq!(strange.to_choice().to_string(), "usb:0001:0002");
        assert!(strange.to_choice().means(&strange), "the choice still means it");
    }

    #[test]
    fn a_choice_without_serial_number_means_any_of_the_kind() {
        let id = |text: &str| text.parse::<UsbId>().unwrap();
        assert!(id("usb:20b1:30d2").means(&id("usb:20b1:30d2:77")));
        assert!(id("usb:20b1:30d2:77").means(&id("usb:20b1:30d2:77")));
        assert!(!id("usb:20b1:30d2:77").means(&id("usb:20b1:30d2:78")));
        assert!(!id("usb:20b1:30d2:77").means(&id("usb:20b1:30d2")));
        assert!(!id("usb:20b1:30d2").means(&id("usb:20b1:30d3")));
    }
}
