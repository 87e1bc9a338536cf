//! The JSON document of a backup.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use totton_protocol::Settings;
use utoipa::ToSchema;

use super::unusable;
use crate::VERSION;
use crate::equaliser::Profile;
use crate::guard::token::hexadecimal;
use crate::preset::Preset;
use crate::problem::Problem;
use crate::sides::Sides;
use crate::store::Limits;

/// What the file says it is.
const FORMAT: &str = "totton-audio-backup";

/// The form of the file; raised when an older box would misread it.
const FORM: u32 = 1;

/// The most members of an object whose keys are a stranger's.
const MEMBERS: usize = 4096;

/// The most bytes of a document that this box makes or takes: both kinds of documents as they lie
/// on the disk, an id for each, the two sides of the equaliser and the settings. So a box's own
/// backup can always be restored.
pub fn largest(limits: &Limits) -> u64 {
    const ID_BYTES: u64 = 64;
    const SIDES_AND_SETTINGS: u64 = 5 * 1024 * 1024;
    2 * (limits.document_bytes + limits.documents as u64 * ID_BYTES) + SIDES_AND_SETTINGS
}

/// The file.
#[derive(Debug, Serialize, ToSchema)]
pub struct Backup {
    /// `totton-audio-backup`.
    format: &'static str,
    /// The form of the file: 1.
    form: u32,
    /// Version of the box that made it.
    made_by: &'static str,
    /// SHA-256 of `content` as JSON without spaces, hexadecimal: a file that was cut short or
    /// damaged is not taken.
    sha256: String,
    pub content: BackupContent,
}

/// What the user has set.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BackupContent {
    pub settings: Settings,
    pub equaliser: Sides,
    pub equalisers: BTreeMap<String, Profile>,
    pub presets: BTreeMap<String, Preset>,
}

impl Backup {
    /// The file with this content.
    ///
    /// # Errors
    /// Never in practice: the content is JSON by construction.
    pub fn of(content: BackupContent) -> Result<Self, Problem> {
        let text =
            serde_json::to_string(&content).map_err(|error| Problem::failed(error.to_string()))?;
        let sha256 = digest(&text);
        Ok(Self { format: FORMAT, form: FORM, made_by: VERSION, sha256, content })
    }
}

/// The SHA-256 of JSON without the white space between its tokens.
fn digest(json: &str) -> String {
    let mut hash = Sha256::new();
    let (mut inside, mut escaped, mut from) = (false, false, 0);
    for (at, byte) in json.bytes().enumerate() {
        if inside {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => inside = false,
                _ => {}
            }
        } else if byte == b'"' {
            inside = true;
        } else if byte.is_ascii_whitespace() {
            hash.update(&json.as_bytes()[from..at]);
            from = at + 1;
        }
    }
    hash.update(&json.as_bytes()[from..]);
    hexadecimal(&hash.finalize())
}

/// A stranger's document, taken apart and not looked into yet.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The version that made it, as it says.
    pub made_by: String,
    /// The members of its content, in their order, duplicates included.
    pub members: Vec<(String, &'a RawValue)>,
}

impl<'a> Parts<'a> {
    /// Takes a document apart.
    ///
    /// # Errors
    /// 422 when it is no backup, of another form, or damaged.
    pub fn of(text: &'a [u8]) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Kind {
            format: String,
            form: u32,
        }
        #[derive(Deserialize)]
        struct Envelope<'a> {
            made_by: String,
            sha256: String,
            #[serde(borrow)]
            content: &'a RawValue,
        }
        let fault = |error: serde_json::Error| unusable(error.to_string());
        let text = std::str::from_utf8(text).map_err(|error| unusable(error.to_string()))?;
        let kind: Kind = serde_json::from_str(text).map_err(fault)?;
        if kind.format != FORMAT {
            return Err(unusable(format!("its format is {:?}", kind.format)));
        }
        if kind.form != FORM {
            return Err(unusable(format!(
                "it has form {}, this box reads form {FORM}; update the box",
                kind.form
            )));
        }
        let envelope: Envelope = serde_json::from_str(text).map_err(fault)?;
        if digest(envelope.content.get()) != envelope.sha256 {
            return Err(unusable("its checksum does not fit its content"));
        }
        let Members(members) = serde_json::from_str(envelope.content.get()).map_err(fault)?;
        Ok(Self { made_by: envelope.made_by, members })
    }
}

/// An object whose members are looked into one by one.
#[derive(Debug)]
pub struct Members<'a>(pub Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Taken;

        impl<'de> Visitor<'de> for Taken {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an object of at most {MEMBERS} members")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    if members.len() == MEMBERS {
                        return Err(serde::de::Error::invalid_length(MEMBERS + 1, &self));
                    }
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup() -> Backup {
        let profile = Profile::parse("X \" \\ y", "Preamp: -1").unwrap();
        let content = BackupContent {
            settings: Settings::default(),
            equaliser: Sides::default(),
            equalisers: BTreeMap::from([("x".into(), profile)]),
            presets: BTreeMap::new(),
        };
        Backup::of(content).unwrap()
    }

    #[test]
    fn what_was_made_is_taken_apart_again_and_spaces_do_not_matter() {
        let plain = serde_json::to_string(&backup()).unwrap();
        let pretty = serde_json::to_string_pretty(&backup()).unwrap();
        for text in [plain, pretty] {
            let parts = Parts::of(text.as_bytes()).unwrap();
            assert_eq!(parts.made_by, VERSION);
            let names: Vec<_> = parts.members.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["settings", "equaliser", "equalisers", "presets"]);
        }
    }

    #[test]
    fn what_was_changed_cut_short_or_made_by_a_newer_box_is_refused() {
        let text = serde_json::to_string(&backup()).unwrap();
        let refusal = |from: &str, to: &str| {
            assert!(text.contains(from), "{text}");
            let problem = Parts::of(text.replacen(from, to, 1).as_bytes()).unwrap_err();
            assert_eq!(problem.kind(), "not-a-backup");
            problem.detail().to_owned()
        };
        assert!(refusal("\"gain_db\":0.0", "\"gain_db\":-3.0").contains("checksum"));
        // White space inside a text is content.
        assert!(refusal("X \\\"", "X\\\"").contains("checksum"));
        assert!(refusal("\"form\":1", "\"form\":2").contains("form 2"));
        assert!(refusal(FORMAT, "else").contains("else"));
        for end in [0, 1, text.len() / 2, text.len() - 1] {
            assert!(Parts::of(&text.as_bytes()[..end]).is_err());
        }
        assert!(Parts::of(b"{\"format\":\"\xff\"}").is_err());
    }

    #[test]
    fn an_object_without_end_is_refused_while_it_is_read() {
        let many: Vec<_> = (0..=MEMBERS).map(|n| format!("\"{n}\":0")).collect();
        let text = format!("{{{}}}", many.join(","));
        let error = serde_json::from_str::<Members>(&text).unwrap_err().to_string();
        assert!(error.contains("4096 members"), "{error}");
        let Members(both) = serde_json::from_str(r#"{"a":1,"a":2}"#).unwrap();
        assert_eq!(both.len(), 2, "a name that is there twice is told, not lost");
    }
}
