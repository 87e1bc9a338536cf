//! What a settings file may say. Each value checks itself while it is read, so
//! that the error knows the line.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::error::Error;
use crate::guard::HostName;
use crate::listen::Interface;

/// One file; every key may be absent.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    pub listen: Listen,
    pub access: Access,
    pub storage: Storage,
    pub system: System,
    pub daemon: Daemon,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    pub hosts: Option<Hosts>,
    pub interface: Option<UsbInterface>,
    pub other_interfaces: Option<OtherInterfaces>,
    pub port: Option<Port>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    pub allowed_hosts: Option<AllowedHosts>,
    pub max_body_bytes: Option<BodyBytes>,
    pub max_event_streams: Option<EventStreams>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    pub folder: Option<Folder>,
    pub max_upload_bytes: Option<UploadBytes>,
    pub max_documents: Option<Number>,
    pub max_document_bytes: Option<DocumentBytes>,
    pub max_filters: Option<Number>,
    pub max_filter_bytes: Option<KeptBytes>,
    pub max_headphones_bytes: Option<HeadphonesBytes>,
    pub max_total_bytes: Option<KeptBytes>,
    pub min_free_bytes: Option<FreeBytes>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct System {
    pub power_sockets: Option<Folder>,
    pub updater_sockets: Option<Folder>,
    pub update_key: Option<Folder>,
    pub hardware_revision: Option<Folder>,
    pub check_socket: Option<Folder>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Daemon {
    pub control: Option<Endpoint>,
    pub telemetry: Option<Endpoint>,
    pub answer_seconds: Option<Seconds>,
    pub slow_answer_seconds: Option<Seconds>,
    pub silence_seconds: Option<Seconds>,
}

/// Reads one file.
pub fn read(path: &Path) -> Result<File, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    toml::from_str(&text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.get(..start).unwrap_or_default().matches('\n').count();
        Error::Settings {
            path: path.to_owned(),
            line: line + 1,
            text: text.lines().nth(line).unwrap_or_default().trim().to_owned(),
            reason: error.message().replace('\n', " "),
        }
    })
}

/// A checked value: read as `$read`, kept as `$kept`.
macro_rules! checked {
    ($name:ident, $read:ty, $text:literal, $kept:ty, $check:expr) => {
        #[derive(Debug, Deserialize)]
        #[serde(try_from = $text)]
        pub struct $name($kept);

        impl TryFrom<$read> for $name {
            type Error = String;

            fn try_from(found: $read) -> Result<Self, String> {
                let check: fn($read) -> Result<$kept, String> = $check;
                check(found).map(Self)
            }
        }

        impl From<$name> for $kept {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}

checked!(Hosts, Vec<String>, "Vec<String>", Vec<IpAddr>, |found| {
    if found.is_empty() {
        return Err("found an empty list; accepted: at least one address".to_owned());
    }
    found.iter().map(|host| address(host)).collect()
});
checked!(UsbInterface, String, "String", Interface, |found| interface(&found));
checked!(OtherInterfaces, Vec<String>, "Vec<String>", Vec<Interface>, |found| {
    let mut interfaces = Vec::new();
    for name in &found {
        let interface = interface(name)?;
        if interfaces.contains(&interface) {
            return Err(format!("found {name:?} twice; accepted: each interface once"));
        }
        interfaces.push(interface);
    }
    Ok(interfaces)
});
checked!(Port, i64, "i64", u16, port);
checked!(AllowedHosts, Vec<String>, "Vec<String>", BTreeSet<String>, |found| {
    if found.is_empty() {
        return Err("found an empty list; accepted: at least one name or address".to_owned());
    }
    found
        .iter()
        .map(|name| match HostName::without_port(name) {
            Some(name) => Ok(name.into_string()),
            None => Err(format!(
                "found {name:?}; accepted: a name such as \"totton-audio.local\" or an address, \
                 without scheme, port or wildcard"
            )),
        })
        .collect()
});
checked!(BodyBytes, i64, "i64", usize, |found| within(found, 256, 1024 * 1024));
checked!(EventStreams, i64, "i64", usize, |found| within(found, 1, 1024));
checked!(UploadBytes, i64, "i64", u64, |found| {
    within(found, 1024 * 1024, 2 * 1024 * 1024 * 1024).map(|bytes| bytes as u64)
});
// The daemon looks at so many files of a folder.
checked!(Number, i64, "i64", usize, |found| within(found, 1, 1000));
// A backup with two kinds of so many bytes has to fit into the service's memory.
checked!(DocumentBytes, i64, "i64", u64, |found| {
    within(found, 256 * 1024, 16 * 1024 * 1024).map(|bytes| bytes as u64)
});
checked!(HeadphonesBytes, i64, "i64", u64, |found| {
    within(found, 1024 * 1024, 64 * 1024 * 1024).map(|bytes| bytes as u64)
});
checked!(KeptBytes, i64, "i64", u64, |found| bytes(found, 1024 * 1024));
checked!(FreeBytes, i64, "i64", u64, |found| bytes(found, 0));
checked!(Folder, String, "String", PathBuf, |found| {
    let path = PathBuf::from(&found);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(format!("found {found:?}; accepted: an absolute path"))
    }
});
checked!(Endpoint, String, "String", String, |found| {
    match found.strip_prefix("ipc:///") {
        Some(path) if !path.is_empty() => Ok(found),
        _ => Err(format!("found {found:?}; accepted: ipc:// and an absolute path")),
    }
});
checked!(Seconds, f64, "f64", Duration, |found| {
    if (0.1..=60.0).contains(&found) {
        Ok(Duration::from_secs_f64(found))
    } else {
        Err(format!("found {found}; accepted: 0.1 to 60 (seconds)"))
    }
});

pub fn address(found: &str) -> Result<IpAddr, String> {
    found.parse().map_err(|_| {
        format!("found {found:?}; accepted: an IPv4 or IPv6 address such as \"192.168.55.1\"")
    })
}

fn interface(found: &str) -> Result<Interface, String> {
    Interface::new(found).filter(|interface| *interface != Interface::loopback()).ok_or_else(|| {
        format!(
            "found {found:?}; accepted: the name of a network interface such as \"usb0\", \
             as `ip link` shows it, and not \"lo\""
        )
    })
}

pub fn port(found: i64) -> Result<u16, String> {
    u16::try_from(found).map_err(|_| format!("found {found}; accepted: 0 to 65535"))
}

/// Up to 1 TiB, on machines of any width.
fn bytes(found: i64, least: u64) -> Result<u64, String> {
    const MOST: u64 = 1 << 40;
    u64::try_from(found)
        .ok()
        .filter(|value| (least..=MOST).contains(value))
        .ok_or_else(|| format!("found {found}; accepted: {least} to {MOST}"))
}

fn within(found: i64, least: usize, most: usize) -> Result<usize, String> {
    usize::try_from(found)
        .ok()
        .filter(|value| (least..=most).contains(value))
        .ok_or_else(|| format!("found {found}; accepted: {least} to {most}"))
}

#[cfg(test)]
impl File {
    /// The keys that the file leaves out.
    pub fn missing_keys(&self) -> Vec<&'static str> {
        [
            ("listen.hosts", self.listen.hosts.is_none()),
            ("listen.interface", self.listen.interface.is_none()),
            ("listen.other_interfaces", self.listen.other_interfaces.is_none()),
            ("listen.port", self.listen.port.is_none()),
            ("access.allowed_hosts", self.access.allowed_hosts.is_none()),
            ("access.max_body_bytes", self.access.max_body_bytes.is_none()),
            ("access.max_event_streams", self.access.max_event_streams.is_none()),
            ("storage.folder", self.storage.folder.is_none()),
            ("storage.max_upload_bytes", self.storage.max_upload_bytes.is_none()),
            ("storage.max_documents", self.storage.max_documents.is_none()),
            ("storage.max_document_bytes", self.storage.max_document_bytes.is_none()),
            ("storage.max_filters", self.storage.max_filters.is_none()),
            ("storage.max_filter_bytes", self.storage.max_filter_bytes.is_none()),
            ("storage.max_headphones_bytes", self.storage.max_headphones_bytes.is_none()),
            ("storage.max_total_bytes", self.storage.max_total_bytes.is_none()),
            ("storage.min_free_bytes", self.storage.min_free_bytes.is_none()),
            ("system.power_sockets", self.system.power_sockets.is_none()),
            ("system.updater_sockets", self.system.updater_sockets.is_none()),
            ("system.update_key", self.system.update_key.is_none()),
            ("system.hardware_revision", self.system.hardware_revision.is_none()),
            ("system.check_socket", self.system.check_socket.is_none()),
            ("daemon.control", self.daemon.control.is_none()),
            ("daemon.telemetry", self.daemon.telemetry.is_none()),
            ("daemon.answer_seconds", self.daemon.answer_seconds.is_none()),
            ("daemon.slow_answer_seconds", self.daemon.slow_answer_seconds.is_none()),
            ("daemon.silence_seconds", self.daemon.silence_seconds.is_none()),
        ]
        .into_iter()
        .filter_map(|(key, missing)| missing.then_some(key))
        .collect()
    }
}
