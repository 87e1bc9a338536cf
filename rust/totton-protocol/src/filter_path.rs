//! The filter of the settings.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::text::{NotAccepted, checked_text, is_plain, quoted};

/// The most bytes of a filter's path.
pub const MAX_PATH_BYTES: usize = 1024;

/// The path of filter files, in which `{family}` and `{ratio}` stand for the rate family and the
/// ratio: absolute, without detours, its file's name ends in `.filter`. In which folders a filter
/// may be, the daemon knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilterPath(String);

checked_text!(FilterPath, check);

const ACCEPTED: &str = "an absolute path without \".\", \"..\" and control characters to a file \
                        *.filter, with no other placeholders than {family} and {ratio}, at most \
                        1024 bytes: choose one of the list of filters";

fn check(text: &str) -> Result<(), NotAccepted> {
    let plain = text.len() <= MAX_PATH_BYTES && text.chars().all(is_plain);
    let parts = text.strip_prefix('/').map(|rest| rest.split('/').collect::<Vec<_>>());
    let straight = parts
        .as_ref()
        .is_some_and(|parts| parts.iter().all(|part| !matches!(*part, "" | "." | "..")));
    let named = Path::new(text).extension().is_some_and(|extension| extension == "filter");
    let rest = text.replace("{family}", "").replace("{ratio}", "");
    if plain && straight && named && !rest.contains(['{', '}']) {
        return Ok(());
    }
    Err(NotAccepted::new(quoted(text), ACCEPTED))
}

impl FilterPath {
    /// The folder of the files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        // A path with a file's name has one.
        Path::new(&self.0).parent().unwrap_or(Path::new("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_straight_path_to_a_filter_file() {
        let read = |text: &str| serde_json::from_value::<FilterPath>(text.into());
        for good in [
            "/opt/totton_audio/filters/{family}-x{ratio}.filter",
            "/opt/totton_audio/data/filters/夜 2-44100-x16.filter",
            "/a.filter",
            "/a/...b.filter",
        ] {
            let path = read(good).unwrap();
            assert_eq!((path.as_str(), serde_json::to_value(&path).unwrap()), (good, good.into()));
        }
        assert_eq!(read("/a/b.filter").unwrap().folder(), Path::new("/a"));
        let long = format!("/{}.filter", "a".repeat(MAX_PATH_BYTES));
        for bad in [
            "",
            "/",
            "a.filter",
            "./a.filter",
            "/etc/shadow",
            "/etc/shadow\0.filter",
            "/.filter",
            "/f/../a.filter",
            "/f/./a.filter",
            "/f//a.filter",
            "//f/a.filter",
            "/f/..",
            "/f/a.filter/",
            "/f/{tap}.filter",
            "/f/{family.filter",
            "/f/a\n.filter",
            "/f/a\u{202e}retlif.filter",
            "/f/\u{ff0e}\u{ff0e}/a.filte\u{ff52}",
            &long,
            "file:'|id',raw",
            "|id.filter",
            "http://x/a.filter",
            "@args",
        ] {
            let refused = read(bad).unwrap_err().to_string();
            assert!(refused.contains("accepted: an absolute path"), "{bad:?}: {refused}");
            assert!(refused.len() < 1000 && refused.chars().all(is_plain), "{refused:?}");
        }
    }
}
