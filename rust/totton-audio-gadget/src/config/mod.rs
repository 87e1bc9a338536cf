//! The configuration: one main file, then fragments that override single keys.
//!
//! Each file is parsed on its own ([`raw`]), so that an error names its file and
//! line; the values check themselves while they are parsed ([`value`]). What the
//! commands see is [`Config`], in which nothing is optional and nothing is wrong.

mod raw;
pub mod value;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use raw::RawConfig;
use value::{MacAddress, NetworkFunction, SampleRates};

use crate::Error;

/// Where the device has its configuration.
pub const DEFAULT_PATH: &str = "/etc/totton-audio/gadget.toml";

/// The validated configuration. [`Config::default`] is what an empty file means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Name of the USB device controller, or none for the first free one.
    udc: Option<String>,
    udc_timeout: Duration,
    vendor_id: u16,
    product_id: u16,
    manufacturer: String,
    product: String,
    /// None: derived from the machine's serial number.
    serial: Option<String>,
    audio: Option<Audio>,
    network: Network,
}

/// The UAC2 function's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    /// Sample rates offered to the PC, in Hz.
    pub sample_rates: SampleRates,
    /// USB requests that the kernel keeps queued.
    pub req_number: u32,
    /// How much faster than nominal the PC may be asked to send, in per mille.
    pub fb_max: u32,
    /// Whether the PC sees a volume and a mute control of the device.
    pub volume_control: bool,
}

/// The network function's settings. No address: derived from the machine's serial number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    pub function: NetworkFunction,
    /// Address of the device's end of the link.
    pub device_mac: Option<MacAddress>,
    /// Address that the PC's end of the link gets.
    pub host_mac: Option<MacAddress>,
}

impl Default for Config {
    fn default() -> Self {
        RawConfig::default().validated()
    }
}

impl Config {
    /// Reads `path`, then the fragments `*.toml` of the folder beside it that has the same
    /// name with the ending `.d`, in lexical order.
    ///
    /// # Errors
    /// A file that cannot be read (the main file must be there, the folder need not), or
    /// that has an unknown key or a value that is not accepted.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let mut raw = RawConfig::read(path)?;
        for fragment in fragments(&path.with_extension("d"))? {
            raw.override_with(RawConfig::read(&fragment)?);
        }
        Ok(raw.validated())
    }

    pub fn udc(&self) -> Option<&str> {
        self.udc.as_deref()
    }

    /// How long `start` waits for a USB device controller.
    pub fn udc_timeout(&self) -> Duration {
        self.udc_timeout
    }

    pub fn vendor_id(&self) -> u16 {
        self.vendor_id
    }

    pub fn product_id(&self) -> u16 {
        self.product_id
    }

    pub fn manufacturer(&self) -> &str {
        &self.manufacturer
    }

    /// The name under which the PC lists the device and its sound card.
    pub fn product(&self) -> &str {
        &self.product
    }

    pub fn serial(&self) -> Option<&str> {
        self.serial.as_deref()
    }

    /// None where the configuration switches the sound card off.
    pub fn audio(&self) -> Option<&Audio> {
        self.audio.as_ref()
    }

    pub fn network(&self) -> &Network {
        &self.network
    }
}

/// The fragments of `folder` in the order in which they apply; none if there is no folder.
fn fragments(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::ConfigRead { file: folder.to_path_buf(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests;
