//! `status`: what is there now, in words or as JSON. It reads the kernel's view; only the
//! reason for a missing sound card comes from the record of the last start.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::description::AUDIO_DRIVER;
use crate::error::{EXIT_COMPLETE, EXIT_FAILED, EXIT_NETWORK_ONLY};
use crate::kernel::{Kernel, SoundCard};
use crate::record;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// There is no gadget.
    Absent,
    /// There is one, whole or not, but no controller serves it.
    Unbound,
    Bound,
}

/// The fields of `status --json`, all always present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub state: State,
    pub udc: Option<String>,
    /// The cable's state in the kernel's words: `not attached`, `configured`, ...
    pub udc_state: Option<String>,
    pub functions: Vec<String>,
    pub network_interface: Option<String>,
    pub sound_card: Option<SoundCard>,
    pub serial: Option<String>,
    pub device_mac: Option<String>,
    pub host_mac: Option<String>,
    /// Why the gadget is bound without its sound card.
    pub degraded: Option<String>,
    /// Why there is no bound gadget, where that is known.
    pub problem: Option<String>,
}

impl Status {
    /// # Errors
    /// The kernel's files cannot be read. A missing gadget is no error but a state.
    pub fn read(kernel: &dyn Kernel, runtime_directory: &Path) -> Result<Self, Error> {
        let mut status = Self {
            state: State::Absent,
            udc: None,
            udc_state: None,
            functions: Vec::new(),
            network_interface: None,
            sound_card: None,
            serial: None,
            device_mac: None,
            host_mac: None,
            degraded: None,
            problem: None,
        };
        match kernel.check() {
            Ok(()) => {}
            Err(error @ (Error::ConfigfsNotMounted | Error::LibcompositeMissing { .. })) => {
                status.problem = Some(error.to_string());
                return Ok(status);
            }
            Err(error) => return Err(error),
        }
        let Some(live) = kernel.gadget()? else { return Ok(status) };

        let record = record::read(runtime_directory).filter(|record| record.describes(&live));
        status.state = State::Unbound;
        status.functions = live.functions;
        status.serial = live.serial;
        status.device_mac = live.device_mac;
        status.host_mac = live.host_mac;
        status.udc = live.udc;
        let Some(udc) = &status.udc else {
            status.problem = Some("an earlier start did not finish; `restart` mends it".into());
            return Ok(status);
        };
        let controllers = kernel.controllers()?;
        let Some(controller) = controllers.into_iter().find(|known| known.name == *udc) else {
            status.problem = Some(format!("the controller {udc} is gone; `restart` mends it"));
            return Ok(status);
        };

        status.state = State::Bound;
        status.udc_state = Some(controller.state);
        status.network_interface = live.network_interface;
        status.sound_card = kernel.sound_card(udc).unwrap_or_else(|error| {
            log::warn!("cannot read the sound cards in /sys/class/sound: {error}");
            None
        });
        let has_audio = status.functions.iter().any(|function| function == AUDIO_DRIVER);
        status.degraded = match record {
            Some(record) => record.degraded,
            None if has_audio => None,
            None => Some(format!(
                "there is no sound card, and no record in {} of why; `restart` tries again",
                runtime_directory.display()
            )),
        };
        Ok(status)
    }

    pub fn exit_code(&self) -> u8 {
        match (self.state, &self.degraded) {
            (State::Bound, None) => EXIT_COMPLETE,
            (State::Bound, Some(_)) => EXIT_NETWORK_ONLY,
            _ => EXIT_FAILED,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.state, &self.udc, &self.udc_state) {
            (State::Absent, ..) => write!(f, "gadget: absent")?,
            (State::Bound, Some(udc), Some(cable)) => {
                write!(f, "gadget: bound to {udc}\ncable: {cable}")?;
            }
            _ => write!(f, "gadget: there, but not bound")?,
        }
        if !self.functions.is_empty() {
            write!(f, "\nfunctions: {}", self.functions.join(", "))?;
        }
        if let Some(card) = &self.sound_card {
            write!(f, "\nsound card: hw:{} (card {})", card.id, card.index)?;
        }
        let rest = [
            ("network interface", &self.network_interface),
            ("serial number", &self.serial),
            ("device's MAC address", &self.device_mac),
            ("PC's MAC address", &self.host_mac),
            ("DEGRADED, no sound card", &self.degraded),
            ("problem", &self.problem),
        ];
        for (name, value) in rest {
            if let Some(value) = value {
                write!(f, "\n{name}: {value}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
