//! What journald, systemd and SWUpdate tell the page.

use serde::Serialize;
use totton_audio_check::systemd;
use totton_audio_web::device::journal::Entry;
use totton_audio_web::device::updater::{self, Progress};
use totton_audio_web::feed::event;

use crate::memory;

const BASE: usize = 64 * 1024;

/// Lines of `journalctl --output json`, and the events that the page gets of them.
pub fn journal(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines() {
        let most = 256 * line.len() + BASE;
        let Some(entry) = memory::within(most, || Entry::parse(line)) else { continue };
        assert!(entry.time.is_finite() && entry.time >= 0.0, "time {}", entry.time);
        assert!(entry.priority <= 7, "priority {}", entry.priority);
        assert!(entry.message.len() <= 3 * line.len() && entry.source.len() <= line.len());
        let said = one_event("entry", &entry);
        assert_eq!(said["message"].as_str(), Some(entry.message.as_str()));
        assert_eq!(said["source"].as_str(), Some(entry.source.as_str()));
    }
}

/// The data of the event, which must be one event and one line, and say no null for a number.
///
/// # Panics
/// When it is not.
pub fn one_event<T: Serialize>(name: &str, data: &T) -> serde_json::Value {
    let event = event(name, data).expect("an event");
    let text = std::str::from_utf8(&event).expect("an event is UTF-8");
    let data = text.strip_prefix(&format!("event: {name}\ndata: ")).expect("the event's name");
    let data = data.strip_suffix("\n\n").expect("the event's end");
    // A reader of events takes each of them as the end of a line.
    assert!(!data.contains(['\n', '\r', '\0']), "a second line within {data:?}");
    serde_json::from_str(data).expect("an event holds JSON")
}

/// What `systemctl show` prints.
pub fn systemctl(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let units = memory::within(128 * text.len() + BASE, || systemd::parse(&text));
    assert!(units.len() <= text.len());
    for unit in &units {
        let seconds = [unit.ready_seconds, unit.cpu_seconds];
        let fine = seconds.iter().flatten().all(|value| value.is_finite() && *value >= 0.0);
        assert!(fine, "{unit:?}");
        assert!(!unit.name.contains('\n') && !unit.state.contains('\n'), "{unit:?}");
        assert!(unit.status_text.as_deref() != Some(""), "{unit:?}");
        let said = one_event("unit", unit);
        assert_eq!(said["name"].as_str(), Some(unit.name.as_str()));
        assert_eq!(said["ready_seconds"].is_null(), unit.ready_seconds.is_none());
    }
}

/// SWUpdate's two structures: what comes first of the bytes, the rest zero.
pub fn swupdate(bytes: &[u8]) {
    let progress = Progress::parse(&padded::<{ updater::PROGRESS }>(bytes));
    assert!(progress.percent <= 100, "{} %", progress.percent);
    // Each byte can become a character of three bytes.
    assert!(progress.image.len() <= 3 * 256 && progress.info.len() <= 3 * 2048);
    assert!(!progress.image.contains('\0') && !progress.info.contains('\0'));
    let said = one_event("progress", &progress);
    assert_eq!(said["info"].as_str(), Some(progress.info.as_str()));
    let (_, words) = updater::status(&padded::<{ updater::MESSAGE }>(bytes));
    assert!(words.len() <= 3 * 2048 && !words.contains('\0'), "{words:?}");
}

fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut message = [0; N];
    let length = bytes.len().min(N);
    message[..length].copy_from_slice(&bytes[..length]);
    message
}
