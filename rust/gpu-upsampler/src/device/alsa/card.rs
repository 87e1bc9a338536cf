//! Whether a card is there.

use std::ffi::CString;

use alsa::ctl::Ctl;
use alsa::{Card, Direction};
use totton_protocol::CardDevice;
use totton_protocol::dac_choice::Card as CardName;

use crate::error::Error;

/// Checks that the card and the device that a PCM's name spells exist, without opening it.
/// Other names are alsa-lib's to know.
///
/// # Errors
/// [`Error::DeviceAbsent`] when its card or device is not there.
pub(super) fn check_present(name: &str, direction: Direction) -> Result<(), Error> {
    let Some(CardDevice { card, device, .. }) = CardDevice::spelled(name) else { return Ok(()) };
    let control = open_card(name, &card)?;
    control.pcm_info(device, 0, direction).map(drop).map_err(|_| Error::DeviceAbsent {
        device: name.to_owned(),
        hint: format!("the card has no such device for {direction:?}").to_lowercase(),
    })
}

/// The control device of the card of the PCM `name`.
pub(super) fn open_card(name: &str, card: &CardName) -> Result<Ctl, Error> {
    let absent = || Error::DeviceAbsent {
        device: name.to_owned(),
        hint: "no such sound card now".to_owned(),
    };
    let id = CString::new(card.to_string()).map_err(|_| absent())?;
    // By number: alsa-lib resolves it without a word, a name that is absent it complains about.
    Card::from_str(&id).and_then(|card| Ctl::from_card(&card, true)).map_err(|_| absent())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_card_is_named_however_it_is_spelled() {
        for name in [
            "hw:NoSuchCard,0",
            "hw:CARD=NoSuchCard,DEV=0",
            "plughw:CARD=NoSuchCard",
            "hw:99",
            "sysdefault:CARD=NoSuchCard",
            "front:CARD=NoSuchCard,DEV=0",
        ] {
            let error = check_present(name, Direction::Playback).unwrap_err();
            assert_eq!(error.to_string(), format!("{name} is not there: no such sound card now"));
        }
        check_present("null", Direction::Playback).unwrap();
    }
}
