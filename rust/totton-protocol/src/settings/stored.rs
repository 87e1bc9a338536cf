//! Settings from the disk. They are as little trusted as a page's, and an older daemon may have
//! taken what this one does not: one choice that cannot be used must not cost the others.

use serde_json::Value;

use super::{Equaliser, Refused, Settings, raw};
use crate::text::{EqualiserText, Name, bounded};

/// What could be used of stored settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub settings: Settings,
    /// What was left out or altered, and why: a sentence for each.
    pub left_out: Vec<String>,
}

/// Reads settings from the disk. A DAC, a filter or an equaliser that is not accepted is left out;
/// volume and mute stay. What is played is never louder for it: an equaliser may lower the sound,
/// so that without one that is left out the sound is muted.
///
/// # Errors
/// When the rest is no settings, or has a value outside its range.
pub fn from_stored(bytes: &[u8]) -> Result<Stored, Refused> {
    let mut value: Value = serde_json::from_slice(bytes)?;
    let mut left_out = vec![];
    let mut take = |key: &str| {
        let found = value.as_object_mut().and_then(|object| object.remove(key));
        found.filter(|found| !found.is_null())
    };
    let (dac, filter, equaliser) = (take("dac"), take("filter"), take("equaliser"));
    let mut settings = serde_json::from_value::<raw::Settings>(value)?.checked()?;

    settings.dac = dac.and_then(|found| {
        let read = text("dac", found).and_then(|text| raw::dac(&text).map_err(|e| e.to_string()));
        read.map_err(|reason| left_out.push(format!("{reason}; the configuration's DAC is used")))
            .ok()
    });
    settings.filter = filter.and_then(|found| {
        let read = text("filter", found).and_then(|t| raw::filter(t).map_err(|e| e.to_string()));
        read.map_err(|reason| {
            left_out.push(format!("{reason}; the configuration's filter is used"))
        })
        .ok()
    });
    match equaliser.map(read_equaliser) {
        None => {}
        Some(Ok((equaliser, altered))) => {
            settings.equaliser = Some(equaliser);
            left_out.extend(altered);
        }
        Some(Err(reason)) => {
            settings.sound.mute = true;
            left_out.push(format!("{reason}; the sound is muted, it may be louder without"));
        }
    }
    Ok(Stored { settings, left_out })
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
        assert_eq!(found, Stored { settings, left_out: vec![] });
        assert_eq!(stored(&json!({"version": 1})).settings, Settings::default());
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

    #[test]
    fn what_is_no_settings_is_refused() {
        let deep = "[".repeat(100_000);
        for bad in [
            "",
            "{",
            "[]",
            "null",
            "{}",
            r#"{"version":2}"#,
            r#"{"version":1,"loud":1}"#,
            r#"{"version":1,"sound":{"gain_db":3}}"#,
            r#"{"version":1,"sound":5}"#,
            &deep,
        ] {
            assert!(from_stored(bad.as_bytes()).is_err(), "{bad:.40}");
        }
    }
}
