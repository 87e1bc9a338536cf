//! The DAC of the settings: any DAC, a USB device, or a device of a sound card. No text of
//! alsa-lib's: its plug-ins open files and run commands, so their names are for the
//! configuration's files alone.
//!
//! - [`usb`]: a USB device
//! - [`card`]: a device of a sound card, and the many ways to spell it

mod card;
mod usb;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::text::{NotAccepted, quoted};

pub use card::{Card, CardDevice, CardId};
pub use usb::UsbId;

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
            return match id.has_a_serial_to_choose_by() {
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
    use crate::text::is_plain;

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
}
