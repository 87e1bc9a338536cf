//! Which playback devices there are, and what they can do.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use alsa::ctl::{Ctl, DeviceIter};
use alsa::pcm::{HwParams, PCM};
use alsa::{Card, Direction};
use totton_protocol::CardDevice;
use totton_protocol::dac_choice::Card as CardName;
use totton_protocol::text::bounded;

use super::{alsa_format, open_error};
use crate::config::PlaybackChoice;
use crate::device::dac::{Capabilities, Dac, OUTPUT_RATES, UsbId};
use crate::error::Error;
use crate::sample::SampleFormat;

/// The driver of USB sound cards.
const USB_DRIVER: &str = "USB-Audio";

/// The driver of the gadget's own card: what is played there goes to the computer.
const GADGET_DRIVER: &str = "UAC2_Gadget";

/// The machine's DACs. What a DAC can do is asked once, when it appears: it can
/// only be asked while nobody plays to it.
#[derive(Default)]
pub(super) struct Dacs {
    /// By ALSA name; gone when the DAC is.
    known: HashMap<String, Known>,
}

struct Known {
    card: i32,
    usb: Option<UsbId>,
    capabilities: Capabilities,
}

impl Dacs {
    /// All DACs that are there now.
    pub(super) fn list(&mut self) -> Vec<Dac> {
        let there = self.enumerate();
        there.into_iter().map(|(card, dac)| self.with_capabilities(card, dac)).collect()
    }

    /// The DAC that `choice` means.
    ///
    /// # Errors
    /// [`Error::DeviceAbsent`] when it is not there, or why it could not be asked what it can do.
    pub(super) fn find(&mut self, choice: &PlaybackChoice) -> Result<Dac, Error> {
        let found = self.enumerate().into_iter().find(|(card, dac)| match choice {
            PlaybackChoice::Auto => dac.usb.is_some(),
            PlaybackChoice::Usb(id) => dac.usb.as_ref().is_some_and(|found| id.means(found)),
            PlaybackChoice::Card(device) => is_at(device, *card, &dac.name),
            PlaybackChoice::Named(_) => false,
        });
        let mut dac = match (found, choice) {
            (Some((card, dac)), _) => self.with_capabilities(card, dac),
            (None, PlaybackChoice::Auto) => {
                return Err(Error::DeviceAbsent {
                    device: "the USB DAC".to_owned(),
                    hint: "no card with the driver USB-Audio and a playback device".to_owned(),
                });
            }
            (None, PlaybackChoice::Usb(id)) => {
                return Err(Error::DeviceAbsent {
                    device: format!("the DAC {id}"),
                    hint: "no such USB device with a playback device now".to_owned(),
                });
            }
            // Not among the DACs: a subdevice, or the gadget's own card.
            (None, PlaybackChoice::Card(device)) => named(device.to_string())?,
            (None, PlaybackChoice::Named(name)) => named(name.clone())?,
        };
        if dac.capabilities.is_none() {
            // Asked again for the reason.
            dac.capabilities = Some(probe(&dac.name)?);
        }
        Ok(dac)
    }

    /// The DACs by their cards' numbers, not asked what they can do.
    fn enumerate(&mut self) -> Vec<(i32, Dac)> {
        let mut there = vec![];
        // A card that goes away while it is being looked at is as good as absent.
        for card in alsa::card::Iter::new().flatten() {
            let number = card.get_index();
            there.extend(devices(&card).unwrap_or_default().into_iter().map(|dac| (number, dac)));
        }
        self.known.retain(|name, _| there.iter().any(|(_, dac)| dac.name == *name));
        there
    }

    fn with_capabilities(&mut self, card: i32, mut dac: Dac) -> Dac {
        let known = self.known.get(&dac.name).filter(|k| k.card == card && k.usb == dac.usb);
        dac.capabilities = match known {
            Some(known) => Some(known.capabilities.clone()),
            None => probe(&dac.name).ok(),
        };
        if let Some(capabilities) = dac.capabilities.clone() {
            let known = Known { card, usb: dac.usb.clone(), capabilities };
            self.known.insert(dac.name.clone(), known);
        }
        dac
    }
}

/// Whether `device` is the DAC called `name`, `hw:ID,DEVICE`, of the card with the number `card`.
fn is_at(device: &CardDevice, card: i32, name: &str) -> bool {
    let named = CardDevice::spelled(name);
    let same_card = |named: &CardDevice| match device.card {
        CardName::Number(number) => i32::try_from(number) == Ok(card),
        CardName::Id(_) => named.card == device.card,
    };
    device.subdevice.is_none()
        && named.is_some_and(|named| named.device == device.device && same_card(&named))
}

/// The PCM `name`, which alsa-lib knows.
fn named(name: String) -> Result<Dac, Error> {
    super::card::check_present(&name, Direction::Playback)?;
    Ok(Dac { description: name.clone(), name, usb: None, capabilities: None })
}

/// The playback devices of `card`, not yet asked what they can do.
fn devices(card: &Card) -> alsa::Result<Vec<Dac>> {
    let control = Ctl::from_card(card, true)?;
    let info = control.card_info()?;
    let (driver, id) = (info.get_driver()?, info.get_id()?);
    if driver == GADGET_DRIVER {
        return Ok(vec![]);
    }
    let usb = if driver == USB_DRIVER { usb_id(card) } else { None };
    let plays = |device: &i32| {
        u32::try_from(*device).is_ok_and(|d| control.pcm_info(d, 0, Direction::Playback).is_ok())
    };
    // The kernel cuts a DAC's name at 32 bytes, in the middle of a character, too.
    let name = info.get_name().map_or_else(|_| id.to_owned(), bounded);
    Ok(DeviceIter::new(&control)
        .filter(plays)
        .map(|device| Dac {
            name: format!("hw:{id},{device}"),
            description: name.clone(),
            usb: usb.clone(),
            capabilities: None,
        })
        .collect())
}

/// The identity of a USB card: that of the device whose interface the card is.
fn usb_id(card: &Card) -> Option<UsbId> {
    let interface = fs::canonicalize(format!("/sys/class/sound/card{}/device", card.get_index()));
    usb_id_at(interface.ok()?.parent()?)
}

fn usb_id_at(device: &Path) -> Option<UsbId> {
    let text = |name: &str| Some(fs::read_to_string(device.join(name)).ok()?.trim().to_owned());
    let number = |name: &str| u16::from_str_radix(&text(name)?, 16).ok();
    let serial = text("serial").filter(|serial| !serial.is_empty());
    Some(UsbId { vendor: number("idVendor")?, product: number("idProduct")?, serial })
}

/// Asks the PCM `name` what it can do, without setting it up.
fn probe(name: &str) -> Result<Capabilities, Error> {
    let pcm = PCM::new(name, Direction::Playback, true).map_err(|e| open_error(name, e))?;
    let failed = |source| Error::Alsa { device: name.to_owned(), source };
    let params = HwParams::any(&pcm).map_err(failed)?;
    params.set_rate_resample(false).map_err(failed)?;
    let channels = |n: alsa::Result<u32>| n.map_err(failed).map(|n| n as usize);
    let formats = [SampleFormat::S32, SampleFormat::S24, SampleFormat::S24In3, SampleFormat::S16];
    Ok(Capabilities {
        rates: OUTPUT_RATES.into_iter().filter(|rate| params.test_rate(*rate).is_ok()).collect(),
        formats: formats
            .into_iter()
            .filter(|format| params.test_format(alsa_format(*format)).is_ok())
            .collect(),
        channels: channels(params.get_channels_min())?..=channels(params.get_channels_max())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_found_by_number_or_id_and_device() {
        let means = |choice: &str, card: i32, name: &str| {
            is_at(&CardDevice::spelled(choice).unwrap(), card, name)
        };
        assert!(means("hw:CARD=D90,DEV=0", 1, "hw:D90,0") && means("hw:1", 1, "hw:D90,0"));
        assert!(means("front:CARD=D90,DEV=0", 1, "hw:D90,0") && means("hw:1,3", 1, "hw:D90,3"));
        assert!(!means("hw:2", 1, "hw:D90,0") && !means("hw:D90,1", 1, "hw:D90,0"));
        assert!(!means("hw:D9,0", 1, "hw:D90,0") && !means("hw:D90,0,0", 1, "hw:D90,0"));
    }

    #[test]
    fn a_usb_device_is_known_by_its_files() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(usb_id_at(folder.path()), None);
        fs::write(folder.path().join("idVendor"), "20b1\n").unwrap();
        fs::write(folder.path().join("idProduct"), "30d2\n").unwrap();
        assert_eq!(usb_id_at(folder.path()).unwrap().to_string(), "usb:20b1:30d2");
        fs::write(folder.path().join("serial"), "A77\n").unwrap();
        assert_eq!(usb_id_at(folder.path()).unwrap().to_string(), "usb:20b1:30d2:A77");
    }

    #[test]
    fn an_absent_dac_is_named_as_it_was_chosen() {
        let refusal = |choice| Dacs::default().find(&choice).unwrap_err().to_string();
        let usb = PlaybackChoice::Usb("usb:ffff:fffe:7".parse().unwrap());
        assert!(refusal(usb).contains("the DAC usb:ffff:fffe:7 is not there"));
        let named = PlaybackChoice::Named("hw:NoSuchCard,0".to_owned());
        assert!(refusal(named).contains("hw:NoSuchCard,0 is not there"));
    }

    #[test]
    fn a_plug_in_says_what_it_can_do() {
        let found = Dacs::default().find(&PlaybackChoice::Named("null".to_owned())).unwrap();
        assert_eq!(found.rates(), OUTPUT_RATES);
    }
}
