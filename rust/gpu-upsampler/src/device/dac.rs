//! DACs: how one is told from another for good, and what it can do.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::sample::SampleFormat;

/// Rates in Hz that a DAC is played at.
pub const OUTPUT_RATES: [u32; 10] =
    [44_100, 48_000, 88_200, 96_000, 176_400, 192_000, 352_800, 384_000, 705_600, 768_000];

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
    pub fn means(&self, found: &Self) -> bool {
        (self.vendor, self.product) == (found.vendor, found.product)
            && (self.serial.is_none() || self.serial == found.serial)
    }
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

/// What a DAC says that it can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Those of [`OUTPUT_RATES`] that it accepts, rising.
    pub rates: Vec<u32>,
    pub formats: Vec<SampleFormat>,
    pub channels: RangeInclusive<usize>,
}

/// A playback device of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dac {
    /// ALSA name, `hw:CARD,DEVICE`, with the card's id.
    pub name: String,
    /// The card's name for people.
    pub description: String,
    /// Of a USB device.
    pub usb: Option<UsbId>,
    /// `None` when it could not be asked yet, because another program uses it.
    pub capabilities: Option<Capabilities>,
}

impl Dac {
    /// The rates in Hz that it is known to accept, rising.
    pub fn rates(&self) -> &[u32] {
        self.capabilities.as_ref().map_or(&[], |capabilities| &capabilities.rates)
    }

    /// The same, for a message.
    pub fn rates_in_words(&self) -> String {
        let rates: Vec<_> = self.rates().iter().map(u32::to_string).collect();
        format!("{} Hz", rates.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usb_id_reads_as_it_is_written() {
        for text in ["usb:20b1:30d2", "usb:0d8c:0012:A:1 b"] {
            assert_eq!(text.parse::<UsbId>().unwrap().to_string(), text);
        }
        for text in ["usb:20b1", "usb:20b:30d2", "20b1:30d2", "usb:20b1:30d2:", "usb:20b1:30dx"] {
            assert!(text.parse::<UsbId>().is_err(), "{text}");
        }
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
