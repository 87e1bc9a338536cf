//! What listeners set: heard at once, there after a restart, refused with the reason.

use std::fs;
use std::time::Duration;

use gpu_upsampler::sample::{SampleFormat, decode};
use serde_json::{Value, json};
use totton_dsp::{DesignSpec, design};
use totton_protocol::{
    Answer, ClientError, Command, Crossfeed, Equaliser, ErrorCode, FaultKind, Headroom, HostVolume,
    Settings, Sound, State,
};

use crate::double::Machine;
use crate::running::{RATIO, Running, Setup, until};

fn changes(value: Value) -> Command {
    let Value::Object(changes) = value else { panic!("an object") };
    Command::ChangeSettings { changes }
}

/// A host that sends a constant on both sides.
fn constant(left: f64, right: f64, seconds: f64) -> Vec<u8> {
    let bytes = |level: f64| ((level * f64::from(i32::MAX)) as i32).to_le_bytes();
    [bytes(left), bytes(right)].concat().repeat((44_100.0 * seconds) as usize)
}

/// The last frame that the DAC got.
fn last_frame(daemon: &Running) -> [f64; 2] {
    let world = daemon.machine.world();
    let end = world.played.len() / 8 * 8;
    let mut planes = vec![vec![0.0; 1]; 2];
    if end >= 8 {
        decode(SampleFormat::S32, &world.played[end - 8..end], &mut planes);
    }
    [planes[0][0], planes[1][0]]
}

fn until_heard(daemon: &Running, what: &str, expected: [f64; 2]) {
    until(&format!("{what}: {expected:?}"), || {
        let found = last_frame(daemon);
        found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-4).then_some(())
    });
}

#[test]
fn every_sound_setting_is_heard() {
    let machine = Machine::new();
    machine.world().sent = constant(0.5, -0.25, 120.0);
    let daemon = Running::start(machine, Setup::default());
    until_heard(&daemon, "as it is", [0.5, -0.25]);
    let set = |sound: Sound| {
        let settings = Settings { sound, ..Settings::default() };
        let command = Command::ReplaceSettings { settings: Box::new(settings.clone()) };
        assert_eq!(daemon.client.settings(command).unwrap().0, settings);
    };
    let default = Sound { headroom: Headroom::Off, ..Sound::default() };
    set(Sound { gain_db: -20.0, ..default });
    until_heard(&daemon, "volume", [0.05, -0.025]);
    set(Sound { balance: 0.5, ..default });
    until_heard(&daemon, "balance", [0.25, -0.25]);
    set(Sound { mono: true, ..default });
    until_heard(&daemon, "mono", [0.125, 0.125]);
    set(Sound { crossfeed: Some(Crossfeed { cut_hz: 700.0, feed_db: 6.0 }), ..default });
    let (own, other) = (1.0 / (1.0 + 10f64.powf(-0.3)), 1.0 / (1.0 + 10f64.powf(0.3)));
    let expected = [0.5 * own - 0.25 * other, -0.25 * own + 0.5 * other];
    until_heard(&daemon, "crossfeed", expected);
    set(Sound { headroom: Headroom::Fixed, headroom_db: 6.0, ..default });
    until_heard(&daemon, "headroom", [0.5 * 10f64.powf(-0.3), -0.25 * 10f64.powf(-0.3)]);
    set(Sound { headroom: Headroom::WorstCase, ..default });
    let status = daemon.until_status("the headroom", |status| status.gain.headroom_db < 0.0);
    let worst = status.engine.unwrap().worst_case_gain_db.unwrap();
    assert!(worst > 1.0 && (status.gain.headroom_db + worst).abs() < 1e-9, "{worst}");
    let gain = 10f64.powf(-worst / 20.0);
    until_heard(&daemon, "worst case", [0.5 * gain, -0.25 * gain]);
    set(Sound { mute: true, ..default });
    until_heard(&daemon, "mute", [0.0, 0.0]);
    set(default);
    until_heard(&daemon, "as it was", [0.5, -0.25]);
    assert_eq!(daemon.status().counters.stream_starts, 1);
}

#[test]
fn the_computers_volume_is_obeyed_unless_it_is_not_wanted() {
    let machine = Machine::new();
    machine.world().sent = constant(0.5, 0.5, 60.0);
    machine.world().host_volume = Some(HostVolume { volume_db: -20.0, mute: false });
    let daemon = Running::start(machine, Setup::default());
    until_heard(&daemon, "the computer's volume", [0.05, 0.05]);
    daemon.machine.world().host_volume = Some(HostVolume { volume_db: 0.0, mute: true });
    until_heard(&daemon, "the computer's mute", [0.0, 0.0]);
    assert!(daemon.status().gain.muted && !daemon.status().sound.mute);
    daemon.client.settings(changes(json!({"sound": {"host_volume": false}}))).unwrap();
    until_heard(&daemon, "not obeyed", [0.5, 0.5]);
}

#[test]
fn worst_case_headroom_never_clips_and_the_limiter_keeps_below_full_scale() {
    let machine = Machine::new();
    // A filter overshoots on a square wave of full scale.
    let (high, low) = (i32::MAX.to_le_bytes(), i32::MIN.to_le_bytes());
    let period: Vec<u8> = [high.repeat(2 * 20), low.repeat(2 * 20)].concat();
    machine.world().sent = period.repeat(44_100 / 40 * 60);
    let daemon = Running::start(machine, Setup::default());
    let status = daemon.until_status("clipping", |status| status.counters.clipped_samples > 0);
    assert!(status.counters.input_full_scale_samples > 1000);
    assert_eq!(status.overs.since_uptime_seconds, 0.0);
    assert!(status.overs.clipped_samples > 0 && status.overs.input_full_scale_samples > 1000);
    let anew = daemon.client.call(Command::ResetOvers).unwrap();
    assert!(anew.overs.since_uptime_seconds > 0.0);
    assert!(anew.overs.clipped_samples < anew.counters.clipped_samples);
    assert!(anew.counters.clipped_samples >= status.counters.clipped_samples, "they go on");
    for change in [
        json!({"sound": {"limiter": {}}}),
        json!({"sound": {"limiter": null, "headroom": "worst-case"}}),
    ] {
        daemon.client.settings(changes(change)).unwrap();
        std::thread::sleep(Duration::from_millis(400));
        let before = daemon.status().counters;
        let after = daemon.until_status("more sound", |status| {
            status.counters.output_frames > before.output_frames + 100_000
        });
        assert_eq!(after.counters.clipped_samples, before.clipped_samples);
        let limited = after.counters.limited_samples - before.limited_samples;
        assert_eq!(limited > 0, after.sound.limiter.is_some(), "{limited}");
    }
}

#[test]
fn settings_outlive_a_restart_and_the_disk_is_not_worn() {
    let machine = Machine::new();
    let mut daemon = Running::start(machine, Setup::default());
    daemon.until_state(State::Streaming);
    for step in 0..100 {
        daemon.client.call(Command::SetGain { gain_db: f64::from(-step) / 10.0 }).unwrap();
    }
    let status = daemon.until_status("it is stored", |status| status.settings.stored);
    assert!((1..=5).contains(&status.counters.settings_writes), "{status:?}");
    assert!(status.settings.revision >= 100);
    // What was set just before the end is kept, too.
    daemon.client.call(Command::SetMute { mute: true }).unwrap();
    daemon.terminate();
    let text = fs::read_to_string(daemon.place("settings.json")).unwrap();
    let stored: Settings = serde_json::from_str(&text).unwrap();
    assert_eq!((stored.sound.gain_db, stored.sound.mute), (-9.9, true));
    daemon.start_again();
    let sound = daemon.until_state(State::Streaming).sound;
    assert_eq!((sound.gain_db, sound.mute), (-9.9, true));
}

/// They may have been lower than the defaults: the sound is muted, at the next start as well.
#[test]
fn damaged_settings_are_kept_aside_and_the_defaults_are_muted_until_the_listener_has_them() {
    let setup = Setup {
        before: |folder| fs::write(folder.path().join("settings.json"), "{\"version\":").unwrap(),
        ..Setup::default()
    };
    let mut daemon = Running::start(Machine::new(), setup);
    let status = daemon.until_state(State::Streaming);
    let muted = Sound { mute: true, headroom: Headroom::Off, ..Sound::default() };
    assert_eq!(status.sound, muted);
    let fault = status.faults.iter().find(|f| f.kind == FaultKind::SettingsUnreadable).unwrap();
    for part in ["settings.json", "the defaults are, muted"] {
        assert!(fault.message.contains(part), "{fault:?}");
    }
    assert!(daemon.place("settings.bad").exists());
    daemon.until_status("it is stored", |status| status.settings.stored);
    daemon.terminate();
    daemon.start_again();
    let status = daemon.until_state(State::Streaming);
    assert_eq!((status.sound, status.faults.len()), (muted, 0));
}

/// What each fall-back to the slot before an update meets.
#[test]
fn settings_of_a_newer_version_keep_the_volume_and_come_back_unharmed() {
    let newer = || {
        json!({
            "version": 1, "scenes": ["day", "night"],
            "sound": {"gain_db": -45.0, "loudness": {"on": true}},
        })
    };
    let setup = Setup {
        before: |folder| {
            let newer = json!({
                "version": 1, "scenes": ["day", "night"],
                "sound": {"gain_db": -45.0, "loudness": {"on": true}},
            });
            fs::write(folder.path().join("settings.json"), newer.to_string()).unwrap();
        },
        ..Setup::default()
    };
    let mut daemon = Running::start(Machine::new(), setup);
    let status = daemon.until_state(State::Streaming);
    assert_eq!((status.sound.gain_db, status.sound.mute), (-45.0, false));
    assert_eq!((status.faults.len(), status.settings.stored), (0, true));
    let file = daemon.place("settings.json");
    assert_eq!(fs::read_to_string(&file).unwrap(), newer().to_string(), "it is not touched");

    daemon.client.call(Command::SetGain { gain_db: -40.0 }).unwrap();
    daemon.until_status("it is stored", |status| status.settings.stored);
    let written: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(written["scenes"], newer()["scenes"]);
    assert_eq!(written["sound"]["loudness"], newer()["sound"]["loudness"]);
    assert_eq!(written["sound"]["gain_db"], -40.0);
    daemon.terminate();
    daemon.start_again();
    assert_eq!(daemon.until_state(State::Streaming).sound.gain_db, -40.0);
}

#[test]
fn a_disk_that_takes_no_settings_is_a_fault_until_it_does() {
    let setup = Setup {
        // A folder in the file's place: no rename gets there.
        before: |folder| {
            fs::create_dir_all(folder.path().join("settings.json/in-the-way")).unwrap();
        },
        ..Setup::default()
    };
    let daemon = Running::start(Machine::new(), setup);
    daemon.until_state(State::Streaming);
    daemon.client.call(Command::SetGain { gain_db: -1.0 }).unwrap();
    let fault = |status: &totton_protocol::Status| {
        status.faults.iter().find(|f| f.kind == FaultKind::SettingsNotStored).cloned()
    };
    let status = daemon.until_status("the fault", |status| fault(status).is_some());
    assert!(fault(&status).unwrap().active && !status.settings.stored);
    assert_eq!(status.state, State::Streaming);
    fs::remove_dir_all(daemon.place("settings.json")).unwrap();
    let status = daemon.until_status("it is stored", |status| status.settings.stored);
    assert!(!fault(&status).unwrap().active);
}

#[test]
fn an_equaliser_fades_in_without_closing_the_stream() {
    let machine = Machine::new();
    machine.world().sent = constant(0.5, 0.5, 120.0);
    let daemon = Running::start(machine, Setup::default());
    until_heard(&daemon, "as it is", [0.5, 0.5]);
    daemon.until_status("a measured load", |status| {
        status.engine.as_ref().is_some_and(|engine| engine.load > 0.0)
    });
    let text = "Preamp: -6 dB\nFilter 1: ON LSC Fc 200 Hz Gain -6 dB Q 0.7\n";
    let equaliser = Equaliser { name: "mine".parse().unwrap(), text: text.parse().unwrap() };
    let set = json!({"equaliser": serde_json::to_value(&equaliser).unwrap()});
    let (settings, _) = daemon.client.settings(changes(set)).unwrap();
    assert_eq!(settings.equaliser, Some(equaliser));
    let gain = 0.5 * 10f64.powf(-12.0 / 20.0);
    until_heard(&daemon, "the equaliser", [gain, gain]);
    let status = daemon.until_status("the swap is counted", |s| s.counters.filter_swaps == 1);
    assert_eq!(status.counters.stream_starts, 1);
    assert_eq!(status.engine.unwrap().equaliser.as_deref(), Some("mine"));
    // And none again.
    daemon.client.settings(changes(json!({"equaliser": null}))).unwrap();
    until_heard(&daemon, "without", [0.5, 0.5]);
    assert_eq!(daemon.status().counters.stream_starts, 1);
}

#[test]
fn what_cannot_be_set_is_refused_as_a_whole_with_the_reason() {
    let daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    let before = daemon.client.settings(Command::Settings).unwrap();
    let folder = daemon.folder.path().display().to_string();
    for (change, code, said, line) in [
        (json!({"sound": {"gain_db": 3}}), ErrorCode::OutOfRange, "sound.gain_db is 3", None),
        (json!({"sound": {"loud": 3}}), ErrorCode::BadRequest, "unknown field `loud`", None),
        (json!({"dac": "usb:1"}), ErrorCode::OutOfRange, "usb:VID:PID", None),
        (json!({"filter": "/etc/x.filter"}), ErrorCode::OutOfRange, "a file in", None),
        (
            json!({"sound": {"mute": true}, "filter": format!("{folder}/none.filter")}),
            ErrorCode::BadFilter,
            "none.filter",
            None,
        ),
        (
            json!({"equaliser": {"name": "mine", "text": "Preamp: -3 dB\nFilter: ON XX"}}),
            ErrorCode::BadEqualiser,
            "mine: line 2: ",
            Some(2),
        ),
    ] {
        match daemon.client.settings(changes(change.clone())).unwrap_err() {
            ClientError::Refused { code: found, message, line: at } => {
                assert_eq!((found, at), (code, line), "{change}: {message}");
                assert!(message.contains(said), "{message}");
            }
            other => panic!("{change}: {other}"),
        }
        assert_eq!(daemon.client.settings(Command::Settings).unwrap(), before, "{change}");
    }
    let status = daemon.status();
    assert_eq!((status.state, status.counters.stream_starts), (State::Streaming, 1));
}

/// What a bad filter file does: the old one plays on, and the reason is told.
#[test]
fn each_kind_of_bad_filter_keeps_the_old_one_and_says_which_file_and_why() {
    let daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    let place = |name: &str| daemon.place(name);
    let whole = fs::read(place("taps.filter")).unwrap();
    let (cut, mut flipped) = (whole[..whole.len() - 100].to_vec(), whole.clone());
    flipped[whole.len() / 2] ^= 1;
    fs::write(place("cut.filter"), cut).unwrap();
    fs::write(place("flipped.filter"), flipped).unwrap();
    fs::write(place("text.filter"), "no filter at all").unwrap();
    let wrong = DesignSpec {
        taps: 1500,
        input_rate_hz: 48_000,
        ratio: RATIO as u32,
        attenuation_db: 80.0,
        ..DesignSpec::default()
    };
    design(&wrong, &mut |_, _| {}).unwrap().save(&place("of-44100.filter")).unwrap();
    design(&wrong, &mut |_, _| {}).unwrap().save(&place("of-48000.filter")).unwrap();
    let mut kinds = vec![];
    for (name, kind, reason) in [
        ("none.filter", FaultKind::FilterMissing, "no such file"),
        ("cut.filter", FaultKind::FilterTruncated, "was cut short"),
        ("flipped.filter", FaultKind::FilterDamaged, "checksum"),
        ("text.filter", FaultKind::FilterUnreadable, "not a filter file"),
        ("of-{family}.filter", FaultKind::FilterUnsuitable, "family of 44100 Hz"),
    ] {
        let path = place(name).display().to_string();
        let told = daemon.client.settings(changes(json!({"filter": path}))).unwrap_err();
        let file = name.replace("{family}", "44100");
        assert!(told.to_string().contains(&file) && told.to_string().contains(reason), "{told}");
        kinds.push(kind);
        let status = daemon.status();
        let fault = status.faults.iter().find(|fault| fault.kind == kind).unwrap();
        assert_eq!((fault.count, fault.active), (1, false), "the old one plays: {fault:?}");
        assert!(fault.message.contains(&file), "{fault:?}");
        assert_eq!((status.state, status.counters.stream_starts), (State::Streaming, 1));
        assert_eq!(status.engine.unwrap().filter, place("taps.filter").display().to_string());
    }
    assert_eq!(daemon.status().faults.len(), kinds.len());
}

#[test]
fn a_chosen_filter_that_is_gone_at_the_start_does_not_keep_the_sound_away() {
    let setup = Setup {
        before: |folder| {
            let filter = folder.path().join("gone.filter").display().to_string();
            let settings =
                Settings { filter: Some(filter.parse().unwrap()), ..Settings::default() };
            let text = serde_json::to_string(&settings).unwrap();
            fs::write(folder.path().join("settings.json"), text).unwrap();
        },
        ..Setup::default()
    };
    let daemon = Running::start(Machine::new(), setup);
    let status = daemon.until_state(State::Streaming);
    let fault = status.faults.iter().find(|f| f.kind == FaultKind::FilterMissing).unwrap();
    assert!(fault.active && fault.message.contains("gone.filter"), "{fault:?}");
    assert_eq!(status.engine.unwrap().filter, daemon.place("taps.filter").display().to_string());
}

#[test]
fn dacs_and_filters_are_listed() {
    let daemon = Running::start(Machine::new(), Setup::default());
    daemon.until_state(State::Streaming);
    let dacs = daemon.client.dacs().unwrap();
    assert!(dacs.iter().any(|dac| dac.in_use && !dac.rates.is_empty()), "{dacs:?}");
    let filters = daemon.client.filters().unwrap();
    let taps = filters.iter().find(|filter| filter.label == "taps").unwrap();
    assert!(taps.in_use);
    assert_eq!((taps.files[0].taps, taps.files[0].ratio), (Some(1500), Some(RATIO as u32)));
    let text = "Preamp: -3 dB\nFilter: ON PK Fc 100 Hz Gain 3 dB Q 1".parse().unwrap();
    let answer = daemon.client.ask(Command::CheckEqualiser { text }).unwrap();
    assert_eq!(answer, Answer::Equaliser { preamp_db: -3.0, bands: 1, curves: 0 });
}
