//! What is told of a backup: before it is put in place, and after.

use serde::Serialize;
use utoipa::ToSchema;

/// What a restore did, or would do.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Report {
    /// Whether this was only a look: nothing was changed.
    pub checked_only: bool,
    /// The version of the box that made the file, as the file says.
    pub made_by: String,
    /// How many presets are put in place.
    pub presets: usize,
    /// How many kept equalisers are put in place.
    pub equalisers: usize,
    /// How many filters are put in place that are not there yet.
    pub filters: usize,
    /// The settings that become other ones.
    pub changes: Vec<Change>,
    /// What is there now and goes.
    pub removed: Vec<Item>,
    /// What is not put in place, and why.
    pub left_out: Vec<LeftOut>,
}

/// A part of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    Settings,
    Equaliser,
    Equalisers,
    Presets,
    Filters,
    /// Something that no backup has.
    Other,
}

/// A setting that becomes another one.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct Change {
    /// `sound.mono`, `dac`, `filter`, `equaliser`.
    pub key: String,
    /// What it is now; an equaliser's name.
    #[schema(value_type = Object)]
    pub from: serde_json::Value,
    /// What it becomes.
    #[schema(value_type = Object)]
    pub to: serde_json::Value,
}

/// A thing that is kept.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Item {
    pub part: Part,
    /// Its name for people.
    pub name: String,
}

/// Why something is not put in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It does not say what is accepted; the detail names the place.
    NotAccepted,
    /// The box does not know such a thing.
    Unknown,
    /// It is there twice; the first counts.
    Duplicate,
    /// The limits of this box are reached.
    NoRoom,
    /// The filter is neither on the box nor in the file. What names it uses the default instead,
    /// and a preset waits for it.
    FilterNotThere,
    /// Another filter has this name on the box, and stays.
    OtherFilter,
    /// It would be louder than the box is now: what is now stays.
    LouderThanNow,
    /// The audio daemon refuses it; the detail says why.
    Refused,
    /// It could not be written.
    NotWritten,
}

/// What is not put in place.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LeftOut {
    pub part: Part,
    /// Its name: a setting, an id, a file.
    pub name: String,
    pub why: Why,
    /// The reason in English.
    pub detail: String,
}

/// The most characters of a name that comes from the file.
const NAME: usize = 100;

/// The most things that are told of one kind; a stranger's file could have thousands.
const MOST: usize = 200;

impl Report {
    /// Notes what is left out.
    pub fn leave_out(&mut self, part: Part, name: &str, why: Why, detail: impl Into<String>) {
        if self.left_out.len() < MOST {
            let detail = shortened(&detail.into(), 4 * NAME);
            self.left_out.push(LeftOut { part, name: shortened(name, NAME), why, detail });
        }
    }
}

/// A text that is shown: no longer than `most` characters, without control characters.
pub fn shortened(text: &str, most: usize) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut short: String = text.chars().take(most).map(plain).collect();
    if text.chars().nth(most).is_some() {
        short.push('…');
    }
    short
}
