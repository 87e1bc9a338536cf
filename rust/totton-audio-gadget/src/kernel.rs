//! What the commands need of the kernel, so that they can be tried without one.
//! The real one is [`crate::configfs::ConfigFs`].

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::description::Description;
use crate::error::BuildError;

/// A USB device controller (UDC) as `/sys/class/udc` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    pub name: String,
    /// The cable's state in the kernel's words: `not attached`, `configured`, ...
    pub state: String,
    /// The gadget driver that is bound to it, if any.
    pub driver: Option<String>,
}

/// Our gadget as it stands in ConfigFS, whole or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveGadget {
    /// The UDC it is bound to. The name stays when that controller vanishes.
    pub udc: Option<String>,
    /// The functions' names, in the order of their interfaces.
    pub functions: Vec<String>,
    pub serial: Option<String>,
    pub device_mac: Option<String>,
    pub host_mac: Option<String>,
    /// The network interface on the device's side, such as `usb0`.
    pub network_interface: Option<String>,
}

/// The ALSA card through which the PC's sound arrives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoundCard {
    pub index: u32,
    /// ALSA's id, as in `hw:ID`.
    pub id: String,
}

pub trait Kernel {
    /// # Errors
    /// ConfigFS is not mounted, or has no folder for gadgets.
    fn check(&self) -> Result<(), Error>;

    /// All controllers, in alphabetical order.
    fn controllers(&self) -> Result<Vec<Controller>, Error>;

    /// Our gadget, if its folder exists.
    fn gadget(&self) -> Result<Option<LiveGadget>, Error>;

    /// Builds the gadget and binds it to `udc`. On failure nothing of it is left.
    fn build(&self, description: &Description, udc: &str) -> Result<(), BuildError>;

    /// Unbinds and removes our gadget, however much of it exists. False: there was none.
    fn remove(&self) -> Result<bool, Error>;

    /// The sound card of the gadget that is bound to `udc`, if it has one.
    fn sound_card(&self, udc: &str) -> io::Result<Option<SoundCard>>;

    /// Monotonic time since some fixed moment.
    fn now(&self) -> Duration;

    fn sleep(&self, duration: Duration);
}
