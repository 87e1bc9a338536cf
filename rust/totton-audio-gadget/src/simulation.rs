//! A kernel made of memory, with the habits of the real one that the commands must cope
//! with: controllers that come and go, that refuse the sound card, or that others hold;
//! and gadgets of which a part is left over. Time passes only by sleeping.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::Error;
use crate::config::Config;
use crate::description::{AUDIO_DRIVER, Description};
use crate::error::BuildError;
use crate::identity::Identity;
use crate::kernel::{Controller, Kernel, LiveGadget, SoundCard};

/// ENODEV: what the endpoint matcher answers when no endpoint fits.
const ENODEV: i32 = 19;
/// EBUSY: what a kernel from 6.0 answers for any gadget that fails to bind.
const EBUSY: i32 = 16;

#[derive(Debug, Default)]
pub struct Simulation {
    pub controllers: RefCell<Vec<Controller>>,
    /// Controllers that appear at a moment.
    pub coming: RefCell<BTreeMap<Duration, String>>,
    pub gadget: RefCell<Option<LiveGadget>>,
    pub no_configfs: Cell<bool>,
    /// As tegra-xudc without its patch.
    pub refuses_audio: Cell<bool>,
    pub refuses_everything: Cell<bool>,
    /// The controller goes away while the next gadget is being bound.
    pub vanishes_on_bind: Cell<bool>,
    /// How often a gadget was built, whether it was bound or not.
    pub builds: Cell<u32>,
    pub removals: Cell<u32>,
    clock: Cell<Duration>,
}

impl Simulation {
    pub fn with_controller(name: &str) -> Self {
        let simulation = Self::default();
        simulation.plug(name);
        simulation
    }

    pub fn plug(&self, name: &str) {
        let state = "not attached".to_string();
        let controller = Controller { name: name.to_string(), state, driver: None };
        self.controllers.borrow_mut().push(controller);
    }

    /// The controller's driver goes. The gadget stays and keeps the controller's name.
    pub fn unplug(&self, name: &str) {
        self.controllers.borrow_mut().retain(|controller| controller.name != name);
    }

    pub fn take(&self, name: &str, driver: Option<&str>) {
        for controller in self.controllers.borrow_mut().iter_mut() {
            if controller.name == name {
                controller.driver = driver.map(str::to_string);
            }
        }
    }

    pub fn bound_functions(&self) -> Vec<String> {
        let gadget = self.gadget.borrow();
        let live = gadget.as_ref().expect("there is a gadget");
        assert!(live.udc.is_some(), "the gadget is bound");
        live.functions.clone()
    }

    pub fn is_untouched(&self) -> bool {
        self.gadget.borrow().is_none()
            && self.controllers.borrow().iter().all(|controller| controller.driver.is_none())
    }
}

impl Kernel for Simulation {
    fn check(&self) -> Result<(), Error> {
        if self.no_configfs.get() { Err(Error::ConfigfsNotMounted) } else { Ok(()) }
    }

    fn controllers(&self) -> Result<Vec<Controller>, Error> {
        let later = self.coming.borrow_mut().split_off(&(self.now() + Duration::from_nanos(1)));
        for name in self.coming.replace(later).into_values() {
            self.plug(&name);
        }
        let mut controllers = self.controllers.borrow().clone();
        controllers.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(controllers)
    }

    fn gadget(&self) -> Result<Option<LiveGadget>, Error> {
        Ok(self.gadget.borrow().clone())
    }

    fn build(&self, description: &Description, udc: &str) -> Result<(), BuildError> {
        self.builds.set(self.builds.get() + 1);
        assert!(self.gadget.borrow().is_none(), "mkdir of the gadget's folder: File exists");
        let bind = |code| BuildError::Bind {
            functions: description.drivers().join(" and "),
            udc: udc.to_string(),
            source: io::Error::from_raw_os_error(code),
        };
        if self.vanishes_on_bind.replace(false) {
            self.unplug(udc);
            return Err(bind(ENODEV));
        }
        if self.refuses_everything.get() || (self.refuses_audio.get() && description.has_audio()) {
            return Err(bind(EBUSY));
        }
        let free = |known: &Controller| known.name == udc && known.driver.is_none();
        if !self.controllers.borrow().iter().any(free) {
            return Err(bind(EBUSY));
        }
        self.take(udc, Some(crate::GADGET_NAME));
        let network = description.functions.last().expect("there is always a network");
        *self.gadget.borrow_mut() = Some(LiveGadget {
            udc: Some(udc.to_string()),
            functions: description.drivers().into_iter().map(str::to_string).collect(),
            serial: Some(description.serial.clone()),
            device_mac: network.attributes.get("dev_addr").cloned(),
            host_mac: network.attributes.get("host_addr").cloned(),
            network_interface: Some("usb0".to_string()),
        });
        Ok(())
    }

    fn remove(&self) -> Result<bool, Error> {
        let Some(gadget) = self.gadget.take() else { return Ok(false) };
        self.removals.set(self.removals.get() + 1);
        if let Some(udc) = gadget.udc {
            self.take(&udc, None);
        }
        Ok(true)
    }

    fn sound_card(&self, _udc: &str) -> io::Result<Option<SoundCard>> {
        let gadget = self.gadget.borrow();
        let audio =
            gadget.as_ref().is_some_and(|live| live.functions.iter().any(|f| f == AUDIO_DRIVER));
        Ok(audio.then(|| SoundCard { index: 1, id: "UAC2Gadget".to_string() }))
    }

    fn now(&self) -> Duration {
        self.clock.get()
    }

    fn sleep(&self, duration: Duration) {
        self.clock.set(self.clock.get() + duration);
    }
}

/// The configuration of a main file with this content.
pub fn config(content: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gadget.toml");
    std::fs::write(&file, content).unwrap();
    Config::load(&file).unwrap()
}

/// The identity that the configuration gives to a machine with serial number 1.
pub fn identity(config: &Config) -> Identity {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, content| {
        let path: &Path = &root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    write("proc/device-tree/serial-number", "1\0");
    Identity::of_machine(root.path(), config).unwrap()
}

pub fn description(content: &str) -> Description {
    let config = config(content);
    Description::new(&config, &identity(&config))
}
