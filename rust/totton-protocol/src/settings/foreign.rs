//! What a settings file holds for another version of the daemon: the other slot's, to which an
//! update leads and a fall-back leads back. It is carried along, and comes back unharmed.

use serde_json::{Map, Value, json};

use super::{Crossfeed, Equaliser, Limiter, Settings, Sound};

/// The most that is carried along, in bytes of JSON.
const MOST: usize = 65_536;

/// What of a settings file this version cannot use.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Foreign {
    /// Settings by names that are unknown here, where they stand.
    unknown: Map<String, Value>,
    /// Sound settings by known names, whose values are unknown here.
    sound: Vec<Replaced>,
    /// The equaliser that the unknown ones below `equaliser` belong to.
    equaliser: Option<Equaliser>,
}

#[derive(Debug, Clone, PartialEq)]
struct Replaced {
    name: String,
    found: Value,
    instead: Value,
}

/// Settings of which every part that may be absent is there: their names are those that are known.
fn whole() -> Value {
    let sound = Sound {
        crossfeed: Some(Crossfeed::default()),
        limiter: Some(Limiter::default()),
        ..Sound::default()
    };
    let equaliser = Equaliser { name: super::Name::like("e"), text: Default::default() };
    json!(Settings { sound, equaliser: Some(equaliser), ..Settings::default() })
}

/// Takes the names that `known` has not out of `found`.
fn split(found: &mut Map<String, Value>, known: &Map<String, Value>) -> Map<String, Value> {
    let names: Vec<String> = found.keys().cloned().collect();
    let mut unknown = Map::new();
    for name in names {
        match (known.get(&name), found.get_mut(&name)) {
            (None, _) => unknown.extend(found.remove_entry(&name)),
            (Some(Value::Object(known)), Some(Value::Object(found))) => {
                let below = split(found, known);
                if !below.is_empty() {
                    unknown.insert(name, below.into());
                }
            }
            _ => {}
        }
    }
    unknown
}

/// Puts `unknown` where it stood, as far as the place is there.
fn join(settings: &mut Map<String, Value>, unknown: &Map<String, Value>) {
    for (name, value) in unknown {
        match (settings.get_mut(name), value) {
            (None, value) => {
                settings.insert(name.clone(), value.clone());
            }
            (Some(Value::Object(settings)), Value::Object(below)) => join(settings, below),
            // A part that was taken away took what stood in it along.
            (Some(_), _) => {}
        }
    }
}

impl Foreign {
    /// Takes what is unknown out of `file`.
    pub(super) fn out_of(file: &mut Map<String, Value>) -> Self {
        let Value::Object(known) = whole() else { return Self::default() };
        Self { unknown: split(file, &known), ..Self::default() }
    }

    /// Notes that the sound's `name` is `instead`, for `found` cannot be used.
    pub(super) fn replaced(&mut self, name: String, found: Value, instead: Value) {
        self.sound.push(Replaced { name, found, instead });
    }

    /// Notes the equaliser that the unknown settings below `equaliser` belong to.
    pub(super) fn belongs_to(&mut self, equaliser: Option<&Equaliser>) {
        match equaliser {
            Some(equaliser) if self.unknown.contains_key("equaliser") => {
                self.equaliser = Some(equaliser.clone());
            }
            Some(_) => {}
            None => drop(self.unknown.remove("equaliser")),
        }
    }

    /// Whether it is more than is carried along.
    pub(super) fn is_too_much(&self) -> bool {
        let bytes = |value: &Value| value.to_string().len();
        let sound: usize = self.sound.iter().map(|one| one.name.len() + bytes(&one.found)).sum();
        bytes(&Value::Object(self.unknown.clone())) + sound > MOST
    }

    /// The names at the top and in the sound that are unknown here, for the log.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let below = |name: &String, value: &Value| match value {
            Value::Object(below) if whole().get(name).is_some() => {
                below.keys().map(|key| format!("{name}.{key}")).collect()
            }
            _ => vec![name.clone()],
        };
        self.unknown.iter().flat_map(|(name, value)| below(name, value)).collect()
    }

    /// `settings` as they go into the file: with what is another version's. A sound setting that
    /// cannot be used here stays as it was until it is changed, or the sound, which was muted for
    /// it, is no longer: then the listener has taken what there is. The mute itself is left out of
    /// the file only as long as something in it mutes the next start again.
    ///
    /// # Errors
    /// Never in practice: settings are JSON.
    pub fn with(&self, settings: &Settings) -> serde_json::Result<Value> {
        let mut value = serde_json::to_value(settings)?;
        if let Some(sound) = value.get_mut("sound")
            && settings.sound.mute
        {
            let (mute, others): (Vec<_>, Vec<_>) =
                self.sound.iter().partition(|one| one.found.is_boolean() && one.name == "mute");
            let mut put_back = |one: &Replaced| match sound.get_mut(&one.name) {
                Some(now) if *now == one.instead => {
                    now.clone_from(&one.found);
                    true
                }
                _ => false,
            };
            let still = others.into_iter().map(&mut put_back).fold(false, |any, one| any | one);
            if still {
                mute.into_iter().for_each(|one| {
                    put_back(one);
                });
            }
        }
        let mut unknown = self.unknown.clone();
        if self.equaliser != settings.equaliser {
            unknown.remove("equaliser");
        }
        if let Value::Object(settings) = &mut value {
            join(settings, &unknown);
        }
        Ok(value)
    }
}
