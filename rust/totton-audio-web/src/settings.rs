//! `web.toml`, its fragments and the environment, validated.
//!
//! A file is read alone into [`raw::File`], whose values check themselves, so
//! that an error names the file and the line. What the files say is then laid
//! over the defaults: the main file, the fragments in the order of their names,
//! the environment.

mod overrides;
mod raw;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use totton_protocol::endpoint;

use crate::error::Error;
use crate::listen::{Interface, Place};
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
        set(&mut self.check_socket, file.system.check_socket);
        set(&mut self.control, file.daemon.control);
        set(&mut self.telemetry, file.daemon.telemetry);
        set(&mut self.answer, file.daemon.answer_seconds);
        set(&mut self.slow_answer, file.daemon.slow_answer_seconds);
        set(&mut self.silence, file.daemon.silence_seconds);
    }

    /// Where to listen: loopback addresses on the device's own interface, the others on the USB
    /// network's, 0.0.0.0 and :: on both; on other networks every IPv4 address. No IPv6 there: an
    /// IPv6 address may be reachable from the whole Internet.
    pub fn places(&self) -> Vec<Place> {
        let mut places = BTreeMap::<&Interface, BTreeSet<IpAddr>>::new();
        let loopback = Interface::loopback();
        for host in &self.hosts {
            if host.is_loopback() || host.is_unspecified() {
                places.entry(&loopback).or_default().insert(*host);
            }
            if !host.is_loopback() {
                places.entry(&self.interface).or_default().insert(*host);
            }
        }
        for interface in &self.other_interfaces {
            places.entry(interface).or_default().insert(Ipv4Addr::UNSPECIFIED.into());
        }
        let place = |(interface, addresses): (&Interface, BTreeSet<IpAddr>)| Place {
            interface: interface.clone(),
            // Every address of a family has its single ones in it.
            addresses: addresses
                .iter()
                .filter(|address| {
                    let every = addresses.iter().any(|other| {
                        other.is_unspecified() && other.is_ipv4() == address.is_ipv4()
                    });
                    address.is_unspecified() || !every
                })
                .copied()
                .collect(),
            port: self.port,
            needs_password: self.other_interfaces.contains(interface),
        };
        places.into_iter().map(place).collect()
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
mod tests {
    use super::*;

    fn load(main: &str, fragments: &[(&str, &str)]) -> Result<Settings, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.toml");
        std::fs::write(&path, main).unwrap();
        std::fs::create_dir(folder.path().join("web.d")).unwrap();
        for (name, text) in fragments {
            std::fs::write(folder.path().join("web.d").join(name), text).unwrap();
        }
        Settings::load(&path, &Overrides::default())
    }

    /// Interface and address of everything that is listened on.
    fn places(settings: &Settings) -> Vec<String> {
        let one = |place: Place| {
            let shown = |address: &IpAddr| format!("{} {address}", place.interface);
            place.addresses.iter().map(shown).collect::<Vec<_>>()
        };
        settings.places().into_iter().flat_map(one).collect()
    }

    fn complaint(main: &str) -> String {
        load(main, &[]).unwrap_err().to_string()
    }

    #[test]
    fn the_shipped_file_states_every_default() {
        let shipped =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conf/etc/totton-audio/web.toml");
        assert_eq!(
            Settings::load(&shipped, &Overrides::default()).unwrap(),
            Settings::default(),
            "{} and the defaults built in differ",
            shipped.display()
        );
        // Every key stands there: taken from its own file, none is left to the built-in defaults.
        let file = raw::read(&shipped).unwrap();
        assert_eq!(file.missing_keys(), Vec::<&str>::new());
    }

    #[test]
    fn fragments_override_single_keys_in_the_order_of_their_names() {
        let settings = load(
            "[listen]\nport = 81\nhosts = [\"127.0.0.1\"]\n",
            &[
                ("20-b.toml", "listen.port = 83"),
                ("10-a.toml", "[listen]\nport = 82\n[daemon]\nanswer_seconds = 3"),
                ("30-c.toml.bak", "nonsense"),
            ],
        )
        .unwrap();
        assert_eq!(places(&settings), ["lo 127.0.0.1"]);
        assert_eq!(settings.places()[0].port, 83);
        assert_eq!(settings.answer(), Duration::from_secs(3));
    }

    #[test]
    fn the_environment_has_the_last_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.toml");
        std::fs::write(&path, "listen.port = 81").unwrap();
        let overrides = Overrides::from_values(Some("127.0.0.1, ::1"), Some("8080")).unwrap();
        let settings = Settings::load(&path, &overrides).unwrap();
        assert_eq!(settings.places()[0].port, 8080);
        assert_eq!(places(&settings), ["lo 127.0.0.1", "lo ::1"]);
    }

    #[test]
    fn a_missing_main_file_is_named() {
        let error = Settings::load(Path::new("/nowhere/web.toml"), &Overrides::default());
        assert!(error.unwrap_err().to_string().contains("/nowhere/web.toml"));
    }

    #[test]
    fn an_error_names_file_line_key_and_what_is_accepted() {
        let text = complaint("[listen]\n\nport = 70000\n");
        for part in ["web.toml, line 3", "port = 70000", "accepted: 0 to 65535"] {
            assert!(text.contains(part), "{text}");
        }
        let text = complaint("[listen]\nprot = 80\n");
        for part in ["line 2", "`prot`", "`hosts`", "`port`"] {
            assert!(text.contains(part), "{text}");
        }
        let text = complaint("[listen]\nhosts = [\"127.0.0.1\", \"usb0\"]\n");
        for part in ["line 2", "\"usb0\"", "accepted: an IPv4 or IPv6 address"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn values_outside_their_range_are_refused() {
        for bad in [
            "listen.hosts = []",
            "listen.interface = \"\"",
            "listen.interface = \"lo\"",
            "listen.interface = \"192.168.55.1/24\"",
            "listen.other_interfaces = [\"eth0:1\"]",
            "listen.other_interfaces = [\"wlan0\", \"lo\"]",
            "listen.other_interfaces = [\"wlan0\", \"wlan0\"]",
            "access.allowed_hosts = []",
            "access.allowed_hosts = [\"http://box\"]",
            "access.allowed_hosts = [\"box:80\"]",
            "access.allowed_hosts = [\"*\"]",
            "access.max_body_bytes = 1",
            "access.max_event_streams = 0",
            "storage.folder = \"data\"",
            "storage.max_upload_bytes = 1",
            "storage.max_documents = 0",
            "storage.max_document_bytes = 16777217",
            "storage.max_filters = 0",
            "storage.max_filter_bytes = 1",
            "storage.max_headphones_bytes = 67108865",
            "storage.max_total_bytes = 1",
            "storage.min_free_bytes = -1",
            "system.power_sockets = \"\"",
            "system.updater_sockets = \"../run\"",
            "system.check_socket = \"report\"",
            "daemon.control = \"/run/control.sock\"",
            "daemon.answer_seconds = 0",
            "daemon.silence_seconds = nan",
            "daemon.slow_answer_seconds = 61.0",
        ] {
            let text = complaint(bad);
            assert!(text.contains("accepted: ") && text.contains("line 1"), "{bad}: {text}");
        }
    }

    #[test]
    fn names_are_compared_as_dns_compares_them() {
        let settings = load("access.allowed_hosts = [\"Box.Local.\", \"[::1]\"]", &[]);
        let expected = ["box.local", "::1"].map(str::to_owned);
        assert_eq!(settings.unwrap().allowed_hosts(), &expected.into());
    }

    #[test]
    fn every_address_is_served_on_one_interface() {
        let shown = |main: &str| places(&load(main, &[]).unwrap());
        assert_eq!(shown(""), ["lo 127.0.0.1", "usb0 192.168.55.1"]);
        assert_eq!(shown("listen.interface = \"br0\""), ["br0 192.168.55.1", "lo 127.0.0.1"]);
        assert_eq!(shown("listen.hosts = [\"192.168.55.1\"]"), ["usb0 192.168.55.1"]);
        assert_eq!(shown("listen.hosts = [\"fe80::1\", \"::1\"]"), ["lo ::1", "usb0 fe80::1"]);
    }

    #[test]
    fn every_address_means_every_address_of_the_usb_network_and_loopback() {
        let shown = |main: &str| places(&load(main, &[]).unwrap());
        assert_eq!(shown("listen.hosts = [\"0.0.0.0\"]"), ["lo 0.0.0.0", "usb0 0.0.0.0"]);
        let both = "listen.hosts = [\"0.0.0.0\", \"127.0.0.1\", \"::1\", \"10.0.0.7\"]";
        assert_eq!(shown(both), ["lo 0.0.0.0", "lo ::1", "usb0 0.0.0.0"]);
    }

    #[test]
    fn another_network_is_served_when_it_is_named() {
        let settings = load("listen.other_interfaces = [\"wlan0\", \"eth0\"]", &[]).unwrap();
        assert_eq!(
            places(&settings),
            ["eth0 0.0.0.0", "lo 127.0.0.1", "usb0 192.168.55.1", "wlan0 0.0.0.0"]
        );
        // The USB network, named there, is asked for its password, too.
        let settings = load("listen.other_interfaces = [\"usb0\"]", &[]).unwrap();
        assert_eq!(places(&settings), ["lo 127.0.0.1", "usb0 0.0.0.0"]);
        assert_eq!(settings.other_interfaces().len(), 1);
    }
}
