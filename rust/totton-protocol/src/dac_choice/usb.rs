//! A USB device, by what it says it is.

use std::fmt;
use std::str::FromStr;

use crate::text::is_plain;

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

    /// Whether its serial number, if it has one, is one that a setting can hold.
    pub(super) fn has_a_serial_to_choose_by(&self) -> bool {
        self.serial.as_deref().is_none_or(is_serial)
    }

    /// This device as a choice that can be set. A serial number that no setting can hold is left
    /// out: a DAC may tell anything.
    #[must_use]
    pub fn to_choice(&self) -> Self {
        let serial = self.serial.clone().filter(|serial| is_serial(serial));
        Self { serial, ..*self }
    }
}

/// Whether a setting can hold this serial number.
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

#[cfg(test)]
mod tests {
    use super::*;

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
