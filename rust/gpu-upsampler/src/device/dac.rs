//! DACs: how one is told from another for good, and what it can do.

use std::ops::RangeInclusive;

pub use totton_protocol::UsbId;

use crate::sample::SampleFormat;

/// Rates in Hz that a DAC is played at.
pub const OUTPUT_RATES: [u32; 10] =
    [44_100, 48_000, 88_200, 96_000, 176_400, 192_000, 352_800, 384_000, 705_600, 768_000];

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
