//! Configuration values that cannot be built wrong. Their errors say what is accepted;
//! the TOML parser adds the line and the key.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `"auto"`, or a value.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String", bound = "")]
pub struct Choice<T: FromStr<Err = String>>(Option<T>);

impl<T: FromStr<Err = String>> Choice<T> {
    /// None means automatic.
    pub fn into_value(self) -> Option<T> {
        self.0
    }
}

impl<T: FromStr<Err = String>> TryFrom<String> for Choice<T> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "auto" { Ok(Self(None)) } else { text.parse().map(|value| Self(Some(value))) }
    }
}

/// A number from `MIN` to `MAX`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub struct Bounded<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> TryFrom<i64> for Bounded<MIN, MAX> {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        u32::try_from(number)
            .ok()
            .filter(|number| (MIN..=MAX).contains(number))
            .map(Self)
            .ok_or_else(|| format!("{number} is not accepted: a whole number from {MIN} to {MAX}"))
    }
}

impl<const MIN: u32, const MAX: u32> From<Bounded<MIN, MAX>> for u32 {
    fn from(bounded: Bounded<MIN, MAX>) -> u32 {
        bounded.0
    }
}

impl<const MIN: u32, const MAX: u32> From<Bounded<MIN, MAX>> for u64 {
    fn from(bounded: Bounded<MIN, MAX>) -> u64 {
        bounded.0.into()
    }
}

/// The sample rates offered to the PC, in Hz, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<i64>")]
pub struct SampleRates(Vec<u32>);

impl SampleRates {
    /// Both rate families, 44.1 kHz and 48 kHz, up to eightfold. The kernel takes at most
    /// ten rates (`UAC_MAX_RATES` of `include/linux/usb/audio-v2.h`'s users), so all fit.
    pub const ACCEPTED: [u32; 8] =
        [44_100, 48_000, 88_200, 96_000, 176_400, 192_000, 352_800, 384_000];

    /// As ConfigFS takes it: a comma list.
    pub fn comma_list(&self) -> String {
        self.0.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
    }
}

impl Default for SampleRates {
    fn default() -> Self {
        Self(Self::ACCEPTED[..6].to_vec())
    }
}

impl TryFrom<Vec<i64>> for SampleRates {
    type Error = String;

    fn try_from(rates: Vec<i64>) -> Result<Self, String> {
        let accepted = || Self(Self::ACCEPTED.to_vec()).comma_list();
        let mut checked = Vec::new();
        for rate in rates {
            let known = u32::try_from(rate).ok().filter(|rate| Self::ACCEPTED.contains(rate));
            let known =
                known.ok_or_else(|| format!("{rate} Hz is not accepted: any of {}", accepted()))?;
            if checked.contains(&known) {
                return Err(format!("{rate} Hz stands twice in the list"));
            }
            checked.push(known);
        }
        if checked.is_empty() {
            return Err(format!("the list is empty: at least one of {}", accepted()));
        }
        checked.sort_unstable();
        Ok(Self(checked))
    }
}

/// How the network looks to the PC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkFunction {
    #[default]
    Ncm,
    Ecm,
    Rndis,
}

impl NetworkFunction {
    /// The function's name in ConfigFS.
    pub fn driver(self) -> &'static str {
        match self {
            NetworkFunction::Ncm => "ncm",
            NetworkFunction::Ecm => "ecm",
            NetworkFunction::Rndis => "rndis",
        }
    }
}

/// The address of one end of the link: not a group address, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MacAddress([u8; 6]);

impl MacAddress {
    /// A locally administered station address made of `bytes`.
    pub fn locally_administered(mut bytes: [u8; 6]) -> Self {
        bytes[0] = bytes[0] & 0xfc | 0x02;
        Self(bytes)
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for MacAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "\"{text}\" is not accepted: \"auto\", or six hexadecimal bytes such as \
                 \"02:1a:2b:3c:4d:5e\", not all zero, the first one even (a station, not a group)"
            )
        };
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2).ok_or_else(refused)?;
            if !part.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(refused());
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| refused())?;
        }
        if parts.next().is_some() || bytes == [0; 6] || bytes[0] & 1 == 1 {
            return Err(refused());
        }
        Ok(Self(bytes))
    }
}

/// Text that fits a USB string descriptor: 1 to 126 UTF-16 units, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct UsbString(String);

impl TryFrom<String> for UsbString {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let units = text.encode_utf16().count();
        if (1..=126).contains(&units) && !text.chars().any(char::is_control) {
            Ok(Self(text))
        } else {
            Err(format!(
                "{text:?} is not accepted: 1 to 126 characters, none of them a control character"
            ))
        }
    }
}

impl From<UsbString> for String {
    fn from(text: UsbString) -> String {
        text.0
    }
}

/// A USB serial number. The characters are those that Windows puts into a device path as
/// they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialNumber(String);

impl FromStr for SerialNumber {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if (1..=64).contains(&text.len()) && text.chars().all(fine) {
            Ok(Self(text.to_string()))
        } else {
            Err(format!(
                "{text:?} is not accepted: \"auto\", or 1 to 64 of the letters A to Z and a to z, \
                 digits, '-', '_' and '.'"
            ))
        }
    }
}

impl From<SerialNumber> for String {
    fn from(serial: SerialNumber) -> String {
        serial.0
    }
}

/// A name out of `/sys/class/udc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UdcName(String);

impl FromStr for UdcName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = text.is_empty()
            || text.starts_with('.')
            || text.chars().any(|c| c == '/' || c.is_whitespace() || c.is_control());
        if refused {
            return Err(format!(
                "{text:?} is not accepted: \"auto\", or a name as `ls /sys/class/udc` prints it"
            ));
        }
        Ok(Self(text.to_string()))
    }
}

impl From<UdcName> for String {
    fn from(name: UdcName) -> String {
        name.0
    }
}
