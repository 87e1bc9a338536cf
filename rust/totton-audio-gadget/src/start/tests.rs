use std::time::Duration;

use super::{Outcome, run};
use crate::Error;
use crate::kernel::{Kernel, LiveGadget};
use crate::record::{self, Runtime};
use crate::simulation::{self, Simulation};
use crate::stop;

/// One device: its kernel, and a runtime directory of its own.
struct Device {
    kernel: Simulation,
    directory: tempfile::TempDir,
}

impl Device {
    fn new(kernel: Simulation) -> Self {
        Self { kernel, directory: tempfile::tempdir().unwrap() }
    }

    fn start(&self, config: &str) -> Result<Outcome, Error> {
        let config = simulation::config(config);
        let runtime = Runtime::lock(self.directory.path()).unwrap();
        run(&self.kernel, &runtime, &config, &simulation::identity(&config))
    }

    fn stop(&self) -> Result<(), Error> {
        stop::run(&self.kernel, &Runtime::lock(self.directory.path()).unwrap())
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.directory.path()).unwrap().count()
    }
}

fn ready() -> Device {
    Device::new(Simulation::with_controller("usbip-vudc.0"))
}

/// A gadget of which an earlier run made only a part.
fn part(udc: Option<&str>) -> Option<LiveGadget> {
    Some(LiveGadget {
        udc: udc.map(str::to_string),
        functions: vec!["uac2".to_string()],
        serial: None,
        device_mac: None,
        host_mac: None,
        network_interface: None,
    })
}

#[test]
fn start_binds_audio_then_network() {
    let device = ready();
    assert_eq!(device.start("").unwrap(), Outcome::Complete);
    assert_eq!(device.kernel.bound_functions(), ["uac2", "ncm"]);
    assert_eq!(Outcome::Complete.exit_code(), 0);
}

#[test]
fn second_start_leaves_the_bound_gadget_alone() {
    let device = ready();
    device.start("").unwrap();
    assert_eq!(device.start("").unwrap(), Outcome::Complete);
    assert_eq!((device.kernel.builds.get(), device.kernel.removals.get()), (1, 0));
}

#[test]
fn second_start_repeats_that_only_the_network_is_bound() {
    let device = ready();
    device.kernel.refuses_audio.set(true);
    assert_eq!(device.start("").unwrap(), Outcome::NetworkOnly);
    let builds = device.kernel.builds.get();
    assert_eq!(device.start("").unwrap(), Outcome::NetworkOnly);
    assert_eq!(device.kernel.builds.get(), builds);
}

#[test]
fn changed_configuration_is_built_anew() {
    let device = ready();
    device.start("").unwrap();
    device.start("audio.req_number = 32").unwrap();
    assert_eq!((device.kernel.builds.get(), device.kernel.removals.get()), (2, 1));
    device.start("audio.req_number = 32\nnetwork.function = 'ecm'").unwrap();
    assert_eq!(device.kernel.bound_functions(), ["uac2", "ecm"]);
}

#[test]
fn refused_sound_card_leaves_the_network_and_a_reason() {
    let device = ready();
    device.kernel.refuses_audio.set(true);
    let outcome = device.start("").unwrap();
    assert_eq!((outcome, outcome.exit_code()), (Outcome::NetworkOnly, 3));
    assert_eq!(device.kernel.bound_functions(), ["ncm"]);
    let reason = record::read(device.directory.path()).unwrap().degraded.unwrap();
    for part in ["uac2 and ncm", "usbip-vudc.0", "os error 16", "isochronous"] {
        assert!(reason.contains(part), "{reason}");
    }
}

#[test]
fn network_alone_by_configuration_is_complete() {
    let device = ready();
    device.kernel.refuses_audio.set(true);
    assert_eq!(device.start("audio.enabled = false").unwrap(), Outcome::Complete);
    assert_eq!(device.kernel.builds.get(), 1);
}

#[test]
fn controller_that_takes_nothing_leaves_nothing_behind() {
    let device = ready();
    device.kernel.refuses_everything.set(true);
    let error = device.start("").unwrap_err();
    assert!(matches!(error, Error::NothingBinds { .. }), "{error}");
    assert_eq!(error.exit_code(), 1);
    assert!(device.kernel.is_untouched());
    assert_eq!(device.files(), 0);
}

#[test]
fn start_waits_for_a_controller_that_comes_late() {
    let device = Device::new(Simulation::default());
    device.kernel.coming.borrow_mut().insert(Duration::from_secs(7), "3550000.usb".to_string());
    assert_eq!(device.start("").unwrap(), Outcome::Complete);
    let now = device.kernel.now();
    assert!((Duration::from_secs(7)..Duration::from_millis(7200)).contains(&now), "{now:?}");
}

#[test]
fn missing_controller_ends_the_wait_at_the_deadline_and_says_what_to_check() {
    let device = Device::new(Simulation::default());
    device.kernel.coming.borrow_mut().insert(Duration::from_secs(9), "late".to_string());
    let error = device.start("usb.udc_timeout_seconds = 8").unwrap_err();
    let now = device.kernel.now();
    assert!((Duration::from_secs(8)..Duration::from_millis(8200)).contains(&now), "{now:?}");
    for part in ["8 s", "/sys/class/udc", "dr_mode", "driver"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert!(device.kernel.is_untouched());
    assert_eq!(device.files(), 0);
}

#[test]
fn chosen_controller_is_awaited_and_the_others_are_named() {
    let device = ready();
    let error = device.start("usb.udc = '3550000.usb'\nusb.udc_timeout_seconds = 1").unwrap_err();
    for part in ["3550000.usb", "usbip-vudc.0 (free)", "auto"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    device.kernel.plug("3550000.usb");
    device.start("usb.udc = 'usbip-vudc.0'").unwrap();
    let gadget = device.kernel.gadget().unwrap().unwrap();
    assert_eq!(gadget.udc.as_deref(), Some("usbip-vudc.0"));
}

#[test]
fn controller_of_another_gadget_is_never_taken() {
    let device = ready();
    device.kernel.take("usbip-vudc.0", Some("g_ether"));
    let error = device.start("usb.udc_timeout_seconds = 1").unwrap_err();
    assert!(error.to_string().contains("usbip-vudc.0 (in use by g_ether)"), "{error}");
    assert_eq!(device.kernel.builds.get(), 0);
    device.kernel.plug("z-second");
    assert_eq!(device.start("").unwrap(), Outcome::Complete);
    let gadget = device.kernel.gadget().unwrap().unwrap();
    assert_eq!(gadget.udc.as_deref(), Some("z-second"));
}

#[test]
fn controller_that_vanishes_while_binding_is_awaited_again_with_audio() {
    let device = ready();
    device.kernel.vanishes_on_bind.set(true);
    let mut coming = device.kernel.coming.borrow_mut();
    coming.insert(Duration::from_secs(2), "usbip-vudc.0".to_string());
    drop(coming);
    assert_eq!(device.start("").unwrap(), Outcome::Complete);
    assert_eq!(device.kernel.bound_functions(), ["uac2", "ncm"]);
}

#[test]
fn half_built_gadget_is_replaced() {
    let device = ready();
    *device.kernel.gadget.borrow_mut() = part(None);
    assert_eq!(device.start("").unwrap(), Outcome::Complete);
    assert_eq!(device.kernel.bound_functions(), ["uac2", "ncm"]);
    assert_eq!(device.kernel.removals.get(), 1);
}

#[test]
fn bound_gadget_of_unknown_origin_is_replaced() {
    let device = ready();
    device.kernel.take("usbip-vudc.0", Some("totton-audio"));
    *device.kernel.gadget.borrow_mut() = part(Some("usbip-vudc.0"));
    assert_eq!(device.start("").unwrap(), Outcome::Complete);
    assert_eq!(device.kernel.bound_functions(), ["uac2", "ncm"]);
}

#[test]
fn gadget_whose_controller_vanished_moves_to_the_one_that_is_there() {
    let device = ready();
    device.start("").unwrap();
    device.kernel.unplug("usbip-vudc.0");
    device.kernel.plug("usbip-vudc.1");
    assert_eq!(device.start("").unwrap(), Outcome::Complete);
    let gadget = device.kernel.gadget().unwrap().unwrap();
    assert_eq!(gadget.udc.as_deref(), Some("usbip-vudc.1"));
}

#[test]
fn gadget_whose_controller_vanished_for_good_is_cleaned_up() {
    let device = ready();
    device.start("").unwrap();
    device.kernel.unplug("usbip-vudc.0");
    assert!(matches!(device.start("").unwrap_err(), Error::NoController { .. }));
    assert!(device.kernel.is_untouched());
    assert_eq!(device.files(), 0);
}

#[test]
fn stop_leaves_nothing_behind() {
    let device = ready();
    device.start("").unwrap();
    std::fs::write(device.directory.path().join("state.json.new"), "{").unwrap();
    device.stop().unwrap();
    assert!(device.kernel.is_untouched());
    assert_eq!(device.files(), 0);
    device.stop().unwrap();
}

#[test]
fn stop_removes_a_half_built_gadget() {
    let device = ready();
    *device.kernel.gadget.borrow_mut() = part(None);
    device.stop().unwrap();
    assert!(device.kernel.is_untouched());
}

#[test]
fn without_configfs_start_says_so_and_stop_has_nothing_to_do() {
    let device = ready();
    device.kernel.no_configfs.set(true);
    let error = device.start("").unwrap_err();
    assert!(error.to_string().contains("configfs is not mounted"), "{error}");
    device.stop().unwrap();
}
