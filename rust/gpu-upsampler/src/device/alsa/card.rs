//! Whether a card is there.

use std::ffi::CString;

use alsa::ctl::Ctl;
use alsa::{Card, Direction};

use crate::error::Error;

/// Where a hardware PCM is: what is behind `hw:`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) card: String,
    pub(super) device: u32,
    pub(super) subdevice: u32,
}

impl Address {
    /// That of the PCM `name`, if it is a hardware one; what is not named is 0.
    pub(super) fn of(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("hw:").or_else(|| name.strip_prefix("plughw:"))?;
        let mut parts = rest.splitn(3, ',');
        let card = parts.next()?.to_owned();
        let mut number = || parts.next().map_or(Some(0), |part| part.parse().ok());
        Some(Self { card, device: number()?, subdevice: number()? })
    }
}

/// Checks that a device called `hw:CARD,DEVICE` exists, without opening it.
/// Other names (plug-ins) are taken on trust.
///
/// # Errors
/// [`Error::DeviceAbsent`] when its card or device is not there.
pub(super) fn check_present(name: &str, direction: Direction) -> Result<(), Error> {
    let Some(Address { card, device, .. }) = Address::of(name) else { return Ok(()) };
    let control = open_card(name, &card)?;
    control.pcm_info(device, 0, direction).map(drop).map_err(|_| Error::DeviceAbsent {
        device: name.to_owned(),
        hint: format!("the card has no such device for {direction:?}").to_lowercase(),
    })
}

/// The control device of the card of the PCM `name`.
pub(super) fn open_card(name: &str, card: &str) -> Result<Ctl, Error> {
    let absent = || Error::DeviceAbsent {
        device: name.to_owned(),
        hint: "no such sound card now".to_owned(),
    };
    let id = CString::new(card).map_err(|_| absent())?;
    // By number: alsa-lib resolves it without a word, a name that is absent it complains about.
    Card::from_str(&id).and_then(|card| Ctl::from_card(&card, true)).map_err(|_| absent())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_hardware_devices_are_understood() {
        let address = |name: &str| Address::of(name).map(|a| (a.card, a.device, a.subdevice));
        assert_eq!(address("hw:UAC2Gadget,0"), Some(("UAC2Gadget".to_owned(), 0, 0)));
        assert_eq!(address("hw:DAC,1,3"), Some(("DAC".to_owned(), 1, 3)));
        assert_eq!(address("plughw:2"), Some(("2".to_owned(), 0, 0)));
        assert_eq!(address("null"), None);
        assert_eq!(address("hw:DAC,x"), None);
    }

    #[test]
    fn an_absent_card_is_named() {
        let error = check_present("hw:NoSuchCard,0", Direction::Playback).unwrap_err();
        assert_eq!(error.to_string(), "hw:NoSuchCard,0 is not there: no such sound card now");
    }
}
