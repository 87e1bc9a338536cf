use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Config;
use super::value::NetworkFunction;
use crate::Error;

/// A main file and fragments, by name, in a folder of their own.
fn files(main: &str, fragments: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gadget.toml");
    fs::write(&file, main).unwrap();
    if !fragments.is_empty() {
        fs::create_dir(folder.path().join("gadget.d")).unwrap();
    }
    for (name, content) in fragments {
        fs::write(folder.path().join("gadget.d").join(name), content).unwrap();
    }
    (folder, file)
}

fn load(main: &str, fragments: &[(&str, &str)]) -> Result<Config, Error> {
    let (_folder, file) = files(main, fragments);
    Config::load(&file)
}

fn problem(main: &str) -> String {
    let error = load(main, &[]).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    error.to_string()
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conf/etc/totton-audio/gadget.toml")
}

#[test]
fn shipped_file_says_exactly_the_built_in_defaults() {
    assert_eq!(Config::load(&shipped()).unwrap(), Config::default());
}

#[test]
fn shipped_file_sets_every_key_there_is() {
    // The parser itself lists the keys that it knows, when asked for one that it does not.
    let text = fs::read_to_string(shipped()).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let known = |error: String| -> Vec<String> {
        let list = error.split("expected one of ").nth(1).expect("a list of keys").to_string();
        let list = list.lines().next().unwrap();
        list.split(", ").map(|key| key.trim_matches(['`', '\n']).to_string()).collect()
    };
    let sections = known(problem("nonsense = 1"));
    assert_eq!(sections.len(), table.len(), "{sections:?}");
    for section in sections {
        let mut keys = known(problem(&format!("{section}.nonsense = 1")));
        let mut set: Vec<String> = table[&section].as_table().unwrap().keys().cloned().collect();
        keys.sort();
        set.sort();
        assert_eq!(set, keys, "[{section}]");
    }
}

#[test]
fn missing_main_file_is_an_error_that_names_it() {
    let error = Config::load(Path::new("/nowhere/gadget.toml")).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("/nowhere/gadget.toml"), "{error}");
}

#[test]
fn fragments_override_single_keys_in_lexical_order() {
    let main = "audio.req_number = 8\naudio.fb_max = 9\nusb.udc_timeout_seconds = 1";
    let fragments = [
        ("20-b.toml", "audio.req_number = 32"),
        ("10-a.toml", "audio.req_number = 24\nnetwork.function = 'rndis'"),
        ("30-c.toml.disabled", "audio.req_number = 2"),
    ];
    let config = load(main, &fragments).unwrap();
    let audio = config.audio().unwrap();
    assert_eq!((audio.req_number, audio.fb_max), (32, 9));
    assert_eq!(config.network().function, NetworkFunction::Rndis);
    assert_eq!(config.udc_timeout(), Duration::from_secs(1));
}

#[test]
fn fragment_can_go_back_to_automatic() {
    let config = load("usb.serial = 'X'", &[("a.toml", "usb.serial = 'auto'")]).unwrap();
    assert_eq!(config.serial(), None);
}

#[test]
fn wrong_fragment_is_named_with_line_and_key() {
    let error = load("", &[("10-bench.toml", "[audio]\nreq_number = 1000\n")]).unwrap_err();
    let text = error.to_string();
    for part in ["gadget.d/10-bench.toml", "line 2", "req_number", "1000", "from 2 to 60"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn unknown_key_is_refused_with_the_known_ones() {
    let text = problem("[audio]\nrequests = 8");
    for part in ["line 2", "requests", "req_number"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn wrong_values_are_refused_with_what_is_accepted() {
    let cases = [
        ("audio.sample_rates = [44100, 22050]", "22050 Hz", "44100,48000,88200"),
        ("audio.sample_rates = []", "empty", "44100,48000,88200"),
        ("audio.sample_rates = [48000, 48000]", "48000 Hz", "twice"),
        ("audio.fb_max = 0", "0 is not accepted", "from 1 to 100"),
        ("audio.req_number = -1", "-1 is not accepted", "from 2 to 60"),
        ("audio.enabled = 'yes'", "yes", "boolean"),
        ("network.function = 'eem'", "eem", "`ncm`, `ecm`, `rndis`"),
        ("network.device_mac = '01:00:00:00:00:01'", "01:00:00:00:00:01", "group"),
        ("network.device_mac = '02:00:00:00:01'", "02:00:00:00:01", "six"),
        ("network.host_mac = '02:00:00:00:00:+1'", "+1", "six"),
        ("network.host_mac = '00:00:00:00:00:00'", "00:00", "not all zero"),
        ("usb.udc = '../x'", "../x", "ls /sys/class/udc"),
        ("usb.udc_timeout_seconds = 601", "601", "from 0 to 600"),
        ("usb.vendor_id = 70000", "70000", "u16"),
        ("usb.vendor_id = 0", "0", "nonzero"),
        ("usb.serial = 'a b'", "a b", "letters"),
        ("usb.product = ''", "\"\"", "1 to 126"),
        ("usb.product = \"a\\nb\"", "a\\nb", "control"),
    ];
    for (main, found, accepted) in cases {
        let text = problem(main);
        let key = main.split(' ').next().unwrap().split('.').nth(1).unwrap();
        for part in ["gadget.toml", "line 1", key, found, accepted] {
            assert!(text.contains(part), "{main}: no {part:?} in {text}");
        }
    }
}
