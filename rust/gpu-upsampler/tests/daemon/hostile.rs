//! What a stranger sends, as JSON on the socket and in the settings' file: nothing of it reaches
//! alsa-lib or another folder, and what was in force stays.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use totton_protocol::{FaultKind, State, endpoint};

use crate::double::Machine;
use crate::running::{Running, Setup, until};

/// Runs a shell command when alsa-lib opens it.
const COMMAND: &str = "file:'|id > /tmp/PWNED; cat > /dev/null',raw";

/// Sends one request as it is, and gives the reply; to an order that takes longer, how that ended.
fn ask(daemon: &Running, request: &Value) -> Value {
    let socket = zmq::Context::new().socket(zmq::REQ).unwrap();
    socket.set_rcvtimeo(10_000).unwrap();
    socket.set_linger(0).unwrap();
    let file = daemon.place(endpoint::CONTROL_FILE);
    socket.connect(&format!("ipc://{}", file.display())).unwrap();
    let mut request = request.clone();
    loop {
        socket.send(request.to_string().as_bytes(), 0).unwrap();
        let reply: Value = serde_json::from_slice(&socket.recv_bytes(0).unwrap()).unwrap();
        if reply["answer"] != "pending" {
            return reply;
        }
        request = json!({"version": 2, "command": "outcome", "order": reply["order"]});
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn settings(daemon: &Running) -> Value {
    ask(daemon, &json!({"version": 2, "command": "settings"}))
}

#[test]
fn no_plug_in_no_other_folder_and_no_hidden_text_is_taken_from_the_socket() {
    let daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    let before = settings(&daemon);
    let folder = daemon.folder.path().display().to_string();
    let equaliser = |name: &str, text: &str| json!({"name": name, "text": text});
    for (key, hostile) in [
        ("dac", json!(COMMAND)),
        ("dac", json!("file:/etc/passwd")),
        ("dac", json!("null")),
        ("dac", json!("tee:'hw:0','/tmp/x',raw")),
        ("dac", json!("plug:{type file file \"|id\"}")),
        ("dac", json!("hw:{card 0}")),
        ("dac", json!("hw:0,0'")),
        ("dac", json!("hw:0,0\n")),
        ("dac", json!("hw:0,0\u{0}")),
        ("dac", json!("@args")),
        ("dac", json!("hw:".repeat(30_000))),
        ("filter", json!(format!("{folder}/../{}/x.filter", "etc"))),
        ("filter", json!(format!("{folder}/taps.filter/../taps.filter"))),
        ("filter", json!(format!("{folder}/settings.json"))),
        ("filter", json!(format!("{folder}/a\nb.filter"))),
        ("equaliser", equaliser("a\u{202e}b", "Preamp: -1 dB")),
        ("equaliser", equaliser("a\nb", "Preamp: -1 dB")),
        ("equaliser", equaliser("a", "Preamp: -1 dB # \u{1b}[2J")),
        ("sound", json!({"gain_db": 0.5})),
    ] {
        let mut whole = json!({"version": 1});
        whole[key] = hostile.clone();
        for request in [
            json!({"version": 2, "command": "change-settings", "changes": {key: hostile}}),
            json!({"version": 2, "command": "replace-settings", "settings": whole}),
        ] {
            let reply = ask(&daemon, &request);
            assert_eq!(reply["code"], "out-of-range", "{key}: {hostile:.100}: {reply:.300}");
            let message = reply["message"].as_str().unwrap();
            assert!(message.starts_with(key) && message.contains("accepted: "), "{message}");
            assert!(message.len() < 1500 && !message.chars().any(char::is_control), "{message:?}");
            assert_eq!(settings(&daemon), before, "{hostile:.100}");
        }
    }
    let status = daemon.status();
    assert_eq!((status.state, status.counters.stream_starts), (State::Streaming, 1));
}

#[test]
fn a_card_in_any_spelling_is_taken_and_told_in_one() {
    let daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    for spelling in ["hw:CARD=D90,DEV=0", "plughw:CARD=D90", "sysdefault:CARD=D90", "hw:D90"] {
        let changes = json!({"dac": spelling});
        let request = json!({"version": 2, "command": "change-settings", "changes": changes});
        assert_eq!(ask(&daemon, &request)["settings"]["dac"], "hw:D90,0", "{spelling}");
    }
}

/// A box whose page had set a plug-in before an update.
#[test]
fn a_plug_in_in_the_settings_file_is_left_out_and_the_volume_stays() {
    let stored = json!({
        "version": 1, "dac": COMMAND,
        "sound": {"gain_db": -33.0, "balance": 0.25, "mono": true},
    });
    let setup = Setup {
        before: |folder| {
            let stored = json!({
                "version": 1, "dac": COMMAND,
                "sound": {"gain_db": -33.0, "balance": 0.25, "mono": true},
            });
            fs::write(folder.path().join("settings.json"), stored.to_string()).unwrap();
        },
        ..Setup::default()
    };
    let mut daemon = Running::start(Machine::new(), setup);
    let status = daemon.until_state(State::Streaming);
    let sound = status.sound;
    assert_eq!((sound.gain_db, sound.balance, sound.mono, sound.mute), (-33.0, 0.25, true, false));
    assert_eq!(settings(&daemon)["settings"]["dac"], Value::Null);
    let fault = status.faults.iter().find(|f| f.kind == FaultKind::SettingsUnreadable).unwrap();
    for part in ["settings.bad", "dac is \"file:", "the configuration's DAC is used"] {
        assert!(fault.message.contains(part), "{fault:?}");
    }
    let aside: Value =
        serde_json::from_slice(&fs::read(daemon.place("settings.bad")).unwrap()).unwrap();
    assert_eq!(aside, stored);
    let file = daemon.place("settings.json");
    until("it is written without", || {
        let text = fs::read_to_string(&file).unwrap();
        (!text.contains("PWNED")).then_some(())
    });
    daemon.terminate();
    daemon.start_again();
    let status = daemon.until_state(State::Streaming);
    assert_eq!((status.sound.gain_db, status.faults.len()), (-33.0, 0));
}

/// It may have lowered the sound.
#[test]
fn without_an_equaliser_that_is_refused_at_the_start_the_sound_is_muted() {
    for (text, kind) in [
        ("Preamp: -20 dB\nFilter: ON ??", FaultKind::EqualiserRefused),
        ("Preamp: -20 dB\n\u{0}", FaultKind::SettingsUnreadable),
    ] {
        let machine = Machine::new();
        let setup = Setup {
            before: match kind {
                FaultKind::EqualiserRefused => |folder| {
                    let equaliser = json!({"name": "e", "text": "Preamp: -20 dB\nFilter: ON ??"});
                    let stored = json!({"version": 1, "equaliser": equaliser});
                    fs::write(folder.path().join("settings.json"), stored.to_string()).unwrap();
                },
                _ => |folder| {
                    let equaliser = json!({"name": "e", "text": "Preamp: -20 dB\n\u{0}"});
                    let stored = json!({"version": 1, "equaliser": equaliser});
                    fs::write(folder.path().join("settings.json"), stored.to_string()).unwrap();
                },
            },
            ..Setup::default()
        };
        let daemon = Running::start(machine, setup);
        let status = daemon.until_state(State::Streaming);
        assert!(status.sound.mute && status.gain.muted, "{text:?}");
        let fault = status.faults.iter().find(|fault| fault.kind == kind).unwrap();
        assert!(fault.message.contains("muted"), "{fault:?}");
    }
}

#[test]
fn a_pipe_and_a_hidden_name_among_the_filters_are_not_offered_and_hold_nobody_up() {
    let daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    let pipe = daemon.place("pipe.filter");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let whole = daemon.place("taps.filter");
    fs::copy(&whole, daemon.place("a\u{202e}b.filter")).unwrap();
    fs::copy(&whole, daemon.place("a\nb.filter")).unwrap();
    fs::copy(&whole, daemon.place("a{b}.filter")).unwrap();
    fs::create_dir(daemon.place("folder.filter")).unwrap();
    let reply = ask(&daemon, &json!({"version": 2, "command": "filters"}));
    let paths: Vec<_> = reply["filters"].as_array().unwrap().iter().map(|f| &f["path"]).collect();
    assert_eq!(paths, [&json!(whole)]);
    let changes = json!({"filter": pipe});
    let reply =
        ask(&daemon, &json!({"version": 2, "command": "change-settings", "changes": changes}));
    assert_eq!(reply["code"], "bad-filter", "{reply}");
    assert!(reply["message"].as_str().unwrap().contains("no regular file"), "{reply}");
}
