//! The names of documents: nothing that a client sends becomes a path.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// The longest id.
const ID_LENGTH: usize = 48;

/// The name of a document: 1 to 48 of the letters a to z, digits and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^[a-z0-9-]{1,48}$")]
pub struct Id(String);

impl TryFrom<String> for Id {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if (1..=ID_LENGTH).contains(&text.len()) && text.chars().all(known) {
            Ok(Self(text))
        } else {
            Err(format!("found {text:?}; accepted: 1 to {ID_LENGTH} of a to z, 0 to 9 and -"))
        }
    }
}

impl Id {
    /// An id that reads like `name`.
    pub fn like(name: &str) -> Self {
        let mut text = String::new();
        for c in name.to_lowercase().chars() {
            if c.is_ascii_alphanumeric() {
                text.push(c);
            } else if !text.is_empty() && !text.ends_with('-') {
                text.push('-');
            }
            if text.len() >= ID_LENGTH - 6 {
                break;
            }
        }
        let text = text.trim_end_matches('-');
        Self(if text.is_empty() { "item".to_owned() } else { text.to_owned() })
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An id for a file of this name: equal names get the same, and names that differ in more than
    /// capitals and separators get different ones. What a to z and digits cannot say is told apart
    /// by a part of its SHA-256.
    pub fn telling(name: &str) -> Self {
        let stem = Self::like(name);
        let said = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | '/');
        if name.chars().all(said) && name.len() <= ID_LENGTH - 6 {
            return stem;
        }
        let digest = Sha256::digest(name.as_bytes());
        let mark: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let end = stem.0.len().min(ID_LENGTH - 16);
        Self(format!("{}-{mark}", stem.0[..end].trim_end_matches('-')))
    }

    /// The same with a number behind it.
    pub(super) fn numbered(&self, number: usize) -> Self {
        Self(format!("{}-{number}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_of_any_name_and_never_leaves_its_folder() {
        assert_eq!(Id::like("Sennheiser HD 650 (Harman)").as_str(), "sennheiser-hd-650-harman");
        assert_eq!(Id::like("夜").as_str(), "item");
        assert!(Id::like(&"x".repeat(200)).as_str().len() <= ID_LENGTH);
        for bad in ["", "../x", "a/b", "a.b", "A", "a b", &"x".repeat(49)] {
            assert!(Id::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn files_of_different_names_have_different_ids() {
        assert_eq!(Id::telling("../Mine Long").as_str(), "mine-long");
        assert_eq!(Id::telling("高音質"), Id::telling("高音質"));
        let long = "x".repeat(60);
        let names = ["高音質", "低遅延", "夜 A", "A", "x+1", "x 1", &long, &long[1..]];
        let ids: std::collections::BTreeSet<_> =
            names.iter().map(|name| Id::telling(name).as_str().to_owned()).collect();
        assert_eq!(ids.len(), names.len(), "{ids:?}");
        for id in ids {
            // Room for the family, the ratio and a number.
            assert!(id.len() <= ID_LENGTH - 6 && Id::try_from(id.clone()).is_ok(), "{id}");
        }
    }
}
