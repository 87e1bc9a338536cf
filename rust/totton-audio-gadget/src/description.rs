//! What the gadget is to be, as plain data: made from the configuration, built by
//! [`crate::kernel::Kernel::build`], kept in the record to recognise an unchanged gadget.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::value::NetworkFunction;
use crate::config::{Audio, Config};
use crate::identity::Identity;

/// The sound card's function.
pub const AUDIO_DRIVER: &str = "uac2";

/// Whether the sound card has a volume control.
const VOLUME: &str = "c_volume_present";

/// A composite gadget of one configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    pub vendor_id: u16,
    pub product_id: u16,
    /// `bcdDevice`, binary coded decimal.
    pub device_release: u16,
    pub manufacturer: String,
    pub product: String,
    pub serial: String,
    /// Whether Windows may ask for compatible ids (Microsoft OS descriptors 1.0).
    pub microsoft_descriptors: bool,
    /// In the order of their interfaces: some hosts want audio first.
    pub functions: Vec<Function>,
}

/// One USB function and its ConfigFS attributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// The kernel's name of the function: `uac2`, `ncm`, ...
    pub driver: String,
    /// Attributes without which the function would not be what was asked for.
    pub attributes: BTreeMap<String, String>,
    /// Names shown by the PC, in the order in which kernels learned them; a kernel without
    /// them builds the function all the same.
    pub names: Vec<(String, String)>,
}

impl Description {
    pub fn new(config: &Config, identity: &Identity) -> Self {
        let network = config.network().function;
        let mut description = Self {
            vendor_id: config.vendor_id(),
            product_id: config.product_id(),
            device_release: 0,
            manufacturer: config.manufacturer().to_string(),
            product: config.product().to_string(),
            serial: identity.serial.clone(),
            microsoft_descriptors: network != NetworkFunction::Ecm,
            functions: Vec::new(),
        };
        description.functions.extend(config.audio().map(|a| audio_function(a, config.product())));
        description.functions.push(network_function(network, identity));
        description.set_release();
        description
    }

    /// The same without the sound card.
    #[must_use]
    pub fn network_only(&self) -> Self {
        let mut description = self.clone();
        description.functions.retain(|function| function.driver != AUDIO_DRIVER);
        description.set_release();
        description
    }

    pub fn has_audio(&self) -> bool {
        self.drivers().contains(&AUDIO_DRIVER)
    }

    /// The functions' names, in the order of their interfaces.
    pub fn drivers(&self) -> Vec<&str> {
        self.functions.iter().map(|function| function.driver.as_str()).collect()
    }

    /// Windows remembers the answers to its OS descriptor questions for each vendor, product
    /// and release (`HKLM\SYSTEM\CurrentControlSet\Control\usbflags`), and the drivers it
    /// chose; of a sound card, too, whether it has a volume. So each set of functions has a
    /// release of its own: 1.AN, A tells audio (2 with volume), N the network.
    fn set_release(&mut self) {
        self.device_release = 0x0100;
        for function in &self.functions {
            self.device_release |= match function.driver.as_str() {
                AUDIO_DRIVER if function.attributes.get(VOLUME).is_some_and(|on| on == "1") => 0x20,
                AUDIO_DRIVER => 0x10,
                "ncm" => 0x01,
                "ecm" => 0x02,
                _ => 0x03,
            };
        }
    }
}

/// Two channels of 32 bits to the device and none back, so that the PC sees an output only.
fn audio_function(audio: &Audio, product: &str) -> Function {
    let volume = if audio.volume_control { "1" } else { "0" };
    let attributes = [
        ("c_chmask", "3"),
        ("c_ssize", "4"),
        ("c_srate", &audio.sample_rates.comma_list()),
        // The device's clock leads; the PC follows the feedback endpoint.
        ("c_sync", "async"),
        ("fb_max", &audio.fb_max.to_string()),
        ("req_number", &audio.req_number.to_string()),
        (VOLUME, volume),
        ("c_mute_present", volume),
        ("p_chmask", "0"),
    ];
    Function {
        driver: AUDIO_DRIVER.to_string(),
        attributes: owned(&attributes),
        // Windows shows the function's name, where the others show the product's.
        names: ["function_name", "if_ctrl_name"]
            .map(|attribute| (attribute.to_string(), product.to_string()))
            .to_vec(),
    }
}

fn network_function(function: NetworkFunction, identity: &Identity) -> Function {
    let (device, host) = (identity.device_mac.to_string(), identity.host_mac.to_string());
    let mut attributes = owned(&[("dev_addr", &device), ("host_addr", &host)]);
    match function {
        NetworkFunction::Ncm => {
            // Windows 10 has the driver but does not choose it by class; Windows 11 does.
            attributes.extend(owned(&[("os_desc/interface.ncm/compatible_id", "WINNCM")]));
        }
        NetworkFunction::Rndis => attributes.extend(owned(&[
            // The class that Windows' own rndismp6 matches, rather than a modem's.
            ("class", "ef"),
            ("subclass", "04"),
            ("protocol", "01"),
            ("os_desc/interface.rndis/compatible_id", "RNDIS"),
            ("os_desc/interface.rndis/sub_compatible_id", "5162001"),
        ])),
        NetworkFunction::Ecm => {}
    }
    Function { driver: function.driver().to_string(), attributes, names: Vec::new() }
}

fn owned(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation;

    fn of(config: &str) -> Description {
        simulation::description(config)
    }

    #[test]
    fn pc_gets_a_two_channel_output_of_all_rates_and_no_input() {
        let description = of("");
        let audio = &description.functions[0];
        assert_eq!(audio.driver, "uac2");
        let expected = [
            ("c_chmask", "3"),
            ("c_ssize", "4"),
            ("c_srate", "44100,48000,88200,96000,176400,192000"),
            ("c_sync", "async"),
            ("req_number", "16"),
            ("fb_max", "5"),
            ("c_volume_present", "1"),
            ("c_mute_present", "1"),
            ("p_chmask", "0"),
        ];
        for (attribute, value) in expected {
            assert_eq!(audio.attributes[attribute], value, "{attribute}");
        }
    }

    #[test]
    fn audio_comes_before_the_network() {
        assert_eq!(of("").drivers(), ["uac2", "ncm"]);
        assert_eq!(of("").network_only().drivers(), ["ncm"]);
        assert_eq!(of("audio.enabled = false").drivers(), ["ncm"]);
    }

    #[test]
    fn windows_is_told_which_network_driver_to_take() {
        let compatible_id = |config: &str, attribute: &str| {
            let description = of(config);
            assert!(description.microsoft_descriptors);
            description.functions[1].attributes[attribute].clone()
        };
        assert_eq!(compatible_id("", "os_desc/interface.ncm/compatible_id"), "WINNCM");
        let rndis = "network.function = 'rndis'";
        assert_eq!(compatible_id(rndis, "os_desc/interface.rndis/compatible_id"), "RNDIS");
        // Windows has no driver for ECM: there is nothing to tell.
        assert!(!of("network.function = 'ecm'").microsoft_descriptors);
    }

    #[test]
    fn each_set_of_functions_has_its_own_release() {
        let mut releases = Vec::new();
        for network in ["ncm", "ecm", "rndis"] {
            let whole = of(&format!("network.function = '{network}'"));
            releases.extend([whole.device_release, whole.network_only().device_release]);
        }
        assert_eq!(releases, [0x121, 0x101, 0x122, 0x102, 0x123, 0x103]);
        assert_eq!(of("audio.volume_control = false").device_release, 0x111);
    }

    #[test]
    fn both_ends_of_the_link_have_the_identitys_addresses() {
        let description = of("network.device_mac = '02:00:00:00:00:01'\n\
                              network.host_mac = '02:00:00:00:00:02'\nusb.serial = 'X1'");
        assert_eq!(description.functions[1].attributes["dev_addr"], "02:00:00:00:00:01");
        assert_eq!(description.functions[1].attributes["host_addr"], "02:00:00:00:00:02");
        assert_eq!(description.serial, "X1");
    }
}
