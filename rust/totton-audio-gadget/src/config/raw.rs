//! The configuration as it stands in a file: every key may be absent.

use std::fs;
use std::num::NonZeroU16;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::value::{
    Bounded, Choice, MacAddress, NetworkFunction, SampleRates, SerialNumber, UdcName, UsbString,
};
use super::{Audio, Config, Network};
use crate::Error;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawConfig {
    pub usb: RawUsb,
    pub audio: RawAudio,
    pub network: RawNetwork,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawUsb {
    pub udc: Option<Choice<UdcName>>,
    pub udc_timeout_seconds: Option<Bounded<0, 600>>,
    pub vendor_id: Option<NonZeroU16>,
    pub product_id: Option<NonZeroU16>,
    pub manufacturer: Option<UsbString>,
    pub product: Option<UsbString>,
    pub serial: Option<Choice<SerialNumber>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawAudio {
    pub enabled: Option<bool>,
    pub sample_rates: Option<SampleRates>,
    pub req_number: Option<Bounded<2, 60>>,
    pub fb_max: Option<Bounded<1, 100>>,
    pub volume_control: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawNetwork {
    pub function: Option<NetworkFunction>,
    pub device_mac: Option<Choice<MacAddress>>,
    pub host_mac: Option<Choice<MacAddress>>,
}

impl RawConfig {
    pub fn read(file: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(file)
            .map_err(|source| Error::ConfigRead { file: file.to_path_buf(), source })?;
        toml::from_str(&text).map_err(|error| Error::ConfigInvalid {
            file: file.to_path_buf(),
            problem: error.to_string().trim_end().to_string(),
        })
    }

    /// Keys that `later` sets win; the others stay.
    pub fn override_with(&mut self, later: RawConfig) {
        fn set<T>(key: &mut Option<T>, later: Option<T>) {
            if later.is_some() {
                *key = later;
            }
        }
        set(&mut self.usb.udc, later.usb.udc);
        set(&mut self.usb.udc_timeout_seconds, later.usb.udc_timeout_seconds);
        set(&mut self.usb.vendor_id, later.usb.vendor_id);
        set(&mut self.usb.product_id, later.usb.product_id);
        set(&mut self.usb.manufacturer, later.usb.manufacturer);
        set(&mut self.usb.product, later.usb.product);
        set(&mut self.usb.serial, later.usb.serial);
        set(&mut self.audio.enabled, later.audio.enabled);
        set(&mut self.audio.sample_rates, later.audio.sample_rates);
        set(&mut self.audio.req_number, later.audio.req_number);
        set(&mut self.audio.fb_max, later.audio.fb_max);
        set(&mut self.audio.volume_control, later.audio.volume_control);
        set(&mut self.network.function, later.network.function);
        set(&mut self.network.device_mac, later.network.device_mac);
        set(&mut self.network.host_mac, later.network.host_mac);
    }

    /// Fills in the built-in defaults, which `conf/etc/totton-audio/gadget.toml` repeats.
    pub fn validated(self) -> Config {
        let RawConfig { usb, audio, network } = self;
        let name = || "Totton Audio".to_string();
        Config {
            udc: usb.udc.and_then(Choice::into_value).map(String::from),
            udc_timeout: Duration::from_secs(usb.udc_timeout_seconds.map_or(30, u64::from)),
            // The Linux Foundation's multifunction composite gadget.
            vendor_id: usb.vendor_id.map_or(0x1d6b, NonZeroU16::get),
            product_id: usb.product_id.map_or(0x0104, NonZeroU16::get),
            manufacturer: usb.manufacturer.map_or_else(name, String::from),
            product: usb.product.map_or_else(name, String::from),
            serial: usb.serial.and_then(Choice::into_value).map(String::from),
            audio: audio.enabled.unwrap_or(true).then(|| Audio {
                sample_rates: audio.sample_rates.unwrap_or_default(),
                req_number: audio.req_number.map_or(16, u32::from),
                fb_max: audio.fb_max.map_or(5, u32::from),
                volume_control: audio.volume_control.unwrap_or(true),
            }),
            network: Network {
                function: network.function.unwrap_or_default(),
                device_mac: network.device_mac.and_then(Choice::into_value),
                host_mac: network.host_mac.and_then(Choice::into_value),
            },
        }
    }
}
