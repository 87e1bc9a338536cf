use super::{State, Status};
use crate::record::Runtime;
use crate::simulation::{self, Simulation};
use crate::start;

/// The status of a device on which `change` was made after a start.
fn status_after(kernel: Simulation, change: impl FnOnce(&Simulation)) -> Status {
    let directory = tempfile::tempdir().unwrap();
    let config = simulation::config("");
    let runtime = Runtime::lock(directory.path()).unwrap();
    start::run(&kernel, &runtime, &config, &simulation::identity(&config)).unwrap();
    change(&kernel);
    Status::read(&kernel, directory.path()).unwrap()
}

fn ready() -> Simulation {
    Simulation::with_controller("usbip-vudc.0")
}

#[test]
fn complete_gadget_is_told_in_json_with_every_field() {
    let status = status_after(ready(), |kernel| {
        kernel.controllers.borrow_mut()[0].state = "configured".to_string();
    });
    let identity = simulation::identity(&simulation::config(""));
    let expected = serde_json::json!({
        "state": "bound",
        "udc": "usbip-vudc.0",
        "udc_state": "configured",
        "functions": ["uac2", "ncm"],
        "network_interface": "usb0",
        "sound_card": { "index": 1, "id": "UAC2Gadget" },
        "serial": identity.serial,
        "device_mac": identity.device_mac.to_string(),
        "host_mac": identity.host_mac.to_string(),
        "degraded": null,
        "problem": null,
    });
    assert_eq!(serde_json::to_value(&status).unwrap(), expected);
    assert_eq!(status.exit_code(), 0);
}

#[test]
fn words_name_controller_cable_card_and_interface() {
    let text = status_after(ready(), |_| {}).to_string();
    for part in ["bound to usbip-vudc.0", "not attached", "hw:UAC2Gadget", "usb0", "uac2, ncm"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("DEGRADED"), "{text}");
}

#[test]
fn missing_sound_card_is_degraded_with_the_reason_of_the_start() {
    let kernel = ready();
    kernel.refuses_audio.set(true);
    let status = status_after(kernel, |_| {});
    assert_eq!((status.state, status.exit_code()), (State::Bound, 3));
    assert_eq!(status.sound_card, None);
    assert!(status.degraded.as_deref().unwrap().contains("isochronous"), "{status}");
    assert!(status.to_string().contains("DEGRADED"), "{status}");
}

#[test]
fn missing_sound_card_without_a_record_is_degraded_too() {
    let kernel = ready();
    kernel.refuses_audio.set(true);
    status_after(kernel, |kernel| {
        let elsewhere = tempfile::tempdir().unwrap();
        let status = Status::read(kernel, elsewhere.path()).unwrap();
        assert_eq!(status.exit_code(), 3);
        assert!(status.degraded.unwrap().contains("no record"));
    });
}

#[test]
fn network_alone_by_configuration_is_not_degraded() {
    let kernel = ready();
    let directory = tempfile::tempdir().unwrap();
    let config = simulation::config("audio.enabled = false");
    let runtime = Runtime::lock(directory.path()).unwrap();
    start::run(&kernel, &runtime, &config, &simulation::identity(&config)).unwrap();
    let status = Status::read(&kernel, directory.path()).unwrap();
    assert_eq!((status.exit_code(), status.degraded), (0, None));
}

#[test]
fn gadget_whose_controller_vanished_is_unbound() {
    let status = status_after(ready(), |kernel| kernel.unplug("usbip-vudc.0"));
    assert_eq!((status.state, status.exit_code()), (State::Unbound, 1));
    assert!(status.problem.unwrap().contains("usbip-vudc.0 is gone"));
}

#[test]
fn no_gadget_is_absent() {
    let kernel = ready();
    let directory = tempfile::tempdir().unwrap();
    let status = Status::read(&kernel, directory.path()).unwrap();
    assert_eq!((status.state, status.exit_code()), (State::Absent, 1));
    assert_eq!(status.to_string(), "gadget: absent");
    kernel.no_configfs.set(true);
    let status = Status::read(&kernel, directory.path()).unwrap();
    assert_eq!((status.state, status.exit_code()), (State::Absent, 1));
    assert!(status.problem.unwrap().contains("configfs"));
}
