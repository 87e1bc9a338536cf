//! Settings from the disk. They are as little trusted as a page's, and an older daemon may have
//! taken what this one does not: one choice that cannot be used must not cost the others.

use serde_json::{Map, Value};

use super::foreign::Foreign;
use super::{Equaliser, GAIN_DB, Refused, SETTINGS_VERSION, Settings, Sound, raw};
use crate::text::{EqualiserText, Name, bounded};

/// What could be used of stored settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub settings: Settings,
    /// What was left out or altered, and why: a sentence for each.
    pub left_out: Vec<String>,
    /// What is another version's, to be written again with the settings.
    pub foreign: Foreign,
    /// Whether the file may stay as it is until a setting is changed.
    pub kept: bool,
}

const MUTED: &str = "the sound is muted, it may be louder without";

/// A sound setting that cannot be used.
struct Unusable {
    name: String,
    found: Value,
    reason: String,
}

/// Reads settings from the disk. What is unknown, as a newer version's settings are, is carried
/// along. A DAC, a filter or an equaliser that is not accepted is left out; so is a sound setting
/// whose value cannot be used. What is played is never louder for it: an equaliser may lower the
/// sound, and so may any sound setting, so that without one that is left out the sound is muted;
/// a volume that cannot be used is the lowest.
///
/// # Errors
/// When the file is no JSON object.
pub fn from_stored(bytes: &[u8]) -> Result<Stored, Refused> {
    let mut file: Map<String, Value> = serde_json::from_slice(bytes)?;
    let mut foreign = Foreign::out_of(&mut file);
    let mut left_out = vec![];
    let mut settings = Settings::default();

    let version = file.remove("version");
    if version != Some(SETTINGS_VERSION.into()) {
        let found = version.map_or("not there".to_owned(), |found| bounded(&found.to_string()));
        left_out.push(format!("version is {found}, known is {SETTINGS_VERSION}; {MUTED}"));
        settings.sound.mute = true;
    }
    match file.remove("sound") {
        None => {}
        Some(Value::Object(sound)) => {
            let (read, refused) = sound_of(sound);
            let mute = settings.sound.mute || !refused.is_empty();
            settings.sound = Sound { mute: read.mute || mute, ..read };
            let now = serde_json::to_value(settings.sound)?;
            if !refused.is_empty() && !read.mute && refused.iter().all(|one| one.name != "mute") {
                foreign.replaced("mute".to_owned(), false.into(), true.into());
            }
            for Unusable { name, found, reason } in refused {
                left_out.push(format!("{reason}; {MUTED}"));
                let instead = now.get(&name).cloned().unwrap_or_default();
                foreign.replaced(name, found, instead);
            }
        }
        Some(other) => {
            let found = bounded(&other.to_string());
            left_out.push(format!("sound is {found}; accepted: an object; {MUTED}"));
            settings.sound = Sound { gain_db: *GAIN_DB.start(), mute: true, ..Sound::default() };
        }
    }
    if foreign.is_too_much() {
        foreign = Foreign::default();
        left_out.push("what another version has written is more than is carried along".to_owned());
    }

    let told = left_out.len();
    let mut take = |key: &str| file.remove(key).filter(|found| !found.is_null());
    settings.dac = take("dac").and_then(|found| {
        let read = text("dac", found).and_then(|text| raw::dac(&text).map_err(|e| e.to_string()));
        read.map_err(|reason| left_out.push(format!("{reason}; the configuration's DAC is used")))
            .ok()
    });
    settings.filter = take("filter").and_then(|found| {
        let read = text("filter", found).and_then(|t| raw::filter(t).map_err(|e| e.to_string()));
        read.map_err(|reason| {
            left_out.push(format!("{reason}; the configuration's filter is used"))
        })
        .ok()
    });
    match take("equaliser").map(read_equaliser) {
        None => {}
        Some(Ok((equaliser, altered))) => {
            settings.equaliser = Some(equaliser);
            left_out.extend(altered);
        }
        Some(Err(reason)) => {
            settings.sound.mute = true;
            left_out.push(format!("{reason}; {MUTED}"));
        }
    }
    foreign.belongs_to(settings.equaliser.as_ref());
    let kept = left_out.len() == told;
    Ok(Stored { settings, left_out, foreign, kept })
}

/// The sound, each setting by itself; and those that cannot be used, by name and value, and why.
fn sound_of(found: Map<String, Value>) -> (Sound, Vec<Unusable>) {
    let check = |sound: Map<String, Value>| -> Result<Sound, String> {
        let read: raw::Sound =
            serde_json::from_value(sound.into()).map_err(|error| bounded(&error.to_string()))?;
        read.checked().map_err(|error| error.to_string())
    };
    let mut good = Map::new();
    let mut refused = vec![];
    for (name, value) in found {
        match check(Map::from_iter([(name.clone(), value.clone())])) {
            Ok(_) => {
                good.insert(name, value);
            }
            Err(reason) => {
                let reason = match reason.starts_with("sound.") {
                    true => reason,
                    false => format!("sound.{name}: {reason}"),
                };
                refused.push(Unusable { name, found: value, reason });
            }
        }
    }
    if refused.iter().any(|one| one.name == "gain_db") {
        good.insert("gain_db".to_owned(), (*GAIN_DB.start()).into());
    }
    // Each is within its range by itself, and none depends on another.
    let quiet = Sound { gain_db: *GAIN_DB.start(), mute: true, ..Sound::default() };
    (check(good).unwrap_or(quiet), refused)
}

fn text(key: &str, found: Value) -> Result<String, String> {
    match found {
        Value::String(text) => Ok(text),
        other => Err(format!("{key} is {}; accepted: a text", bounded(&other.to_string()))),
    }
}

/// An equaliser; with what was altered in its name, which nobody hears.
fn read_equaliser(found: Value) -> Result<(Equaliser, Option<String>), String> {
    let form = |error: serde_json::Error| format!("equaliser: {}", bounded(&error.to_string()));
    let raw::Equaliser { name, text } = serde_json::from_value(found).map_err(form)?;
    let text = EqualiserText::try_from(text).map_err(|error| format!("equaliser.text: {error}"))?;
    let (name, altered) = match Name::try_from(name.clone()) {
        Ok(name) => (name, None),
        Err(error) => {
            let name = Name::like(&name);
            let altered = format!("equaliser.name: {error}; it is called {name} now");
            (name, Some(altered))
        }
    };
    Ok((Equaliser { name, text }, altered))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Headroom;
    use super::*;

    fn stored(value: &Value) -> Stored {
        from_stored(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn what_is_accepted_comes_back_whole() {
        let settings = Settings {
            dac: Some("usb:20b1:30d2:7".parse().unwrap()),
            filter: Some("/f/{family}.filter".parse().unwrap()),
            equaliser: Some(Equaliser {
                name: "夜".parse().unwrap(),
                text: "Preamp: -6 dB\n".parse().unwrap(),
            }),
            ..Settings::default()
        };
        let found = stored(&serde_json::to_value(&settings).unwrap());
        assert_eq!(
            found,
            Stored { settings, left_out: vec![], foreign: Foreign::default(), kept: true }
        );
        assert_eq!(stored(&json!({"version": 1})).settings, Settings::default());
    }

    /// What other versions have kept: see `rust/samples/README.md`.
    fn sample(version: &str) -> Value {
        let file =
            format!("{}/../samples/{version}/upsampler/settings.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    }

    #[test]
    fn what_0_1_0_has_kept_is_read_whole_and_written_the_same() {
        let value = sample("0.1.0");
        let found = stored(&value);
        assert!(found.left_out.is_empty() && found.kept, "{:?}", found.left_out);
        assert_eq!((found.settings.sound.gain_db, found.settings.sound.mute), (-32.5, false));
        assert_eq!(found.settings.equaliser.as_ref().unwrap().name.as_str(), "Harman 夜");
        assert_eq!(found.foreign.with(&found.settings).unwrap(), value);
    }

    #[test]
    fn what_a_newer_version_has_kept_is_read_and_goes_back_to_it_whole() {
        let (newer, known) = (sample("newer"), stored(&sample("0.1.0")).settings);
        let found = stored(&newer);
        assert_eq!((&found.settings, &found.left_out), (&known, &vec![]));
        assert_eq!(found.foreign.with(&found.settings).unwrap(), newer);
    }

    #[test]
    fn one_choice_that_is_refused_costs_no_other_and_nothing_gets_louder() {
        let whole = json!({
            "version": 1, "sound": {"gain_db": -40.0, "mute": false, "balance": 0.5},
            "dac": "usb:20b1:30d2", "filter": "/f/a.filter",
            "equaliser": {"name": "e", "text": "Preamp: -20 dB"},
        });
        let good = stored(&whole).settings;
        for (key, bad, said) in [
            ("dac", json!("file:'|id > /tmp/x; cat > /dev/null',raw"), "dac is"),
            ("dac", json!("null"), "dac is"),
            ("dac", json!(5), "dac is 5"),
            ("dac", json!({"a": "x".repeat(100_000)}), "dac is {"),
            ("filter", json!("/etc/shadow"), "filter is"),
            ("filter", json!(["/f/a.filter"]), "filter is"),
            ("equaliser", json!({"name": "e"}), "missing field `text`"),
            ("equaliser", json!("Preamp: -20 dB"), "equaliser"),
            ("equaliser", json!({"name": "e", "text": "a\u{0}"}), "equaliser.text"),
            ("equaliser", json!({"name": "e", "text": "a".repeat(70_000)}), "70000 bytes"),
        ] {
            let mut value = whole.clone();
            value[key] = bad;
            let found = stored(&value);
            let mut expected = good.clone();
            match key {
                "dac" => expected.dac = None,
                "filter" => expected.filter = None,
                _ => (expected.equaliser, expected.sound.mute) = (None, true),
            }
            assert_eq!(found.settings, expected);
            let [reason] = found.left_out.as_slice() else { panic!("{found:?}") };
            assert!(reason.contains(said) && reason.len() < 1500, "{reason}");
        }
        let mut renamed = whole.clone();
        renamed["equaliser"]["name"] = "a\u{202e}b".into();
        let found = stored(&renamed);
        let equaliser = found.settings.equaliser.unwrap();
        assert_eq!(equaliser.text, good.equaliser.unwrap().text, "what is heard stays");
        assert_eq!((equaliser.name.as_str(), found.settings.sound.mute), ("a\u{fffd}b", false));
        assert_eq!(found.left_out.len(), 1);
    }

    /// What every fall-back to the older slot meets.
    #[test]
    fn what_a_newer_version_has_written_changes_no_volume_and_comes_back_unharmed() {
        let file = json!({
            "version": 1, "dac": "usb:20b1:30d2", "profiles": [{"a": 1}],
            "sound": {
                "gain_db": -45.0, "loudness": {"on": true},
                "crossfeed": {"cut_hz": 700.0, "feed_db": 6.0, "delay_us": 300},
            },
            "equaliser": {"name": "e", "text": "Preamp: -6 dB\n", "target": "harman"},
        });
        let found = stored(&file);
        assert_eq!(found.left_out, Vec::<String>::new());
        assert_eq!((found.settings.sound.gain_db, found.settings.sound.mute), (-45.0, false));
        assert_eq!(
            found.foreign.names(),
            ["equaliser.target", "profiles", "sound.crossfeed", "sound.loudness"]
        );

        // The listener goes on, and the newer version finds its own again.
        let mut settings = found.settings.clone();
        settings.sound.gain_db = -30.0;
        let mut expected = serde_json::to_value(&settings).unwrap();
        expected["profiles"] = file["profiles"].clone();
        expected["sound"]["loudness"] = file["sound"]["loudness"].clone();
        expected["sound"]["crossfeed"]["delay_us"] = 300.into();
        expected["equaliser"]["target"] = "harman".into();
        assert_eq!(found.foreign.with(&settings).unwrap(), expected);
        assert_eq!(stored(&expected), Stored { settings: settings.clone(), ..found.clone() });

        // What stood in a part goes with the part.
        settings.sound.crossfeed = None;
        expected["sound"]["crossfeed"] = Value::Null;
        assert_eq!(found.foreign.with(&settings).unwrap(), expected);
        settings.equaliser =
            Some(Equaliser { name: "f".parse().unwrap(), text: "".parse().unwrap() });
        let written = found.foreign.with(&settings).unwrap();
        assert_eq!(written["equaliser"], json!({"name": "f", "text": ""}));
    }

    #[test]
    fn a_sound_setting_that_cannot_be_used_mutes_and_stays_until_the_listener_takes_what_there_is()
    {
        for (key, bad, said) in [
            ("gain_db", json!(3), "sound.gain_db is 3"),
            ("gain_db", json!({"left": -40, "right": -45}), "sound.gain_db: invalid type"),
            ("headroom", json!("adaptive"), "sound.headroom: unknown variant `adaptive`"),
            ("mute", json!("by schedule"), "sound.mute: invalid type"),
            ("balance", json!(-7), "sound.balance is -7"),
            ("crossfeed", json!({"cut_hz": "wide"}), "sound.crossfeed: invalid type"),
        ] {
            let mut file = json!({
                "version": 1, "sound": {"gain_db": -45.0, "mono": true, "balance": 0.25, "mute": false},
            });
            file["sound"][key] = bad.clone();
            let found = stored(&file);
            let sound = found.settings.sound;
            assert!(sound.mute && sound.mono, "{key}: {sound:?}");
            let volume = if key == "gain_db" { -120.0 } else { -45.0 };
            assert_eq!(sound.gain_db, volume, "{key}");
            let [reason] = found.left_out.as_slice() else { panic!("{found:?}") };
            assert!(
                reason.contains(said) && reason.ends_with("it may be louder without"),
                "{reason}"
            );

            // Written for another reason, it is as it was.
            let mut settings = found.settings.clone();
            settings.dac = Some("auto".parse().unwrap());
            let written = found.foreign.with(&settings).unwrap();
            assert_eq!(written["sound"][key], bad);
            if key != "mute" {
                assert_eq!(written["sound"]["mute"], false, "{key}");
            }
            // Changed, or heard: what the listener has is written.
            settings.sound.mute = false;
            let written = found.foreign.with(&settings).unwrap();
            assert_eq!(written, serde_json::to_value(&settings).unwrap());
        }
    }

    /// Who puts the last such setting right and leaves the mute in, finds it in after a restart.
    #[test]
    fn a_mute_outlives_the_setting_that_it_came_with() {
        let file = json!({"version": 1, "sound": {"gain_db": 3, "headroom": "adaptive"}});
        let found = stored(&file);
        let mut settings = found.settings.clone();
        settings.sound.gain_db = -30.0;
        let written = found.foreign.with(&settings).unwrap();
        assert_eq!(
            (&written["sound"]["mute"], stored(&written).settings.sound.mute),
            (&json!(false), true)
        );
        settings.sound.headroom = Headroom::WorstCase;
        let written = found.foreign.with(&settings).unwrap();
        assert_eq!(
            stored(&written),
            Stored { settings, left_out: vec![], foreign: Foreign::default(), kept: true }
        );
    }

    #[test]
    fn settings_of_another_version_are_read_as_far_as_they_go_and_muted() {
        for file in [
            json!({"version": 2, "sound": {"gain_db": -45.0}}),
            json!({"sound": {"gain_db": -45.0}}),
            json!({"version": "1", "sound": {"gain_db": -45.0}}),
        ] {
            let found = stored(&file);
            assert_eq!((found.settings.sound.gain_db, found.settings.sound.mute), (-45.0, true));
            assert!(found.left_out[0].starts_with("version is "), "{found:?}");
        }
        let found = stored(&json!({"version": 1, "sound": 5}));
        assert_eq!((found.settings.sound.gain_db, found.settings.sound.mute), (-120.0, true));
        // More than anybody's settings.
        let found = stored(&json!({"version": 1, "notes": "x".repeat(70_000)}));
        assert_eq!((found.foreign, found.left_out.len()), (Foreign::default(), 1));
    }

    #[test]
    fn what_is_no_settings_is_refused() {
        let deep = "[".repeat(100_000);
        for bad in ["", "{", "[]", "null", &deep] {
            assert!(from_stored(bad.as_bytes()).is_err(), "{bad:.40}");
        }
    }
}
