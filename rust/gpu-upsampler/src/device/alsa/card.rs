//! Whether a card is there, and what the gadget's card tells of its host.

use std::ffi::CString;

use alsa::ctl::{Ctl, ElemId, ElemIface, ElemType, ElemValue};
use alsa::{Card, Direction};

use crate::error::Error;

/// Checks that a device called `hw:CARD,DEVICE` exists, without opening it.
/// Other names (plug-ins) are taken on trust.
///
/// # Errors
/// [`Error::DeviceAbsent`] when its card or device is not there.
pub(super) fn check_present(name: &str, direction: Direction) -> Result<(), Error> {
    let Some((card, device)) = card_and_device(name) else { return Ok(()) };
    let control = open_card(name, card)?;
    control.pcm_info(device, 0, direction).map(drop).map_err(|_| Error::DeviceAbsent {
        device: name.to_owned(),
        hint: format!("the card has no such device for {direction:?}").to_lowercase(),
    })
}

/// The control device of the card of the PCM `name`.
fn open_card(name: &str, card: &str) -> Result<Ctl, Error> {
    let absent = || Error::DeviceAbsent {
        device: name.to_owned(),
        hint: "no such sound card now".to_owned(),
    };
    let id = CString::new(card).map_err(|_| absent())?;
    // By number: alsa-lib resolves it without a word, a name that is absent it complains about.
    Card::from_str(&id).and_then(|card| Ctl::from_card(&card, true)).map_err(|_| absent())
}

/// `hw:CARD,DEVICE` → (CARD, DEVICE); the device is 0 where none is named.
fn card_and_device(name: &str) -> Option<(&str, u32)> {
    let rest = name.strip_prefix("hw:").or_else(|| name.strip_prefix("plughw:"))?;
    let mut parts = rest.split(',');
    let card = parts.next()?;
    match parts.next() {
        None => Some((card, 0)),
        Some(device) => Some((card, device.parse().ok()?)),
    }
}

/// The control `Capture Rate` of a UAC2 gadget: the rate in Hz that the host
/// streams at, 0 while it does not (kernel, `drivers/usb/gadget/function/u_audio.c`).
pub struct RateControl {
    device: String,
    control: Ctl,
    id: ElemId,
}

// SAFETY: the handle and the id are used through `&self` of one owner at a time only; alsa-lib
// does not tie either to the thread that made it.
unsafe impl Send for RateControl {}

impl RateControl {
    /// The control of the card of the PCM `device`.
    ///
    /// # Errors
    /// [`Error::DeviceAbsent`] when the card is not there, [`Error::DeviceRefused`] when `device`
    /// names no card.
    pub fn open(device: &str) -> Result<Self, Error> {
        let (card, number) = card_and_device(device).ok_or_else(|| no_control(device))?;
        let control = open_card(device, card)?;
        let mut id = ElemId::new(ElemIface::PCM);
        id.set_device(number);
        let name = CString::new("Capture Rate").map_err(|_| no_control(device))?;
        id.set_name(&name);
        Ok(Self { device: device.to_owned(), control, id })
    }

    /// The PCM that the rate is of.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// The host's rate in Hz, `None` while it streams nothing.
    ///
    /// # Errors
    /// [`Error::DeviceGone`] when the card went away, [`Error::DeviceRefused`] when it has no such
    /// control.
    pub fn rate(&self) -> Result<Option<u32>, Error> {
        let failed = |source| Error::Alsa { device: self.device.clone(), source };
        let mut value = ElemValue::new(ElemType::Integer).map_err(failed)?;
        value.set_id(&self.id);
        match self.control.elem_read(&mut value) {
            Ok(()) => Ok(value
                .get_integer(0)
                .and_then(|rate| u32::try_from(rate).ok())
                .filter(|rate| *rate > 0)),
            Err(error) if error.errno() == libc::ENODEV => {
                Err(Error::DeviceGone { device: self.device.clone() })
            }
            Err(_) => Err(no_control(&self.device)),
        }
    }
}

fn no_control(device: &str) -> Error {
    Error::DeviceRefused {
        device: device.to_owned(),
        what: "capture.rate = \"auto\"",
        wanted: "the control Capture Rate of a USB gadget".to_owned(),
        accepted: "no such control; set capture.rate to the rate in Hz".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_hardware_devices_are_understood() {
        assert_eq!(card_and_device("hw:UAC2Gadget,0"), Some(("UAC2Gadget", 0)));
        assert_eq!(card_and_device("hw:DAC,1,3"), Some(("DAC", 1)));
        assert_eq!(card_and_device("plughw:2"), Some(("2", 0)));
        assert_eq!(card_and_device("null"), None);
        assert_eq!(card_and_device("hw:DAC,x"), None);
    }

    #[test]
    fn an_absent_card_is_named() {
        let error = check_present("hw:NoSuchCard,0", Direction::Playback).unwrap_err();
        assert_eq!(error.to_string(), "hw:NoSuchCard,0 is not there: no such sound card now");
        assert!(matches!(RateControl::open("hw:NoSuchCard,0"), Err(Error::DeviceAbsent { .. })));
    }
}
