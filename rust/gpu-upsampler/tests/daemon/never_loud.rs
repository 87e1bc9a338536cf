//! Whatever is changed, the sound goes from the old level to the new one, never above both, and no
//! faster than a ramp.

use std::fs;
use std::path::Path;
use std::time::Duration;

use gpu_upsampler::sample::{SampleFormat, decode};
use serde_json::json;
use totton_dsp::Filter;
use totton_dsp::measure::plot::{Chart, picture};
use totton_protocol::{Command, Headroom, HostVolume, Settings, Sound, State};

use crate::double::Machine;
use crate::running::{Running, Setup, until};

/// What the computer sends, of full scale.
const SENT: f64 = 0.5;

/// More than any ramp: half of full scale in the 50 ms of one are 5.7e-5 a frame at 176.4 kHz.
const STEEPEST: f64 = 1e-3;

/// What a filter's ripple may add.
const RIPPLE: f64 = 1.002;

fn sent() -> Vec<u8> {
    let sample = ((SENT * f64::from(i32::MAX)) as i32).to_le_bytes();
    sample.repeat(2 * 44_100 * 240)
}

/// What the left loudspeaker got: what it took the time before, and since the DAC was opened.
fn heard(daemon: &Running) -> [Vec<f64>; 2] {
    let world = daemon.machine.world();
    [&world.played_before, &world.played].map(|bytes| {
        let frames = bytes.len() / 8;
        let mut planes = vec![vec![0.0; frames]; 2];
        decode(SampleFormat::S32, &bytes[..frames * 8], &mut planes);
        planes.swap_remove(0)
    })
}

/// A listener who writes down how loud it was.
struct Listener<'a> {
    daemon: &'a Running,
    level: f64,
    told: Vec<String>,
    /// For each piece of sound, its loudest sample and what was allowed, as amplitudes.
    pieces: Vec<(f64, f64)>,
}

/// Frames of one piece at 176.4 kHz: 2 ms.
const PIECE: usize = 353;

impl<'a> Listener<'a> {
    fn new(daemon: &'a Running) -> Self {
        Self { daemon, level: 0.0, told: vec![], pieces: vec![] }
    }

    /// A picture of all that was heard.
    fn picture(&self) -> String {
        let db = |amplitude: f64| 20.0 * amplitude.max(1e-5).log10();
        let chart = |title, y_range, value: &dyn Fn(&(f64, f64)) -> f64| {
            let points: Vec<_> =
                self.pieces.iter().enumerate().map(|(n, x)| (n as f64 * 0.002, value(x))).collect();
            let x_range = (0.0, points.len() as f64 * 0.002);
            Chart { title, x_label: "s of sound", x_range, y_range, points }
        };
        let charts = [
            chart("Level, dB of full scale", (-80.0, 0.0), &|(level, _)| db(*level)),
            chart(
                "Level against the louder of before and after, dB",
                (-60.0, 3.0),
                &|(level, most)| db(*level) - db(*most),
            ),
        ];
        picture("Eighteen changes, one after the other", &charts)
    }

    /// Does something, and waits for the level that it must lead to, as an amplitude.
    fn after(&mut self, what: &str, level: f64, change: impl FnOnce(&Running)) {
        {
            let mut world = self.daemon.machine.world();
            world.played.clear();
            world.played_before.clear();
        }
        change(self.daemon);
        until(&format!("{what}: {level}"), || {
            let [_, now] = heard(self.daemon);
            // Long enough for a fade to be over.
            let end = &now[now.len().saturating_sub(4000)..];
            (now.len() > 20_000 && end.iter().all(|x| (x - level).abs() < 1e-3)).then_some(())
        });
        let most = self.level.max(level) * RIPPLE + 1e-6;
        for played in heard(self.daemon) {
            let loudest = played.iter().fold(0.0f64, |most, x| most.max(x.abs()));
            let steepest = played.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f64::max);
            self.told
                .push(format!("{what}: loudest {loudest:.4} of {most:.4}, step {steepest:.1e}"));
            let piece = |x: &[f64]| x.iter().fold(0.0f64, |most, x| most.max(x.abs()));
            self.pieces.extend(played.chunks(PIECE).map(|x| (piece(x), most / RIPPLE)));
            assert!(loudest <= most, "{what}: {loudest}, allowed {most}");
            assert!(steepest < STEEPEST, "{what}: a step of {steepest}");
        }
        self.level = level;
    }
}

fn patch(daemon: &Running, changes: serde_json::Value) {
    let serde_json::Value::Object(changes) = changes else { panic!("an object") };
    daemon.client.settings(Command::ChangeSettings { changes }).unwrap();
}

fn db(db: f64) -> f64 {
    SENT * 10f64.powf(db / 20.0)
}

#[test]
fn no_change_is_louder_than_what_was_and_what_will_be() {
    let machine = Machine::new();
    machine.world().sent = sent();
    let daemon = Running::start(machine, Setup::default());
    daemon.until_state(State::Streaming);
    let mut listener = Listener::new(&daemon);
    let half = daemon.place("half.filter");
    let taps = Filter::load(&daemon.place("taps.filter")).unwrap();
    let header = taps.header();
    let halved = taps.taps().iter().map(|tap| tap * 0.5).collect();
    let origin = header.origin.clone();
    Filter::new(44_100, header.ratio, header.phase, origin, halved).unwrap().save(&half).unwrap();

    listener.after("the start", SENT, |_| ());
    listener.after("softer", db(-20.0), |daemon| patch(daemon, json!({"sound": {"gain_db": -20}})));
    listener.after("louder", db(-6.0), |daemon| patch(daemon, json!({"sound": {"gain_db": -6}})));
    listener.after("mute", 0.0, |daemon| patch(daemon, json!({"sound": {"mute": true}})));
    listener.after("no mute", db(-6.0), |daemon| patch(daemon, json!({"sound": {"mute": false}})));
    let headroom = |to: &str| json!({"sound": {"headroom": to, "headroom_db": 6}});
    listener.after("headroom", db(-12.0), |daemon| patch(daemon, headroom("fixed")));
    listener.after("none", db(-6.0), |daemon| patch(daemon, headroom("off")));
    let text = "Preamp: -12 dB\nFilter: ON PK Fc 10000 Hz Gain 0 dB Q 1\n";
    let equaliser = json!({"equaliser": {"name": "mine", "text": text}});
    listener.after("an equaliser", db(-18.0), |daemon| patch(daemon, equaliser));
    listener.after("without it", db(-6.0), |daemon| patch(daemon, json!({"equaliser": null})));
    let filter = json!({"filter": half.display().to_string()});
    listener.after("another filter", db(-6.0) / 2.0, |daemon| patch(daemon, filter));
    listener.after("the stream anew", db(-6.0) / 2.0, |daemon| {
        daemon.client.call(Command::RestartStream).unwrap();
    });
    listener.after("the old filter", db(-6.0), |daemon| patch(daemon, json!({"filter": null})));
    listener.after("another rate", db(-6.0), |daemon| {
        daemon.machine.world().host_rate = Some(96_000);
        daemon.until_status("the rate", |s| s.input.as_ref().is_some_and(|i| i.rate == 96_000));
    });
    listener.after("another DAC", db(-6.0), |daemon| {
        daemon.machine.world().dac_present = false;
        daemon.until_state(State::WaitingForDac);
        daemon.machine.world().dac_present = true;
        daemon.until_state(State::Streaming);
    });
    listener.after("the computer's volume", db(-26.0), |daemon| {
        let volume = HostVolume { volume_db: -20.0, mute: false };
        daemon.machine.world().host_volume = Some(volume);
    });
    listener.after("not obeyed", db(-6.0), |daemon| {
        patch(daemon, json!({"sound": {"host_volume": false}}));
    });
    listener.after("a backup", db(-30.0), |daemon| {
        let sound = Sound {
            gain_db: -30.0,
            headroom: Headroom::Off,
            host_volume: false,
            ..Sound::default()
        };
        let settings = Box::new(Settings { sound, ..Settings::default() });
        daemon.client.settings(Command::ReplaceSettings { settings }).unwrap();
    });
    listener.after("the files", db(-10.0), |daemon| {
        let file = daemon.place("upsampler.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("[output]\n", "[output]\ngain_db = -10.0\n")).unwrap();
        daemon.client.call(Command::Reload).unwrap();
    });
    std::thread::sleep(Duration::from_millis(10));
    println!("{}", listener.told.join("\n"));
    if let Some(folder) = std::env::var_os("TOTTON_ARTEFACTS") {
        fs::write(Path::new(&folder).join("transitions.svg"), listener.picture()).unwrap();
    }
}

#[test]
fn a_restart_is_as_loud_as_the_stored_volume_from_its_first_frame() {
    let machine = Machine::new();
    machine.world().sent = sent();
    let mut daemon = Running::start(machine, Setup::default());
    daemon.until_state(State::Streaming);
    patch(&daemon, json!({"sound": {"gain_db": -26.0}}));
    daemon.until_status("it is stored", |status| status.settings.stored);
    daemon.terminate();
    daemon.start_again();
    let mut listener = Listener::new(&daemon);
    listener.after("the start", db(-26.0), |_| ());
}

/// Two frames at full scale, two at minus full scale: a sine of a quarter of the rate, 3.01 dB above
/// full scale between its samples (ITU-R BS.1770-5, Annex 2, tells why).
fn peaks_between_samples() -> Vec<u8> {
    let frame = |level: i32| level.to_le_bytes().repeat(2);
    let (high, low) = (frame(i32::MAX), frame(-i32::MAX));
    [high.repeat(2), low.repeat(2)].concat().repeat(11_025 * 120)
}

#[test]
fn what_lies_between_the_samples_has_room_or_is_counted() {
    let machine = Machine::new();
    machine.world().sent = peaks_between_samples();
    let daemon = Running::start(machine, Setup::default());
    daemon.until_state(State::Streaming);
    // What is counted, and the peak at the DAC, over two tenths of a second.
    let measured = |sound: serde_json::Value| {
        patch(&daemon, json!({"sound": sound}));
        std::thread::sleep(Duration::from_millis(400));
        daemon.machine.world().played.clear();
        let before = daemon.status().overs;
        let played = until("sound", || {
            let [_, now] = heard(&daemon);
            (now.len() > 35_280).then_some(now)
        });
        let after = daemon.status().overs;
        let peak = played.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        let clipped = after.clipped_samples - before.clipped_samples;
        (20.0 * peak.log10(), clipped, after.limited_samples - before.limited_samples)
    };
    let room = |headroom_db: f64| json!({"headroom": "fixed", "headroom_db": headroom_db});
    let (peak, clipped, _) = measured(json!({"headroom": "off"}));
    assert!(peak.abs() < 0.001 && clipped > 1000, "without room: {peak} dB, {clipped} cut off");
    // The default. The DAC's samples, four times as many, come within 11.25 degrees of the peak.
    let (peak, clipped, _) = measured(room(3.0));
    assert!(
        (-0.2..0.02).contains(&peak) && clipped == 0,
        "with room: {peak} dB, {clipped} cut off"
    );
    let (peak, clipped, _) = measured(room(2.5));
    assert!(peak.abs() < 0.001 && clipped > 1000, "too little room: {peak} dB, {clipped} cut off");
    let limited = json!({"headroom": "off", "limiter": {}});
    let (peak, clipped, limited) = measured(limited);
    assert!(peak < 0.0 && clipped == 0 && limited > 1000, "{peak} dB, {clipped}, {limited}");
}
