//! Texts that were looked at when they came in: what a value of these types holds can be shown,
//! logged and stored as it is.

use std::fmt::{self, Display};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// The most characters of a [`Name`].
pub const MAX_NAME_CHARACTERS: usize = 200;

/// The most bytes of an [`EqualiserText`].
pub const MAX_EQUALISER_BYTES: usize = 64 * 1024;

/// The most characters of a refused value that a message repeats.
const QUOTED_CHARACTERS: usize = 100;

/// The most characters of a message of a parser.
const MESSAGE_CHARACTERS: usize = 300;

/// A value that is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("found {found}; accepted: {accepted}")]
pub struct NotAccepted {
    pub found: String,
    pub accepted: String,
}

impl NotAccepted {
    pub(crate) fn new(found: impl Display, accepted: impl Display) -> Self {
        Self { found: found.to_string(), accepted: accepted.to_string() }
    }
}

/// `text` for a message: in quotes, with escapes for what cannot be seen, and not longer than a
/// line of the journal.
#[must_use]
pub fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARACTERS) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}... ({} bytes)", &text[..end], text.len()),
    }
}

/// Whether a character is neither a control character nor one that changes the order or the
/// lines in which other text is shown.
pub(crate) fn is_plain(c: char) -> bool {
    // Line and paragraph separator; embeddings, overrides and isolates of UAX #9.
    let reorders =
        matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !reorders
}

/// `text` with a replacement character for each that is not plain, and at most `most` characters.
pub(crate) fn cleaned(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if is_plain(c) { c } else { '\u{fffd}' }).collect()
}

/// `message` for the journal or a reply, where it may repeat what a stranger wrote: one line, not
/// longer than a few hundred characters.
#[must_use]
pub fn bounded(message: &str) -> String {
    cleaned(message, MESSAGE_CHARACTERS)
}

/// Makes a type that holds a checked text: on the wire it stays a text, and reading it is the
/// check.
macro_rules! checked_text {
    ($name:ident, $check:expr) => {
        impl TryFrom<String> for $name {
            type Error = NotAccepted;

            fn try_from(text: String) -> Result<Self, NotAccepted> {
                $check(&text).map(|()| Self(text))
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotAccepted;

            fn from_str(text: &str) -> Result<Self, NotAccepted> {
                Self::try_from(text.to_owned())
            }
        }

        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::try_from(String::deserialize(deserializer)?).map_err(de::Error::custom)
            }
        }
    };
}
pub(crate) use checked_text;

/// A name for people, on one line: 1 to [`MAX_NAME_CHARACTERS`] characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

checked_text!(Name, check_name);

fn check_name(text: &str) -> Result<(), NotAccepted> {
    let characters = text.chars().take(MAX_NAME_CHARACTERS + 1).count();
    if text.trim().is_empty() || characters > MAX_NAME_CHARACTERS || !text.chars().all(is_plain) {
        let accepted = format!(
            "a name of 1 to {MAX_NAME_CHARACTERS} characters on one line, without control \
             characters and changes of the writing direction"
        );
        return Err(NotAccepted::new(quoted(text), accepted));
    }
    Ok(())
}

impl Name {
    /// A name that reads like `text`, whatever that is: what a name cannot have becomes a
    /// replacement character, and a name that is too long is cut.
    #[must_use]
    pub fn like(text: &str) -> Self {
        let cleaned = cleaned(text, MAX_NAME_CHARACTERS);
        Self(if cleaned.trim().is_empty() { "\u{fffd}".to_owned() } else { cleaned })
    }
}

/// An equaliser's text: lines of at most [`MAX_EQUALISER_BYTES`] in all. What they mean is not
/// looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EqualiserText(String);

checked_text!(EqualiserText, check_equaliser_text);

fn check_equaliser_text(text: &str) -> Result<(), NotAccepted> {
    if text.len() > MAX_EQUALISER_BYTES {
        let found = format!("a text of {} bytes", text.len());
        return Err(NotAccepted::new(found, format!("at most {MAX_EQUALISER_BYTES} bytes")));
    }
    let strange = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    if let Some((line, found)) = text
        .split('\n')
        .enumerate()
        .find_map(|(n, line)| Some((n + 1, line.chars().find(|c| strange(*c))?)))
    {
        let found = format!("the control character {found:?} in line {line}");
        return Err(NotAccepted::new(
            found,
            "a text whose only control characters are tab, CR, LF",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Result<Name, serde_json::Error> {
        serde_json::from_value(serde_json::Value::from(text))
    }

    #[test]
    fn a_name_is_one_visible_line() {
        for good in
            ["a", "夜の音", "HD 650 (Harman)", "e\u{301}", "👨\u{200d}👩\u{200d}👧", "<b>", "null"]
        {
            assert_eq!(name(good).unwrap().as_str(), good);
            assert_eq!(serde_json::to_value(name(good).unwrap()).unwrap(), good);
        }
        for bad in [
            "",
            " ",
            "\u{3000}",
            "a\nb",
            "a\rb",
            "a\0b",
            "a\u{1b}[2J",
            "a\u{85}b",
            "a\u{2028}b",
            "abc\u{202e}gpj.exe",
            "\u{2067}x\u{2069}",
            &"x".repeat(201),
        ] {
            let refused = name(bad).unwrap_err().to_string();
            assert!(refused.contains("accepted: a name of 1 to 200 characters"), "{refused}");
            // The refusal itself can be logged.
            assert!(refused.chars().all(is_plain) && refused.len() < 500, "{refused:?}");
            name(Name::like(bad).as_str()).unwrap();
        }
        assert_eq!(name(&"夜".repeat(200)).unwrap().as_str().chars().count(), 200);
        assert_eq!(Name::like("a\nb").as_str(), "a\u{fffd}b");
    }

    #[test]
    fn an_equalisers_text_is_bounded_lines() {
        let read = |text: &str| serde_json::from_value::<EqualiserText>(text.into());
        for good in ["", "Preamp: -1 dB\r\nFilter:\tON PK Fc 100 Hz\n", "\u{feff}# 夜"] {
            assert_eq!(read(good).unwrap().as_str(), good);
        }
        read(&"a".repeat(MAX_EQUALISER_BYTES)).unwrap();
        let long = read(&"a".repeat(MAX_EQUALISER_BYTES + 1)).unwrap_err().to_string();
        assert!(long.contains("65537 bytes") && long.contains("at most 65536 bytes"), "{long}");
        for bad in ["Preamp: -1\nFilter\0", "a\n\u{1b}[31m", "a\n\u{9d}"] {
            let refused = read(bad).unwrap_err().to_string();
            assert!(
                refused.contains("control character") && refused.contains("line 2"),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_message_repeats_a_bounded_part_of_what_was_found() {
        assert_eq!(quoted("a\n"), r#""a\n""#);
        let long = quoted(&"夜\0".repeat(100_000));
        assert!(long.len() < 1000 && long.ends_with("(400000 bytes)"), "{long}");
    }
}
