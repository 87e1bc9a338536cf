//! The list of releases and its types: parsed at the edge, every value within its bounds.

use std::fmt;

use base64ct::{Base64, Encoding};
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::{Key, Refused};

/// The name of the list in the feed's folder.
pub const INDEX: &str = "releases.signed";

/// The most bytes of a list with its signature.
pub const LARGEST: usize = 256 * 1024;

/// The most releases of one list.
pub const MOST_RELEASES: usize = 100;

/// The most characters of one release's notes in one language.
pub const MOST_NOTES: usize = 4000;

/// The most bytes of a bundle: 2 GiB, twice a slot.
pub const LARGEST_BUNDLE: u64 = 2 << 30;

/// The largest whole number that every JSON reader keeps: 2^53 - 1.
const LARGEST_NUMBER: u64 = (1 << 53) - 1;

const FIRST_WORD: &str = "totton-releases-1";

/// The first line has the signature: 684 characters for a key of 4096 bits.
const LONGEST_LINE: usize = 2048;

/// The most characters of a reason against a list.
const LONGEST_REASON: usize = 400;

/// A list that this device's key has signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Counts up with each list; about the second at which it was made.
    serial: Number,
    /// When it was made, by the clock of who made it: seconds since 1970.
    made: Number,
    releases: Vec<Release>,
}

/// One release for one board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    #[serde(with = "version")]
    pub version: Version,
    pub channel: Channel,
    /// The board's name and the revisions that take it, as `/etc/hwrevision` has them.
    pub board: Word,
    pub revisions: Vec<Word>,
    /// Its bundle, beside the list.
    pub file: FileName,
    /// The bundle's size.
    pub bytes: BundleBytes,
    /// The bundle's SHA-256.
    pub sha256: Sha256,
    /// The least version that it can be installed from.
    #[serde(with = "version")]
    pub from: Version,
    /// When it was published: seconds since 1970.
    pub published: Number,
    pub notes: Notes,
}

/// What is new, for the owner, in each language of the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    pub en: Text,
    pub ja: Text,
}

/// Who gets a release.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Channel {
    /// Everybody.
    #[default]
    Stable,
    /// Who asked for it; gets the stable ones, too.
    Beta,
}

impl Index {
    /// Reads a list that `key` has signed.
    ///
    /// # Errors
    /// [`Refused`]: too large, not a list, not signed, or with something that is not accepted.
    pub fn open(key: &Key, file: &[u8]) -> Result<Self, Refused> {
        if file.len() > LARGEST {
            return Err(Refused::TooLarge);
        }
        let line = file.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n');
        let (line, rest) = file.split_at(line.ok_or(Refused::NotAnIndex)?);
        let signed = &rest[1..];
        let words = std::str::from_utf8(line).map_err(|_| Refused::NotAnIndex)?;
        let (word, signature) = words.split_once(' ').ok_or(Refused::NotAnIndex)?;
        if word != FIRST_WORD {
            return Err(Refused::NotAnIndex);
        }
        let signature = Base64::decode_vec(signature).map_err(|_| Refused::NotAnIndex)?;
        if !key.signed(signed, &signature) {
            return Err(Refused::Signature);
        }
        Self::content(signed)
    }

    /// Reads what is signed. For tests and fuzzing: nothing here looks at a signature.
    ///
    /// # Errors
    /// [`Refused::Content`] with the place.
    pub fn content(signed: &[u8]) -> Result<Self, Refused> {
        let index: Self = serde_json::from_slice(signed).map_err(|error| {
            // The error quotes what was found, however long that is.
            Refused::Content(error.to_string().chars().take(LONGEST_REASON).collect())
        })?;
        if index.releases.len() > MOST_RELEASES {
            let found = index.releases.len();
            return Err(Refused::Content(format!(
                "found {found} releases; accepted: at most {MOST_RELEASES}"
            )));
        }
        for (number, one) in index.releases.iter().enumerate() {
            let same = |other: &&Release| {
                other.version.cmp_precedence(&one.version).is_eq() && other.board == one.board
            };
            if index.releases[..number].iter().any(|other| same(&other)) {
                return Err(Refused::Content(format!(
                    "version {} for {} is there twice",
                    one.version, one.board
                )));
            }
        }
        Ok(index)
    }

    /// Refuses a list that is older than the newest that was seen.
    ///
    /// # Errors
    /// [`Refused::Replayed`].
    pub fn not_before(&self, seen: u64) -> Result<(), Refused> {
        let found = self.serial();
        if found < seen { Err(Refused::Replayed { found, seen }) } else { Ok(()) }
    }

    /// Its number; a newer list has a higher one.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.serial.0
    }

    /// When it was made: seconds since 1970.
    #[must_use]
    pub fn made(&self) -> u64 {
        self.made.0
    }

    /// The releases, in the order of the list.
    #[must_use]
    pub fn releases(&self) -> &[Release] {
        &self.releases
    }

    /// The release whose bundle has this hash.
    #[must_use]
    pub fn find(&self, bundle: &Sha256) -> Option<&Release> {
        self.releases.iter().find(|release| release.sha256 == *bundle)
    }
}

impl Channel {
    /// Its word in a list.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Beta => "beta",
        }
    }
}

/// A type whose every value is accepted: `$accepts` gives the reason against the others.
macro_rules! checked {
    ($(#[$more:meta])* $name:ident($inner:ty, $text:literal), |$found:ident| $accepts:expr) => {
        $(#[$more])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = $text, into = $text)]
        pub struct $name($inner);

        impl TryFrom<$inner> for $name {
            type Error = String;

            fn try_from($found: $inner) -> Result<Self, String> {
                match $accepts {
                    Ok(()) => Ok(Self($found)),
                    Err(accepted) => {
                        let shown: String = format!("{:?}", $found).chars().take(80).collect();
                        Err(format!("found {shown}; accepted: {accepted}"))
                    }
                }
            }
        }

        impl From<$name> for $inner {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

fn unless<T>(accepted: bool, reason: T) -> Result<(), T> {
    if accepted { Ok(()) } else { Err(reason) }
}

checked!(
    /// A number that every JSON reader keeps.
    Number(u64, "u64"),
    |found| unless(found <= LARGEST_NUMBER, "0 to 2^53 - 1")
);
checked!(
    /// The size of a bundle in bytes.
    BundleBytes(u64, "u64"),
    |found| unless((1..=LARGEST_BUNDLE).contains(&found), "1 to 2147483648 (bytes)")
);
checked!(
    /// A board's name or revision.
    Word(String, "String"),
    |found| unless(
        is_word(&found),
        "1 to 64 letters, digits, '.', '_', '-', '+', the first a letter or digit"
    )
);
checked!(
    /// The name of a bundle's file, without any folder.
    FileName(String, "String"),
    |found| unless(
        found.ends_with(".swu") && found.len() <= 128 && plain(&found),
        "a file's name of at most 128 letters, digits, '.', '_', '-', '+', that ends in .swu"
    )
);
checked!(
    /// A SHA-256 in lower-case hexadecimal digits.
    Sha256(String, "String"),
    |found| unless(
        found.len() == 64 && found.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')),
        "64 lower-case hexadecimal digits"
    )
);
checked!(
    /// Notes: lines of text.
    Text(String, "String"),
    |found| unless(
        found.chars().count() <= MOST_NOTES && !found.chars().any(hides),
        "at most 4000 characters, no control characters but line feeds"
    )
);

/// Letters, digits and a few signs, none of which means anything in a path or an address.
fn plain(word: &str) -> bool {
    let first = word.bytes().next();
    first.is_some_and(|byte| byte.is_ascii_alphanumeric())
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+'))
}

fn is_word(word: &str) -> bool {
    word.len() <= 64 && plain(word)
}

/// A character that shows nothing, or shows the others in another order.
fn hides(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

impl Number {
    /// The number.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0
    }
}

impl BundleBytes {
    /// The number of bytes.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0
    }
}

impl Word {
    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Sha256 {
    /// The hash of these 32 bytes.
    #[must_use]
    pub fn of_bytes(bytes: &[u8; 32]) -> Self {
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A version by the rules of semver.org, of at most 64 characters.
pub(crate) mod version {
    use semver::Version;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    const LONGEST: usize = 64;

    pub fn parse(found: &str) -> Result<Version, String> {
        Some(found)
            .filter(|found| found.len() <= LONGEST)
            .and_then(|found| Version::parse(found).ok())
            .ok_or_else(|| {
                let shown: String = found.chars().take(LONGEST).collect();
                format!(
                    "found {shown:?}; accepted: a version such as \"0.2.0\" or \"0.3.0-beta.1\""
                )
            })
    }

    pub fn serialize<S: Serializer>(version: &Version, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(version)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Version, D::Error> {
        parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
