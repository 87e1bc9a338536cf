//! The controls of the input's card: what they tell of the host's rate, and how its
//! clock is steered.
//!
//! - A UAC2 gadget has `Capture Rate`: the rate in Hz that the host streams at, 0
//!   while it does not (kernel, `drivers/usb/gadget/function/u_audio.c`).
//! - A loopback card has `PCM Slave Rate` and `PCM Slave Active`, of the player at
//!   its other end. With `PCM Notify` on, a player may choose another rate while
//!   we record: the kernel then stops our end (`sound/drivers/aloop.c`).
//! - `Capture Pitch 1000000` of a gadget is the rate in millionths that it asks its
//!   host for; the kernel sets it back whenever the host starts to stream.
//! - `PCM Rate Shift 100000` of a loopback card is the length of its frames in
//!   hundred-thousandths: more is slower.

use alsa::PollDescriptors;
use alsa::ctl::{Ctl, ElemId, ElemIface, ElemType, ElemValue};
use std::ffi::CString;
use std::os::fd::BorrowedFd;

use alsa::poll::{poll, pollfd};
use totton_protocol::{CardDevice, DriftMethod};

use super::card::open_card;
use crate::device::ClockSteering;
use crate::error::Error;

/// One control of a PCM, and the place for its value: an audio thread looks at it and allocates
/// nothing.
pub(super) struct Element {
    id: ElemId,
    kind: ElemType,
    value: ElemValue,
}

// SAFETY: id and value are used through one owner at a time only; alsa-lib does not tie them to
// the thread that made them.
unsafe impl Send for Element {}

impl Element {
    fn new(address: &CardDevice, name: &str, kind: ElemType) -> Option<Self> {
        let mut id = ElemId::new(ElemIface::PCM);
        id.set_device(address.device);
        id.set_subdevice(address.subdevice.unwrap_or(0));
        id.set_name(&CString::new(name).ok()?);
        Some(Self { id, kind, value: ElemValue::new(kind).ok()? })
    }

    fn read(&mut self, control: &Ctl) -> alsa::Result<i32> {
        self.value.set_id(&self.id);
        control.elem_read(&mut self.value)?;
        let found = match self.kind {
            ElemType::Boolean => self.value.get_boolean(0).map(i32::from),
            _ => self.value.get_integer(0),
        };
        Ok(found.unwrap_or(0))
    }

    fn write(&mut self, control: &Ctl, number: i32) -> alsa::Result<()> {
        self.value.set_id(&self.id);
        match self.kind {
            ElemType::Boolean => self.value.set_boolean(0, number != 0),
            _ => self.value.set_integer(0, number),
        };
        control.elem_write(&self.value)
    }
}

/// How a card tells its host's rate.
enum Source {
    Gadget { rate: Element },
    Loopback { rate: Element, active: Element },
}

/// What tells the rate of the host of an input.
pub(super) struct HostRate {
    device: String,
    control: Ctl,
    source: Source,
}

impl HostRate {
    /// That of the card of the PCM `device`.
    ///
    /// # Errors
    /// [`Error::DeviceAbsent`] when the card is not there, [`Error::DeviceRefused`] when it tells
    /// no rate.
    pub(super) fn open(device: &str) -> Result<Self, Error> {
        let address = CardDevice::spelled(device).ok_or_else(|| no_control(device))?;
        let control = open_card(device, &address.card)?;
        let element = |name, kind| Element::new(&address, name, kind);
        let there = |mut element: Element| element.read(&control).is_ok().then_some(element);
        let gadget = element("Capture Rate", ElemType::Integer).and_then(there);
        let source = if let Some(rate) = gadget {
            Source::Gadget { rate }
        } else {
            let rate = element("PCM Slave Rate", ElemType::Integer).and_then(there);
            let active = element("PCM Slave Active", ElemType::Boolean).and_then(there);
            let (Some(rate), Some(active)) = (rate, active) else {
                return Err(no_control(device));
            };
            // Without this a player is held to our rate, and says so: no more than that.
            if let Some(mut notify) = element("PCM Notify", ElemType::Boolean)
                && let Err(error) = notify.write(&control, 1)
            {
                log::warn!("{device}: players are held to one rate: {error}");
            }
            Source::Loopback { rate, active }
        };
        Ok(Self { device: device.to_owned(), control, source })
    }

    /// The PCM that the rate is of.
    pub(super) fn device(&self) -> &str {
        &self.device
    }

    /// The host's rate in Hz, `None` while it streams nothing.
    ///
    /// # Errors
    /// [`Error::DeviceGone`] when the card went away.
    pub(super) fn rate(&mut self) -> Result<Option<u32>, Error> {
        let read = match &mut self.source {
            Source::Gadget { rate } => rate.read(&self.control),
            Source::Loopback { rate, active } => match active.read(&self.control) {
                Ok(0) => Ok(0),
                Ok(_) => rate.read(&self.control),
                Err(error) => Err(error),
            },
        };
        match read {
            Ok(rate) => Ok(u32::try_from(rate).ok().filter(|rate| *rate > 0)),
            Err(error) if error.errno() == libc::ENODEV => {
                Err(Error::DeviceGone { device: self.device.clone() })
            }
            Err(_) => Err(no_control(&self.device)),
        }
    }

    /// Whether the host streams at another rate than `ours`, into the open PCM.
    ///
    /// A gadget's PCM goes on with what the host sends at its new rate; a loopback
    /// card stops the PCM, which its state tells better than the control: that
    /// keeps the rate of a player who is gone.
    fn is_other_than(&mut self, ours: u32) -> bool {
        self.is_gadget() && matches!(self.rate(), Ok(Some(rate)) if rate != ours)
    }

    /// Whether it is a gadget's: its events tell when the host starts and stops a stream, but not
    /// when it sets another rate in the middle of one.
    pub(super) fn is_gadget(&self) -> bool {
        matches!(self.source, Source::Gadget { .. })
    }
}

/// The rate of the host of an open PCM, looked at when its control tells of a change and at no
/// other time: each look costs a call of the kernel, in which it allocates.
pub(super) struct HostWatch {
    rate: HostRate,
    /// Tells of the control's events; `None`: it has none, or none are needed.
    events: Option<pollfd>,
    /// What the last look found.
    other: bool,
}

impl HostWatch {
    /// That of the card of the PCM `device`.
    ///
    /// # Errors
    /// As [`HostRate::open`].
    pub(super) fn open(device: &str) -> Result<Self, Error> {
        let rate = HostRate::open(device)?;
        let listen = || {
            rate.control.subscribe_events(true).ok()?;
            <[pollfd; 1]>::try_from(rate.control.get().ok()?).ok()
        };
        let events = if rate.is_gadget() { listen() } else { None };
        Ok(Self { rate, events: events.map(|[one]| one), other: false })
    }

    /// What becomes readable when the control tells of a change.
    pub(super) fn events(&self) -> Option<pollfd> {
        self.events
    }

    /// Whether the host streams at another rate than `ours`, into the open PCM. While it does, each
    /// call looks.
    pub(super) fn is_other_than(&mut self, ours: u32) -> bool {
        if self.has_changed() || self.other { self.look(ours) } else { false }
    }

    /// The same, looked at now.
    pub(super) fn look(&mut self, ours: u32) -> bool {
        self.other = self.rate.is_other_than(ours);
        self.other
    }

    /// Whether the control has told of changes, which are then taken off it.
    fn has_changed(&mut self) -> bool {
        let Some(events) = &mut self.events else { return false };
        let mut changed = false;
        // The events themselves tell nothing that the look does not, and alsa-lib would allocate
        // each. Of a card that is gone nothing can be read: the PCM tells of it.
        let mut room = [0; 1024];
        while matches!(poll(std::slice::from_mut(events), 0), Ok(1)) {
            changed = true;
            // SAFETY: the control is open as long as `self`, and so is its descriptor.
            let control = unsafe { BorrowedFd::borrow_raw(events.fd) };
            if !matches!(rustix::io::read(control, &mut room), Ok(1..)) {
                break;
            }
        }
        changed
    }
}

/// The control that steers an input's clock.
pub(super) struct Steering {
    device: String,
    control: Ctl,
    method: DriftMethod,
    element: Element,
}

impl Steering {
    /// That of the card of the PCM `device`, if it has one.
    pub(super) fn open(device: &str) -> Option<Self> {
        let address = CardDevice::spelled(device)?;
        let control = open_card(device, &address.card).ok()?;
        let kinds = [
            (DriftMethod::GadgetPitch, "Capture Pitch 1000000"),
            (DriftMethod::LoopbackRateShift, "PCM Rate Shift 100000"),
        ];
        let (method, element) = kinds.into_iter().find_map(|(method, name)| {
            let mut element = Element::new(&address, name, ElemType::Integer)?;
            element.read(&control).is_ok().then_some((method, element))
        })?;
        Some(Self { device: device.to_owned(), control, method, element })
    }

    fn set(&mut self, correction: f64) -> alsa::Result<()> {
        let value = value(self.method, correction);
        // The host may have begun anew meanwhile, and the kernel set it back.
        if self.element.read(&self.control)? != value {
            self.element.write(&self.control, value)?;
        }
        Ok(())
    }
}

/// The control's value for a clock that runs 1 + `correction` times as fast.
fn value(method: DriftMethod, correction: f64) -> i32 {
    match method {
        DriftMethod::LoopbackRateShift => (100_000.0 / (1.0 + correction)).round() as i32,
        _ => (1_000_000.0 * (1.0 + correction)).round() as i32,
    }
}

impl ClockSteering for Steering {
    fn method(&self) -> DriftMethod {
        self.method
    }

    fn steer(&mut self, correction: f64) -> Result<(), Error> {
        self.set(correction).map_err(|source| Error::Alsa { device: self.device.clone(), source })
    }
}

impl Drop for Steering {
    fn drop(&mut self) {
        // A card that has gone needs nothing.
        let _ = self.set(0.0);
    }
}

fn no_control(device: &str) -> Error {
    Error::DeviceRefused {
        device: device.to_owned(),
        what: "capture.rate = \"auto\"",
        wanted: "the control Capture Rate of a USB gadget, or PCM Slave Rate of a loopback card"
            .to_owned(),
        accepted: "no such control; set capture.rate to the rate in Hz".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gadget_counts_millionths_and_a_loopback_card_the_length_of_a_frame() {
        assert_eq!(value(DriftMethod::GadgetPitch, 0.0), 1_000_000);
        assert_eq!(value(DriftMethod::GadgetPitch, 250e-6), 1_000_250);
        assert_eq!(value(DriftMethod::LoopbackRateShift, 0.0), 100_000);
        assert_eq!(value(DriftMethod::LoopbackRateShift, 500e-6), 99_950);
        assert_eq!(value(DriftMethod::LoopbackRateShift, -500e-6), 100_050);
        assert!(Steering::open("hw:NoSuchCard,0").is_none());
    }

    #[test]
    fn an_absent_card_is_named() {
        assert!(matches!(HostRate::open("hw:NoSuchCard,0"), Err(Error::DeviceAbsent { .. })));
        let refused = HostRate::open("null").err().unwrap().to_string();
        assert!(refused.contains("null") && refused.contains("set capture.rate"), "{refused}");
    }
}
