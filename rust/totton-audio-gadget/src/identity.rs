//! Serial number and MAC addresses that are the device's own and stay the same across
//! reboots and updates, so that a PC recognises it and keeps its settings.
//!
//! They are derived by hash from the machine's serial number: the USB serial is told to
//! every PC, and machine-id(5) asks that its identifier be told to nobody.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::Error;
use crate::config::Config;
use crate::config::value::MacAddress;

/// Where a serial number may be found, best first, below the root folder.
const SOURCES: [&str; 3] = [
    "proc/device-tree/serial-number",
    "sys/class/dmi/id/product_serial",
    // Not the machine's but the installation's: the last resort.
    "etc/machine-id",
];

/// What firmware and first boot write where there is no number.
const PLACEHOLDERS: [&str; 9] = [
    "not specified",
    "not applicable",
    "none",
    "default string",
    "to be filled by o.e.m.",
    "system serial number",
    "uninitialized",
    "unknown",
    "empty",
];

/// How the device names itself on the USB cable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub serial: String,
    /// Address of the device's end of the link.
    pub device_mac: MacAddress,
    /// Address that the PC's end of the link gets.
    pub host_mac: MacAddress,
}

impl Identity {
    /// What the configuration sets, and for the rest what follows from the serial number of
    /// the machine whose file tree is at `root`.
    ///
    /// # Errors
    /// Something is to be derived and the machine has no serial number; or both ends of the
    /// link would have the same address.
    pub fn of_machine(root: &Path, config: &Config) -> Result<Self, Error> {
        let network = config.network();
        let identity = if let (Some(serial), Some(device_mac), Some(host_mac)) =
            (config.serial(), network.device_mac, network.host_mac)
        {
            Self { serial: serial.to_string(), device_mac, host_mac }
        } else {
            let machine = machine_serial(root)?;
            let serial =
                || derived::<8>(&machine, "usb serial").map(|b| format!("{b:02X}")).concat();
            let mac = |end| MacAddress::locally_administered(derived(&machine, end));
            Self {
                serial: config.serial().map_or_else(serial, str::to_string),
                device_mac: network.device_mac.unwrap_or_else(|| mac("device mac")),
                host_mac: network.host_mac.unwrap_or_else(|| mac("host mac")),
            }
        };
        if identity.device_mac == identity.host_mac {
            return Err(Error::SameMac { mac: identity.host_mac.to_string() });
        }
        Ok(identity)
    }
}

/// The first `N` bytes of a hash that depends on the machine, the product and the purpose.
fn derived<const N: usize>(machine: &str, purpose: &str) -> [u8; N] {
    let hash = Sha256::digest(format!("totton-audio\0{purpose}\0{machine}"));
    std::array::from_fn(|index| hash[index])
}

fn machine_serial(root: &Path) -> Result<String, Error> {
    for source in SOURCES {
        let Ok(bytes) = fs::read(root.join(source)) else { continue };
        // The device tree's strings end with a NUL.
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
        let zeros = text.chars().all(|c| c == '0');
        if !zeros && !PLACEHOLDERS.contains(&text.to_ascii_lowercase().as_str()) {
            log::debug!("the machine's serial number is the one in /{source}");
            return Ok(text.to_string());
        }
    }
    let looked_at = SOURCES.map(|source| format!("/{source}")).join(", ");
    Err(Error::NoMachineSerial { looked_at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        root
    }

    fn identity(files: &[(&str, &str)]) -> Identity {
        Identity::of_machine(machine(files).path(), &Config::default()).unwrap()
    }

    #[test]
    fn identity_never_changes_for_a_given_machine() {
        // Fixed figures: a PC knows the device by them, a new release must not change them.
        // They come from Python's hashlib: sha256("totton-audio\0usb serial\01421221019438")...
        let identity = identity(&[("proc/device-tree/serial-number", "1421221019438\0")]);
        assert_eq!(identity.serial, "E3FB3C07EC129248");
        assert_eq!(identity.device_mac.to_string(), "b6:82:a1:4a:9b:27");
        assert_eq!(identity.host_mac.to_string(), "6a:c9:42:ec:55:3e");
    }

    #[test]
    fn two_machines_differ_in_everything() {
        let one = identity(&[("proc/device-tree/serial-number", "1421221019438\0")]);
        let other = identity(&[("proc/device-tree/serial-number", "1421221019439\0")]);
        assert_ne!(one.serial, other.serial);
        assert_ne!(one.device_mac, other.device_mac);
        assert_ne!(one.host_mac, other.host_mac);
        assert_ne!(one.device_mac, one.host_mac);
    }

    #[test]
    fn derived_addresses_are_local_station_addresses() {
        for serial in 0..64 {
            let identity = identity(&[("etc/machine-id", &format!("machine {serial}\n"))]);
            for mac in [identity.device_mac, identity.host_mac] {
                let first = u8::from_str_radix(&mac.to_string()[..2], 16).unwrap();
                assert_eq!(first & 0x03, 0x02, "{mac}");
            }
        }
    }

    #[test]
    fn device_tree_comes_before_firmware_and_firmware_before_machine_id() {
        let tree = ("proc/device-tree/serial-number", "A\0");
        let dmi = ("sys/class/dmi/id/product_serial", "A\n");
        let id = ("etc/machine-id", "A\n");
        let blank = ("sys/class/dmi/id/product_serial", "Not Specified\n");
        let other = ("etc/machine-id", "B\n");
        let expected = identity(&[tree]);
        assert_eq!(identity(&[tree, other]), expected);
        assert_eq!(identity(&[dmi, other]), expected);
        assert_eq!(identity(&[blank, id]), expected);
        assert_ne!(identity(&[blank, other]), expected);
    }

    #[test]
    fn both_ends_with_the_same_address_are_refused() {
        let root = machine(&[("etc/machine-id", "1\n")]);
        let of = |content: &str| Identity::of_machine(root.path(), &simulation::config(content));
        let mac = of("").unwrap().host_mac;
        // Typed off `status`, and both typed.
        for content in [
            format!("network.device_mac = '{mac}'"),
            format!("network.device_mac = '{mac}'\nnetwork.host_mac = '{mac}'\nusb.serial = 'X'"),
        ] {
            let error = of(&content).unwrap_err();
            assert!(matches!(error, Error::SameMac { .. }), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
    }

    #[test]
    fn machine_without_serial_number_is_told_what_to_set() {
        let zero = ("proc/device-tree/serial-number", "0000000000\0");
        let fresh = ("etc/machine-id", "uninitialized\n");
        let error =
            Identity::of_machine(machine(&[zero, fresh]).path(), &Config::default()).unwrap_err();
        let text = error.to_string();
        for part in ["/proc/device-tree/serial-number", "/etc/machine-id", "network.host_mac"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
