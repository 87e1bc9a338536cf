//! The last update: how it ended, and what became of it at the next start.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::VERSION;
use crate::device::{clock, slot};
use crate::problem::Problem;
use crate::store::Store;

/// The document with the last result.
const LAST: &str = "update.json";

/// How the last update ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LastUpdate {
    /// Whether it worked.
    success: bool,
    /// Whether the bundle was only checked.
    checked_only: bool,
    /// What the updater said.
    words: String,
    /// The version that ran then.
    from_version: String,
    /// The version that was installed; null where the bundle did not tell.
    #[serde(default)]
    to_version: Option<String>,
    /// The slot that ran then, `a` or `b`.
    #[serde(default)]
    from_slot: Option<char>,
    /// The kernel's name of the start at which it was installed.
    #[serde(default)]
    boot: Option<String>,
    /// Seconds since 1970.
    at: u64,
}

/// What became of the last update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was not installed; nothing has changed.
    Failed,
    /// The bundle was checked and is good; nothing has changed.
    Checked,
    /// It is installed; a restart starts it.
    WaitsForRestart,
    /// It runs.
    Runs,
    /// It was started, or should have been, and the version from before runs again.
    FellBack,
    /// It was installed by a version that did not note enough to tell.
    NotKnown,
}

impl LastUpdate {
    /// An update that ends now.
    pub fn now(result: &Result<String, Problem>, checked_only: bool, to: Option<String>) -> Self {
        Self {
            success: result.is_ok(),
            checked_only,
            words: match result {
                Ok(words) => words.clone(),
                Err(problem) => problem.detail().to_owned(),
            },
            from_version: VERSION.to_owned(),
            to_version: to,
            from_slot: slot::running(),
            boot: slot::boot(),
            at: clock::unix_ms() / 1000,
        }
    }

    /// The last one; none when there was none.
    ///
    /// # Errors
    /// 500 when the document cannot be read.
    pub fn read(store: &Store) -> Result<Option<Self>, Problem> {
        store.read(LAST)
    }

    /// Keeps it.
    ///
    /// # Errors
    /// 500 when it cannot be written.
    pub fn keep(&self, store: &Store) -> Result<(), Problem> {
        log::info!("an update ended: {self:?}");
        store.write(LAST, self)
    }

    /// What became of it: `version` and `slot` run, `boot` is this start.
    pub fn outcome(&self, version: &str, slot: Option<char>, boot: Option<&str>) -> Outcome {
        if !self.success {
            return Outcome::Failed;
        }
        if self.checked_only {
            return Outcome::Checked;
        }
        if self.boot.is_none() || boot.is_none() {
            return Outcome::NotKnown;
        }
        if self.boot.as_deref() == boot {
            return Outcome::WaitsForRestart;
        }
        let runs = match (self.from_slot, slot) {
            (Some(before), Some(now)) => before != now,
            // Where there are no slots, by the version, when that has changed at all.
            _ if self.to_version.as_ref() == Some(&self.from_version) => return Outcome::NotKnown,
            _ => self.to_version.as_deref() == Some(version),
        };
        if runs { Outcome::Runs } else { Outcome::FellBack }
    }

    /// The version in the slot that does not run, as far as this update tells.
    pub fn other_slot(&self, outcome: Outcome) -> Option<&str> {
        match outcome {
            Outcome::Runs => Some(&self.from_version),
            Outcome::WaitsForRestart | Outcome::FellBack => self.to_version.as_deref(),
            Outcome::Failed | Outcome::Checked | Outcome::NotKnown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(slot: Option<char>) -> LastUpdate {
        LastUpdate {
            success: true,
            checked_only: false,
            words: String::new(),
            from_version: "0.1.0".to_owned(),
            to_version: Some("0.2.0".to_owned()),
            from_slot: slot,
            boot: Some("one".to_owned()),
            at: 1,
        }
    }

    #[test]
    fn what_became_of_an_update_is_told_by_slot_and_start() {
        let with = last(Some('a'));
        for (version, slot, boot, outcome, other) in [
            ("0.1.0", Some('a'), "one", Outcome::WaitsForRestart, Some("0.2.0")),
            ("0.2.0", Some('b'), "two", Outcome::Runs, Some("0.1.0")),
            ("0.1.0", Some('a'), "two", Outcome::FellBack, Some("0.2.0")),
        ] {
            let found = with.outcome(version, slot, Some(boot));
            assert_eq!((found, with.other_slot(found)), (outcome, other));
        }
        let without = last(None);
        assert_eq!(without.outcome("0.2.0", None, Some("two")), Outcome::Runs);
        assert_eq!(without.outcome("0.1.0", None, Some("two")), Outcome::FellBack);
        // The same version again, with slots and without.
        let again = |slot| LastUpdate { to_version: Some("0.1.0".to_owned()), ..last(slot) };
        assert_eq!(again(Some('a')).outcome("0.1.0", Some('b'), Some("two")), Outcome::Runs);
        assert_eq!(again(None).outcome("0.1.0", None, Some("two")), Outcome::NotKnown);
        assert_eq!(
            LastUpdate { success: false, ..last(None) }.outcome("0.1.0", None, Some("one")),
            Outcome::Failed
        );
    }

    #[test]
    fn what_an_older_version_has_kept_is_read() {
        let old = r#"{"success":true,"checked_only":false,"words":"SWUPDATE successful","from_version":"0.1.0","at":1}"#;
        let old: LastUpdate = serde_json::from_str(old).unwrap();
        assert_eq!(old.outcome("0.2.0", Some('b'), Some("two")), Outcome::NotKnown);
    }
}
