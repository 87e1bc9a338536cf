//! The configuration files of the three services.

use std::path::Path;
use std::time::Duration;

use gpu_upsampler::config::{self, Config, PlaybackChoice};
use totton_audio_gadget::config::Config as Gadget;
use totton_audio_gadget::config::value::SampleRates;
use totton_audio_web::listen::Interface;
use totton_audio_web::{Overrides, Settings};

use crate::file::MemoryFile;
use crate::memory;

/// What the TOML parser may hold: a few values of some hundred bytes for each byte.
fn most(bytes: &[u8]) -> usize {
    512 * bytes.len() + 256 * 1024
}

/// An error that names the file; its message quotes a line of the input at most a few times.
fn refusal(error: &dyn std::fmt::Display, file: &Path, bytes: &[u8]) {
    let text = error.to_string();
    assert!(text.contains(&file.display().to_string()), "no file in {text:?}");
    assert!(text.len() <= 16 * bytes.len() + 1000, "{} bytes of error", text.len());
}

/// `gadget.toml`.
pub fn gadget(bytes: &[u8]) {
    let file = MemoryFile::new(bytes);
    let config = match memory::within(most(bytes), || Gadget::load(&file.path())) {
        Ok(config) => config,
        Err(error) => return refusal(&error, &file.path(), bytes),
    };
    assert!(config.udc_timeout() <= Duration::from_secs(600));
    assert!(config.vendor_id() != 0 && config.product_id() != 0);
    for text in [config.manufacturer(), config.product()] {
        assert!((1..=126).contains(&text.encode_utf16().count()), "{text:?}");
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    if let Some(udc) = config.udc() {
        // It is written to ConfigFS as it is.
        assert!(!udc.is_empty() && !udc.contains(['/', '\n', '\0', ' ']), "{udc:?}");
    }
    if let Some(serial) = config.serial() {
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        assert!((1..=64).contains(&serial.len()) && serial.chars().all(fine), "{serial:?}");
    }
    if let Some(audio) = config.audio() {
        let list = audio.sample_rates.comma_list();
        let rates: Vec<u32> = list.split(',').map(|rate| rate.parse().expect(&list)).collect();
        assert!(rates.iter().all(|rate| SampleRates::ACCEPTED.contains(rate)), "{list}");
        assert!(rates.is_sorted_by(|a, b| a < b), "{list}");
        assert!((2..=60).contains(&audio.req_number) && (1..=100).contains(&audio.fb_max));
    }
    for mac in [config.network().device_mac, config.network().host_mac].into_iter().flatten() {
        let text = mac.to_string();
        assert!(text.len() == 17 && text != "00:00:00:00:00:00", "{text}");
        assert_eq!(text.parse(), Ok(mac), "{text}");
    }
}

/// `upsampler.toml`.
pub fn upsampler(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let file = Path::new("/etc/upsampler.toml");
    let config = match memory::within(most(bytes), || Config::from_text(text, file)) {
        Ok(config) => config,
        Err(error) => return refusal(&error, file, bytes),
    };
    let Config { capture, playback, engine, output, realtime, .. } = &config;
    assert!(config.startup_grace <= Duration::from_secs(60));
    assert!((1..=config::MAX_CHANNELS).contains(&capture.channels));
    assert!(!capture.device.is_empty() && !capture.device.contains('\0'));
    assert!(!capture.formats.is_empty() && !playback.formats.is_empty());
    assert!(capture.period * 2 <= capture.buffer && playback.period * 2 <= playback.buffer);
    assert!(playback.prefill + playback.period <= playback.buffer);
    assert!((44_100..=768_000).contains(&playback.max_rate));
    assert!(engine.block_frames.is_power_of_two() && engine.block_frames <= 65_536);
    assert!((-120.0..=0.0).contains(&output.gain_db), "{} dB", output.gain_db);
    assert!((0..=90).contains(&realtime.priority));
    assert!(realtime.cpus.iter().all(|cpu| *cpu < 1024));
    if let PlaybackChoice::Named(name) = &playback.device {
        assert!(!name.is_empty() && !name.contains('\0'), "{name:?}");
    }
    for family in [44_100, 48_000] {
        for ratio in config::RATIOS {
            let path = config.filter.path(family, ratio).display().to_string();
            assert!(!path.is_empty() && !path.contains(['{', '}', '\0']), "{path:?}");
        }
    }
}

/// `web.toml`.
pub fn web(bytes: &[u8]) {
    let file = MemoryFile::new(bytes);
    let load = || Settings::load(&file.path(), &Overrides::default());
    let settings = match memory::within(most(bytes), load) {
        Ok(settings) => settings,
        Err(error) => return refusal(&error, &file.path(), bytes),
    };
    for place in settings.places() {
        assert!(!place.addresses.is_empty(), "{place:?}");
        // Another network than the USB network and the device itself wants a password.
        let own = place.interface == Interface::loopback() || !place.needs_password;
        let other = settings.other_interfaces().contains(&place.interface);
        assert!(own || other, "{place:?}");
        assert!(place.needs_password == other, "{place:?}");
    }
    let hosts = settings.allowed_hosts();
    assert!(!hosts.is_empty());
    for host in hosts {
        let odd = |c: char| c.is_uppercase() || c.is_control() || " /@*?#[]\\".contains(c);
        assert!(!host.is_empty() && !host.ends_with('.') && !host.contains(odd), "{host:?}");
    }
    assert!((256..=1 << 20).contains(&settings.max_body_bytes()));
    assert!((1..=1024).contains(&settings.max_event_streams()));
    assert!((1 << 20..=1 << 31).contains(&settings.max_upload_bytes()));
    for folder in [settings.data_folder(), settings.power_sockets(), settings.updater_sockets()] {
        assert!(folder.is_absolute(), "{}", folder.display());
    }
    for endpoint in [settings.control(), settings.telemetry()] {
        assert!(endpoint.len() > 7 && endpoint.starts_with("ipc:///"), "{endpoint:?}");
    }
    for time in [settings.answer(), settings.slow_answer(), settings.silence()] {
        assert!((Duration::from_millis(100)..=Duration::from_secs(60)).contains(&time));
    }
}
