//! `web.toml`, its fragments and the environment, validated.
//!
//! A file is read alone into [`raw::File`], whose values check themselves, so
//! that an error names the file and the line. What the files say is then laid
//! over the defaults: the main file, the fragments in the order of their names,
//! the environment.

mod overrides;
mod places;
mod raw;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use totton_protocol::endpoint;

use crate::error::Error;
use crate::listen::Interface;
use crate::store::Limits;
pub use overrides::Overrides;

/// What the service runs with.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    hosts: Vec<IpAddr>,
    interface: Interface,
    other_interfaces: Vec<Interface>,
    port: u16,
    allowed_hosts: BTreeSet<String>,
    max_body_bytes: usize,
    max_event_streams: usize,
    data_folder: PathBuf,
    max_upload_bytes: u64,
    limits: Limits,
    power_sockets: PathBuf,
    updater_sockets: PathBuf,
    update_key: PathBuf,
    hardware_revision: PathBuf,
    check_socket: PathBuf,
    control: String,
    telemetry: String,
    answer: Duration,
    slow_answer: Duration,
    silence: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hosts: vec![IpAddr::from([127, 0, 0, 1]), IpAddr::from([192, 168, 55, 1])],
            interface: Interface::usb(),
            other_interfaces: Vec::new(),
            port: 80,
            allowed_hosts: ["totton-audio.local", "192.168.55.1", "localhost", "127.0.0.1"]
                .map(str::to_owned)
                .into(),
            max_body_bytes: 128 * 1024,
            max_event_streams: 64,
            data_folder: "/opt/totton_audio/data".into(),
            max_upload_bytes: 256 * 1024 * 1024,
            limits: Limits::default(),
            power_sockets: "/run/totton-audio-power".into(),
            updater_sockets: "/run/swupdate".into(),
            update_key: "/usr/share/totton-audio/update-key.pem".into(),
            hardware_revision: "/etc/hwrevision".into(),
            check_socket: "/run/totton-audio-check/report".into(),
            control: endpoint::CONTROL.to_owned(),
            telemetry: endpoint::TELEMETRY.to_owned(),
            answer: Duration::from_secs(2),
            slow_answer: Duration::from_secs(20),
            silence: Duration::from_secs(2),
        }
    }
}

impl Settings {
    /// Reads `main`, the fragments beside it, and applies the environment.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when `main` or a fragment cannot be read,
    /// [`Error::Settings`] when one of them says something that is not accepted.
    pub fn load(main: &Path, overrides: &Overrides) -> Result<Self, Error> {
        let mut settings = Self::default();
        settings.apply(raw::read(main)?);
        for fragment in fragments(main)? {
            settings.apply(raw::read(&fragment)?);
        }
        if let Some(hosts) = &overrides.hosts {
            settings.hosts.clone_from(hosts);
        }
        if let Some(port) = overrides.port {
            settings.port = port;
        }
        Ok(settings)
    }

    fn apply(&mut self, file: raw::File) {
        fn set<F, T: From<F>>(target: &mut T, found: Option<F>) {
            if let Some(found) = found {
                *target = found.into();
            }
        }
        set(&mut self.hosts, file.listen.hosts);
        set(&mut self.interface, file.listen.interface);
        set(&mut self.other_interfaces, file.listen.other_interfaces);
        set(&mut self.port, file.listen.port);
        set(&mut self.allowed_hosts, file.access.allowed_hosts);
        set(&mut self.max_body_bytes, file.access.max_body_bytes);
        set(&mut self.max_event_streams, file.access.max_event_streams);
        set(&mut self.data_folder, file.storage.folder);
        set(&mut self.max_upload_bytes, file.storage.max_upload_bytes);
        set(&mut self.limits.documents, file.storage.max_documents);
        set(&mut self.limits.document_bytes, file.storage.max_document_bytes);
        set(&mut self.limits.filters, file.storage.max_filters);
        set(&mut self.limits.filter_bytes, file.storage.max_filter_bytes);
        set(&mut self.limits.headphones_bytes, file.storage.max_headphones_bytes);
        set(&mut self.limits.total_bytes, file.storage.max_total_bytes);
        set(&mut self.limits.free_bytes, file.storage.min_free_bytes);
        set(&mut self.power_sockets, file.system.power_sockets);
        set(&mut self.updater_sockets, file.system.updater_sockets);
        set(&mut self.update_key, file.system.update_key);
        set(&mut self.hardware_revision, file.system.hardware_revision);
        set(&mut self.check_socket, file.system.check_socket);
        set(&mut self.control, file.daemon.control);
        set(&mut self.telemetry, file.daemon.telemetry);
        set(&mut self.answer, file.daemon.answer_seconds);
        set(&mut self.slow_answer, file.daemon.slow_answer_seconds);
        set(&mut self.silence, file.daemon.silence_seconds);
    }

    /// Networks beside the USB network on which the page is served: only with a password.
    pub fn other_interfaces(&self) -> &[Interface] {
        &self.other_interfaces
    }

    /// Names a request may be for: lower case, no port, no final dot, no brackets.
    /// The address that a connection arrived at is one, too ([`crate::guard`]).
    pub fn allowed_hosts(&self) -> &BTreeSet<String> {
        &self.allowed_hosts
    }

    /// The largest request body, in bytes.
    pub fn max_body_bytes(&self) -> usize {
        self.max_body_bytes
    }

    /// Event streams open at the same time.
    pub fn max_event_streams(&self) -> usize {
        self.max_event_streams
    }

    /// Where what the user keeps lies: presets, equalisers, filters, the password.
    pub fn data_folder(&self) -> &Path {
        &self.data_folder
    }

    /// The largest filter that may be uploaded, in bytes.
    pub fn max_upload_bytes(&self) -> u64 {
        self.max_upload_bytes
    }

    /// How much is kept in all, and how much stays free.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The folder of the sockets on which systemd listens for restart, power off and the time.
    pub fn power_sockets(&self) -> &Path {
        &self.power_sockets
    }

    /// The folder of SWUpdate's sockets.
    pub fn updater_sockets(&self) -> &Path {
        &self.updater_sockets
    }

    /// The public key that updates and the lists of a feed are signed for.
    pub fn update_key(&self) -> &Path {
        &self.update_key
    }

    /// The file with the board's name and revision, as SWUpdate reads it.
    pub fn hardware_revision(&self) -> &Path {
        &self.hardware_revision
    }

    /// The socket behind which systemd runs the check of the board.
    pub fn check_socket(&self) -> &Path {
        &self.check_socket
    }

    /// ZeroMQ endpoint of the daemon's REP socket.
    pub fn control(&self) -> &str {
        &self.control
    }

    /// ZeroMQ endpoint of the daemon's PUB socket.
    pub fn telemetry(&self) -> &str {
        &self.telemetry
    }

    /// Longest wait for the daemon's answer to a quick command.
    pub fn answer(&self) -> Duration {
        self.answer
    }

    /// Longest wait for the daemon's answer to a reload or a restart of the stream.
    pub fn slow_answer(&self) -> Duration {
        self.slow_answer
    }

    /// The daemon counts as away when it was silent for so long.
    pub fn silence(&self) -> Duration {
        self.silence
    }
}

/// The `*.toml` in the folder beside `main`, in the order of their names.
fn fragments(main: &Path) -> Result<Vec<PathBuf>, Error> {
    let folder = main.with_extension("d");
    let unreadable = |source| Error::Unreadable { path: folder.clone(), source };
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unreadable)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests;
