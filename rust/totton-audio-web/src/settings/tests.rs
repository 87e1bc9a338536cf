use super::*;
use crate::listen::Place;

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
