//! What of a backup is put in place, decided part by part before anything is changed.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use totton_protocol::Settings;
use totton_protocol::settings::SETTINGS_VERSION;

use super::form::{BackupContent, Members, Parts};
use super::report::{Change, Item, Part, Report, Why, shortened};
use crate::equaliser::Profile;
use crate::preset::Preset;
use crate::problem::Problem;
use crate::sides::Sides;
use crate::store::{Id, Kind, LARGEST_DOCUMENT, Store};

/// The most bytes of one setting: the longest is the text of an equaliser.
const SETTING_BYTES: usize = 512 * 1024;

/// What is put in place.
#[derive(Debug)]
pub struct Plan {
    /// The settings afterwards.
    pub settings: Settings,
    /// The two sides of the equaliser; `None` where they stay.
    pub sides: Option<Sides>,
    pub equalisers: Documents<Profile>,
    pub presets: Documents<Preset>,
}

/// The documents of one kind afterwards.
#[derive(Debug)]
pub struct Documents<T> {
    pub wanted: Vec<(Id, T)>,
    /// Those on the box that stay, because what the backup has of them is left out.
    pub spared: BTreeSet<Id>,
    /// False where the backup says nothing that is understood of the kind: all stay.
    pub given: bool,
}

impl<T> Documents<T> {
    fn none() -> Self {
        Self { wanted: Vec::new(), spared: BTreeSet::new(), given: false }
    }
}

/// A document that has checks and a name.
trait Checked: DeserializeOwned + Serialize {
    const KIND: Kind;
    const PART: Part;
    fn check(&self) -> Result<(), Problem>;
    fn name(&self) -> &str;
}

impl Checked for Profile {
    const KIND: Kind = Kind::Equalisers;
    const PART: Part = Part::Equalisers;

    fn check(&self) -> Result<(), Problem> {
        Self::check(self)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

impl Checked for Preset {
    const KIND: Kind = Kind::Presets;
    const PART: Part = Part::Presets;

    fn check(&self) -> Result<(), Problem> {
        Self::check(self)
    }

    fn name(&self) -> &str {
        self.name.as_str()
    }
}

/// The box as it is.
pub struct Now<'a> {
    pub content: &'a BackupContent,
    pub store: &'a Store,
    /// The paths of the filters that can be chosen, those of the backup included.
    pub filters: &'a BTreeSet<String>,
}

impl Now<'_> {
    /// Decides; what is left out is in `report`, and what changes.
    ///
    /// # Errors
    /// 500 when the data folder cannot be read.
    pub fn plan(&self, parts: &Parts, report: &mut Report) -> Result<Plan, Problem> {
        report.made_by = shortened(&parts.made_by, 40);
        let mut plan = Plan {
            settings: self.content.settings.clone(),
            sides: None,
            equalisers: Documents::none(),
            presets: Documents::none(),
        };
        let mut seen = BTreeSet::new();
        for (name, raw) in &parts.members {
            if !seen.insert(name.as_str()) {
                report.leave_out(Part::Other, name, Why::Duplicate, "it is there twice");
                continue;
            }
            match name.as_str() {
                "settings" => plan.settings = self.settings(raw, report),
                "equaliser" => match checked(raw, Sides::check) {
                    Ok(sides) => plan.sides = Some(sides),
                    Err(reason) => {
                        report.leave_out(Part::Equaliser, name, Why::NotAccepted, reason);
                    }
                },
                "equalisers" => plan.equalisers = self.documents(raw, report)?,
                "presets" => plan.presets = self.documents(raw, report)?,
                _ => report.leave_out(Part::Other, name, Why::Unknown, "no backup has such a part"),
            }
        }
        self.missing_filters(&plan.presets, report);
        report.presets = plan.presets.wanted.len();
        report.equalisers = plan.equalisers.wanted.len();
        report.changes = changes(&self.content.settings, &plan.settings);
        self.removed(&plan, report);
        Ok(plan)
    }

    /// The settings afterwards: each key by itself, over those of now.
    fn settings(&self, raw: &RawValue, report: &mut Report) -> Settings {
        let now = &self.content.settings;
        let all = |report: &mut Report, why, reason: String| {
            report.leave_out(Part::Settings, "settings", why, reason);
            now.clone()
        };
        let members = match serde_json::from_str(raw.get()) {
            Ok(Members(members)) => members,
            Err(error) => return all(report, Why::NotAccepted, error.to_string()),
        };
        let version = members.iter().find(|(key, _)| key == "version").map(|(_, raw)| raw.get());
        if version != Some(SETTINGS_VERSION.to_string().as_str()) {
            let found = version.unwrap_or("none");
            let reason = format!("version is {found}; accepted: {SETTINGS_VERSION}");
            return all(report, Why::NotAccepted, reason);
        }
        let (mut target, mut seen) = (now.clone(), BTreeSet::new());
        for (key, raw) in &members {
            if !seen.insert(key) {
                report.leave_out(Part::Settings, key, Why::Duplicate, "it is there twice");
                continue;
            }
            match key.as_str() {
                "version" => {}
                "sound" | "dac" | "filter" | "equaliser" => match with(&target, key, raw) {
                    Ok(settings) => target = self.accepted(settings, key, report),
                    Err(reason) => {
                        report.leave_out(Part::Settings, key, Why::NotAccepted, reason);
                    }
                },
                _ => report.leave_out(Part::Settings, key, Why::Unknown, "no such setting"),
            }
        }
        target
    }

    /// What is accepted by its type may still be too loud, or not be there.
    fn accepted(&self, mut settings: Settings, key: &str, report: &mut Report) -> Settings {
        let mut louder = |key: &str, detail: String| {
            report.leave_out(Part::Settings, key, Why::LouderThanNow, detail);
        };
        if key == "sound" {
            let (now, sound) = (self.content.settings.sound, &mut settings.sound);
            if sound.gain_db > now.gain_db {
                let detail = format!("{} dB; it is {} dB now", sound.gain_db, now.gain_db);
                louder("sound.gain_db", detail);
                sound.gain_db = now.gain_db;
            }
            if now.mute && !sound.mute {
                louder("sound.mute", "false; it is true now".to_owned());
                sound.mute = true;
            }
            if now.host_volume && !sound.host_volume {
                louder("sound.host_volume", "false; it is true now".to_owned());
                sound.host_volume = true;
            }
        }
        let filter = member(&settings, "filter");
        if key == "filter"
            && let Some(filter) = filter.as_str()
            && !self.filters.contains(filter)
        {
            report.leave_out(Part::Settings, key, Why::FilterNotThere, filter);
            settings = replaced(&settings, key, Value::Null).unwrap_or(settings);
        }
        settings
    }

    /// The documents of one kind.
    fn documents<T: Checked>(
        &self,
        raw: &RawValue,
        report: &mut Report,
    ) -> Result<Documents<T>, Problem> {
        let part = T::PART;
        let members = match serde_json::from_str(raw.get()) {
            Ok(Members(members)) => members,
            Err(error) => {
                report.leave_out(part, T::KIND.folder(), Why::NotAccepted, error.to_string());
                return Ok(Documents::none());
            }
        };
        let shelf = self.store.shelf(T::KIND);
        let there: BTreeSet<_> = shelf.ids()?.into_iter().collect();
        let mut documents = Documents { given: true, ..Documents::none() };
        let (mut seen, mut accepted) = (BTreeSet::new(), Vec::new());
        for (key, raw) in members {
            let id = match Id::try_from(key.clone()) {
                Ok(id) => id,
                Err(reason) => {
                    report.leave_out(part, &key, Why::NotAccepted, reason);
                    continue;
                }
            };
            if !seen.insert(id.clone()) {
                report.leave_out(part, &key, Why::Duplicate, "it is there twice");
                continue;
            }
            match checked::<T>(raw, T::check) {
                Ok(document) => accepted.push((id, document)),
                Err(reason) => {
                    report.leave_out(part, &key, Why::NotAccepted, reason);
                    // What is on the box under this name does not go for something that is no use.
                    documents.spared.extend(there.contains(&id).then_some(id));
                }
            }
        }
        let (most, most_bytes) = T::KIND.limit(self.store.limits());
        let mut bytes = 0;
        for id in &documents.spared {
            bytes += shelf.size(id)?;
        }
        for (id, document) in accepted {
            let text = serde_json::to_vec(&document)
                .map_err(|error| Problem::failed(error.to_string()))?;
            let size = text.len() as u64;
            let count = documents.spared.len() + documents.wanted.len();
            if count >= most || bytes + size > most_bytes || size > LARGEST_DOCUMENT {
                let detail =
                    format!("this box keeps {most} of them with {most_bytes} bytes in all");
                report.leave_out(part, document.name(), Why::NoRoom, detail);
                continue;
            }
            bytes += size;
            documents.wanted.push((id, document));
        }
        Ok(documents)
    }

    /// A preset waits for its filter; it is told that it does.
    fn missing_filters(&self, presets: &Documents<Preset>, report: &mut Report) {
        for (_, preset) in &presets.wanted {
            let value = serde_json::to_value(preset).unwrap_or_default();
            if let Some(filter) = value["filter"].as_str()
                && !self.filters.contains(filter)
            {
                report.leave_out(Part::Presets, preset.name.as_str(), Why::FilterNotThere, filter);
            }
        }
    }

    fn removed(&self, plan: &Plan, report: &mut Report) {
        fn gone<T: Checked>(
            now: &std::collections::BTreeMap<String, T>,
            then: &Documents<T>,
            report: &mut Report,
        ) {
            if !then.given {
                return;
            }
            let stay: BTreeSet<_> =
                then.wanted.iter().map(|(id, _)| id).chain(&then.spared).map(Id::as_str).collect();
            let gone = now.iter().filter(|(id, _)| !stay.contains(id.as_str()));
            report.removed.extend(gone.map(|(_, document)| Item {
                part: T::PART,
                name: shortened(document.name(), 100),
            }));
        }
        gone(&self.content.equalisers, &plan.equalisers, report);
        gone(&self.content.presets, &plan.presets, report);
    }
}

/// A part of a stranger's file as its type, with its own checks.
fn checked<T: DeserializeOwned>(
    raw: &RawValue,
    check: impl Fn(&T) -> Result<(), Problem>,
) -> Result<T, String> {
    let found: T = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
    check(&found).map_err(|problem| problem.detail().to_owned())?;
    Ok(found)
}

/// One member of the settings.
pub fn member(settings: &Settings, key: &str) -> Value {
    serde_json::to_value(settings).map_or(Value::Null, |mut value| value[key].take())
}

/// The settings with another member, as their type takes it.
///
/// # Errors
/// What their type says of it.
pub fn replaced(settings: &Settings, key: &str, value: Value) -> Result<Settings, String> {
    let mut whole = serde_json::to_value(settings).map_err(|error| error.to_string())?;
    whole[key] = value;
    let settings: Settings = serde_json::from_value(whole).map_err(|error| error.to_string())?;
    settings.check().map_err(|error| error.to_string())?;
    Ok(settings)
}

fn with(settings: &Settings, key: &str, raw: &RawValue) -> Result<Settings, String> {
    if raw.get().len() > SETTING_BYTES {
        return Err(format!("{} bytes; accepted: at most {SETTING_BYTES}", raw.get().len()));
    }
    let value = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
    replaced(settings, key, value)
}

/// What is different, key by key; an equaliser by its name.
pub fn changes(from: &Settings, to: &Settings) -> Vec<Change> {
    let flat = |settings: &Settings| {
        let mut flat = Map::new();
        if let Value::Object(members) = member(settings, "sound") {
            flat.extend(members.into_iter().map(|(key, value)| (format!("sound.{key}"), value)));
        }
        for key in ["dac", "filter", "equaliser"] {
            flat.insert(key.to_owned(), member(settings, key));
        }
        flat
    };
    let shown = |key: &str, value: &Value| match key {
        "equaliser" => value["name"].clone(),
        _ => value.clone(),
    };
    let (from, to) = (flat(from), flat(to));
    let differ = from.iter().filter(|(key, value)| to.get(*key) != Some(value));
    differ
        .map(|(key, value)| Change {
            key: key.clone(),
            from: shown(key, value),
            to: shown(key, to.get(key).unwrap_or(&Value::Null)),
        })
        .collect()
}
