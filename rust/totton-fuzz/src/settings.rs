//! What a listener sets: settings from a page, a backup, a message and the disk, and the texts
//! and names among them.

use gpu_upsampler::config::{Config, PlaybackChoice};
use serde_json::Value;
use totton_audio_web::guard::HostName;
use totton_audio_web::listen::Interface;
use totton_audio_web::store::Id;
use totton_protocol::settings::{from_stored, merge};
use totton_protocol::{DacChoice, EqualiserText, FilterPath, Name, Settings, UsbId};

use crate::memory;

/// What parsing JSON may hold: values of some ten bytes for each byte, twice.
pub fn most(bytes: &[u8]) -> usize {
    256 * bytes.len() + 64 * 1024
}

/// Checks that nothing in settings that were accepted can do harm.
///
/// # Panics
/// When something can.
pub fn harmless(settings: &Settings) {
    settings.check().expect("accepted settings are within their ranges");
    if let Some(dac) = &settings.dac {
        harmless_dac(dac);
    }
    if let Some(filter) = &settings.filter {
        harmless_filter(filter);
    }
    if let Some(equaliser) = &settings.equaliser {
        harmless_name(&equaliser.name);
        assert!(equaliser.text.as_str().len() <= 64 * 1024);
        assert!(!equaliser.text.as_str().contains(['\0', '\u{1b}']));
    }
    if let Ok(config) = Config::default().with_settings(settings) {
        let device = &config.playback.device;
        assert!(!matches!(device, PlaybackChoice::Named(_)), "a name for alsa-lib: {device:?}");
        let path = config.filter.path(44_100, 16);
        let place = path.parent().expect("a filter is in a folder");
        assert!(place.starts_with("/opt/totton_audio"), "{}", path.display());
    }
}

fn harmless_dac(dac: &DacChoice) {
    let text = dac.to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-,".contains(c);
    let fine = match dac {
        DacChoice::Auto => text == "auto",
        DacChoice::Card(_) => text.strip_prefix("hw:").is_some_and(|rest| rest.chars().all(plain)),
        DacChoice::Usb(_) => text.starts_with("usb:") && !text.contains(char::is_control),
    };
    assert!(fine && text.len() <= 14 + 4 * 126, "{text:?}");
    assert_eq!(text.parse::<DacChoice>().as_ref(), Ok(dac), "{text:?} is read as another DAC");
}

fn harmless_filter(filter: &FilterPath) {
    let text = filter.as_str();
    assert!(text.starts_with('/') && text.ends_with(".filter") && text.len() <= 1024, "{text:?}");
    let straight = text[1..].split('/').all(|part| !matches!(part, "" | "." | ".."));
    assert!(straight && !text.contains(char::is_control), "{text:?}");
}

fn harmless_name(name: &Name) {
    let text = name.as_str();
    assert!((1..=200).contains(&text.chars().count()), "{text:?}");
    let bad = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202e}');
    assert!(!text.contains(bad) && !text.trim().is_empty(), "{text:?}");
}

/// A refusal: one line that can be logged, and not longer than a few lines.
pub fn refusal(error: &dyn std::fmt::Display) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.len() <= 4000, "{} bytes: {text:.200}", text.len());
    assert!(!text.contains(char::is_control), "{text:?}");
}

fn same_again(settings: &Settings) {
    let text = serde_json::to_vec(settings).expect("settings are JSON");
    let again: Settings = serde_json::from_slice(&text).expect("what was written can be read");
    assert_eq!(&again, settings, "the settings changed");
    let stored = from_stored(&text).expect("what was written can be read from the disk");
    assert_eq!(&stored.settings, settings, "the settings changed on the disk");
    assert!(stored.left_out.is_empty(), "{:?}", stored.left_out);
}

/// Settings as a whole: strictly, as messages and backups have them, and as far as they can be
/// used, from the disk.
pub fn settings(bytes: &[u8]) {
    let strict = memory::within(most(bytes), || serde_json::from_slice::<Settings>(bytes));
    let stored = memory::within(most(bytes), || from_stored(bytes));
    match &strict {
        Ok(settings) => {
            harmless(settings);
            same_again(settings);
            let stored = stored.as_ref().expect("the disk is no stricter than a message");
            assert_eq!(&stored.settings, settings);
            assert!(stored.left_out.is_empty(), "{:?}", stored.left_out);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    match stored {
        Ok(stored) => {
            harmless(&stored.settings);
            same_again(&stored.settings);
            assert!(stored.left_out.len() <= 16, "{:?}", stored.left_out);
            stored.left_out.iter().for_each(|reason| refusal(reason));
            // Written, it is as quiet, and holds as much of another version.
            let text =
                stored.foreign.with(&stored.settings).expect("settings are JSON").to_string();
            let again = from_stored(text.as_bytes()).expect("what was written can be read again");
            assert_eq!(again.settings, stored.settings, "{text}");
            assert_eq!(again.foreign.names(), stored.foreign.names(), "{text}");
        }
        Err(error) => refusal(&error),
    }
}

/// Settings, a zero byte, and a merge patch on them; without the first the defaults are changed.
pub fn merge_patch(bytes: &[u8]) {
    let (before, patch) = match bytes.iter().position(|byte| *byte == 0) {
        Some(at) => (serde_json::from_slice(&bytes[..at]).ok(), &bytes[at + 1..]),
        None => (None, bytes),
    };
    let before: Settings = before.unwrap_or_default();
    let Ok(patch) = serde_json::from_slice::<Value>(patch) else { return };
    match memory::within(most(bytes) + 64 * 1024, || before.changed(patch.clone())) {
        Ok(settings) => {
            harmless(&settings);
            same_again(&settings);
            // Whoever sends it twice has what he has.
            assert_eq!(settings.changed(patch.clone()).ok().as_ref(), Some(&settings));
        }
        Err(error) => refusal(&error),
    }
    let mut once = serde_json::to_value(&before).expect("settings are JSON");
    merge(&mut once, patch.clone());
    let mut twice = once.clone();
    merge(&mut twice, patch);
    assert_eq!(once, twice, "a merge patch is not the same twice");
}

/// A text that becomes a name, a DAC, a path, a host, an interface, an id.
pub fn names(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match text.parse::<DacChoice>() {
        Ok(dac) => harmless_dac(&dac),
        Err(error) => refusal(&error),
    }
    if let Ok(id) = text.parse::<UsbId>() {
        assert_eq!(id.to_string().parse().as_ref(), Ok(&id));
        harmless_dac(&DacChoice::Usb(id.to_choice()));
        assert!(id.to_choice().means(&id), "{id} is not meant by its own choice");
    }
    match text.parse::<FilterPath>() {
        Ok(filter) => harmless_filter(&filter),
        Err(error) => refusal(&error),
    }
    match text.parse::<Name>() {
        Ok(name) => harmless_name(&name),
        Err(error) => refusal(&error),
    }
    harmless_name(&Name::like(&text));
    if let Err(error) = text.parse::<EqualiserText>() {
        refusal(&error);
    }
    if let Some(interface) = Interface::new(&text) {
        let name = interface.to_string();
        assert!((1..=15).contains(&name.len()) && !name.contains(['/', '\0', ' ']), "{name:?}");
    }
    for id in [Id::like(&text), Id::telling(&text)] {
        assert_eq!(Id::try_from(id.as_str().to_owned()).as_ref(), Ok(&id));
    }
    host(&text);
}

/// A host is compared as DNS does it: what it is compared by does not change any more.
fn host(text: &str) {
    let Some(name) = HostName::of_authority(text).map(HostName::into_string) else { return };
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_:".contains(c);
    assert!(!name.is_empty() && name.chars().all(fine), "{name:?}");
    let again = HostName::without_port(&name).map(HostName::into_string);
    assert_eq!(again.as_ref(), Some(&name));
    let with_port = if name.contains(':') { format!("[{name}]:80") } else { format!("{name}:80") };
    let again = HostName::of_authority(&with_port).map(HostName::into_string);
    assert_eq!(again, Some(name));
}
