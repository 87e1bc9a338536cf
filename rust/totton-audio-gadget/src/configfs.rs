//! The kernel through ConfigFS and sysfs, mostly by way of the `usb-gadget` crate.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use usb_gadget::function::Handle;
use usb_gadget::function::other::Other;
use usb_gadget::{Class, Config, Gadget, Id, OsDescriptor, RegGadget, Strings, Udc};

use crate::description::{Description, Function};
use crate::error::BuildError;
use crate::kernel::{Controller, Kernel, LiveGadget, SoundCard};
use crate::{Error, GADGET_NAME};

/// The running kernel.
#[derive(Debug)]
pub struct ConfigFs {
    begin: Instant,
}

impl ConfigFs {
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it takes the time, which is no default")]
    pub fn new() -> Self {
        Self { begin: Instant::now() }
    }

    fn registered(&self) -> Result<Option<RegGadget>, Error> {
        let gadgets = usb_gadget::registered().map_err(|source| Error::GadgetRead { source })?;
        Ok(gadgets.into_iter().find(|gadget| gadget.name() == GADGET_NAME))
    }
}

impl Kernel for ConfigFs {
    fn check(&self) -> Result<(), Error> {
        // Also loads libcomposite, where modprobe is there and may do it.
        let Err(source) = usb_gadget::registered() else { return Ok(()) };
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let mount = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let Some(mount) = mount.into_iter().find(|fields| fields.get(2) == Some(&"configfs"))
        else {
            return Err(Error::ConfigfsNotMounted);
        };
        let directory = Path::new(mount[1]).join("usb_gadget");
        if directory.is_dir() {
            Err(Error::GadgetRead { source })
        } else {
            Err(Error::LibcompositeMissing { directory })
        }
    }

    fn controllers(&self) -> Result<Vec<Controller>, Error> {
        let failed = |source| Error::ControllerRead { source };
        let mut controllers = Vec::new();
        for udc in usb_gadget::udcs().map_err(failed)? {
            let driver = match udc.function() {
                Ok(driver) => driver.map(|name| name.to_string_lossy().into_owned()),
                // It vanished since the folder was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            controllers.push(Controller {
                name: udc.name().to_string_lossy().into_owned(),
                state: udc.state().unwrap_or_default().to_string(),
                driver,
            });
        }
        controllers.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(controllers)
    }

    fn gadget(&self) -> Result<Option<LiveGadget>, Error> {
        let Some(gadget) = self.registered()? else { return Ok(None) };
        let failed = |source| Error::GadgetRead { source };
        let udc = gadget.udc().map_err(failed)?;
        let mut functions = gadget.functions().map_err(failed)?;
        // Instances are named by their place in the configuration.
        functions.sort_by_key(|function| place(function.instance()));
        let folder = |function: &_| gadget.path().join("functions").join(format!("{function}"));
        let network = functions.iter().map(folder).find(|folder| folder.join("dev_addr").exists());
        let of_network = |name| network.as_deref().and_then(|folder| attribute(folder, name));
        Ok(Some(LiveGadget {
            udc: udc.map(|name| name.to_string_lossy().into_owned()),
            serial: attribute(&gadget.path().join("strings/0x0409"), "serialnumber"),
            device_mac: of_network("dev_addr"),
            host_mac: of_network("host_addr"),
            // Before it is bound the kernel answers with a pattern or a placeholder.
            network_interface: of_network("ifname").filter(|name| !name.contains(['%', '(', ' '])),
            functions: functions.iter().map(|function| function.driver().to_string()).collect(),
        }))
    }

    fn build(&self, description: &Description, udc: &str) -> Result<(), BuildError> {
        let functions = || description.drivers().join(" and ");
        let create = |source| BuildError::Create { functions: functions(), source };
        let bind =
            |source| BuildError::Bind { functions: functions(), udc: udc.to_string(), source };

        let controller = controller(udc).map_err(bind)?;
        let mut gadget = register(description).map_err(create)?;
        // On failure the gadget is dropped, and so removed.
        gadget.bind(Some(&controller)).map_err(bind)?;
        gadget.detach();
        Ok(())
    }

    fn remove(&self) -> Result<bool, Error> {
        let Some(gadget) = self.registered()? else { return Ok(false) };
        // In the order that ConfigFS asks for: UDC, OS descriptor's link, the configuration's
        // links, strings and folder, functions, strings, the gadget itself.
        gadget.remove().map_err(|source| Error::Remove { source })?;
        Ok(true)
    }

    fn sound_card(&self, udc: &str) -> io::Result<Option<SoundCard>> {
        // The card's parent is the gadget device, which is a child of the controller's.
        let controller = fs::canonicalize(Path::new("/sys/class/udc").join(udc).join("device"))?;
        let entries = match fs::read_dir("/sys/class/sound") {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let index = name.to_str().and_then(|name| name.strip_prefix("card")?.parse().ok());
            let Some(index) = index else { continue };
            let parent = fs::canonicalize(entry.path().join("device"));
            if parent.is_ok_and(|parent| parent.starts_with(&controller)) {
                let id = fs::read_to_string(entry.path().join("id"))?.trim().to_string();
                return Ok(Some(SoundCard { index, id }));
            }
        }
        Ok(None)
    }

    fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    fn sleep(&self, duration: Duration) {
        thread::sleep(duration);
    }
}

/// Creates the gadget, unbound. Names that this kernel does not know are left out, the
/// newest first.
fn register(description: &Description) -> io::Result<RegGadget> {
    let mut description = description.clone();
    loop {
        let error = match definition(&description)?.register() {
            Ok(gadget) => return Ok(gadget),
            Err(error) => error,
        };
        let newest = description.functions.iter_mut().rev().find_map(|f| f.names.pop());
        match newest {
            Some((name, _)) if error.kind() == io::ErrorKind::Unsupported => {
                log::info!("trying without the attribute {name}: {error}");
            }
            _ => return Err(error),
        }
    }
}

fn definition(description: &Description) -> io::Result<Gadget> {
    let mut config = Config::new(&description.product);
    // The device has a supply of its own; nothing is drawn from the PC.
    config.self_powered = true;
    config.max_power = 0;
    for function in &description.functions {
        config.add_function(handle(function)?);
    }
    let mut gadget = Gadget::new(
        Class::MISCELLANEOUS_IAD,
        Id::new(description.vendor_id, description.product_id),
        Strings::new(&description.manufacturer, &description.product, &description.serial),
    )
    .with_config(config);
    gadget.name = Some(GADGET_NAME.to_string());
    gadget.device_release = description.device_release;
    gadget.os_descriptor = description.microsoft_descriptors.then(OsDescriptor::microsoft);
    Ok(gadget)
}

/// By the crate's generic builder: its own for UAC2 takes one sample rate only, its own for
/// NCM no compatible id.
fn handle(function: &Function) -> io::Result<Handle> {
    let mut builder = Other::builder(&function.driver)?;
    for (name, value) in
        function.attributes.iter().chain(function.names.iter().map(|(n, v)| (n, v)))
    {
        builder.set(name, value)?;
    }
    Ok(builder.build().1)
}

fn controller(name: &str) -> io::Result<Udc> {
    let udc = usb_gadget::udcs()?.into_iter().find(|udc| udc.name() == name);
    udc.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{name} is gone")))
}

/// The number at the end of an instance name, `totton-audio-1`.
fn place(instance: &str) -> Option<u32> {
    instance.rsplit('-').next()?.parse().ok()
}

fn attribute(folder: &Path, name: &str) -> Option<String> {
    let path: PathBuf = folder.join(name);
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    (!text.is_empty()).then(|| text.to_string())
}
