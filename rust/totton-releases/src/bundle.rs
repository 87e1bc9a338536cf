//! What the first bytes of a bundle say of it: a cpio archive (`newc` or `crc`) whose first file is
//! `sw-description`. SWUpdate verifies that very file's signature; what is read here before is what it
//! will verify, for both read the same bytes.

use semver::Version;

use crate::Refused;
use crate::index::version;
use crate::verdict::compare;

/// So many bytes of a bundle are enough to read its head.
pub const HEAD: usize = 64 * 1024;

const HEADER: usize = 110;
const FIRST_FILE: &[u8] = b"sw-description\0";

/// The head of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The version that it installs.
    pub version: Version,
}

impl Head {
    /// Reads the head; `start` has the first [`HEAD`] bytes of the bundle, or all of it.
    ///
    /// # Errors
    /// [`Refused::Bundle`] for what is no bundle of this product.
    pub fn read(start: &[u8]) -> Result<Self, Refused> {
        let fault = Refused::Bundle;
        let header = start.get(..HEADER).ok_or(fault("it is too short"))?;
        if !matches!(&header[..6], b"070701" | b"070702") {
            return Err(fault("it is no cpio archive"));
        }
        // Fields of eight hexadecimal digits; 6 is the file's size, 11 its name's.
        let field = |number: usize| {
            let digits = &header[6 + 8 * number..14 + 8 * number];
            let digits = std::str::from_utf8(digits).ok();
            // from_str_radix takes a sign, too.
            let digits = digits.filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
            digits.and_then(|text| usize::from_str_radix(text, 16).ok())
        };
        let (size, name) = (field(6), field(11));
        if name != Some(FIRST_FILE.len()) || !start[HEADER..].starts_with(FIRST_FILE) {
            return Err(fault("its first file is not sw-description"));
        }
        let begin = (HEADER + FIRST_FILE.len()).next_multiple_of(4);
        let text = size
            .and_then(|size| start.get(begin..begin.checked_add(size)?))
            .ok_or(fault("its sw-description is not whole in the first 64 KiB"))?;
        let text = std::str::from_utf8(text).map_err(|_| fault("its sw-description is no text"))?;
        let version = first_version(text).ok_or(fault("its sw-description has no version"))?;
        Ok(Self { version })
    }

    /// Whether it installs an older version than this one, which runs.
    #[must_use]
    pub fn is_older_than(&self, running: &str) -> bool {
        version::parse(running).is_ok_and(|running| compare(&self.version, &running).is_lt())
    }
}

/// The value of the first setting `version` outside of comments.
fn first_version(text: &str) -> Option<Version> {
    let text = without_comments(text);
    let found = text.split(';').find_map(|setting| {
        let (name, value) = setting.rsplit_once('=')?;
        let name = name.rsplit(['{', '\n']).next()?.trim();
        (name == "version").then(|| value.trim().trim_matches('"').to_owned())
    })?;
    version::parse(&found).ok()
}

/// libconfig's comments: `/* */`, `//` and `#` to the end of the line; not within quotes.
fn without_comments(text: &str) -> String {
    let (mut rest, mut kept) = (text, String::with_capacity(text.len()));
    while let Some(first) = rest.chars().next() {
        let end = |mark: &str| rest.find(mark).unwrap_or(rest.len());
        let skipped = if let Some(comment) = rest.strip_prefix("/*") {
            comment.find("*/").map_or(rest.len(), |end| end + 4)
        } else if rest.starts_with("//") || first == '#' {
            end("\n")
        } else if first == '"' {
            let close = rest[1..].find('"').map_or(rest.len(), |end| end + 2);
            kept.push_str(&rest[..close]);
            close
        } else {
            kept.push(first);
            first.len_utf8()
        };
        rest = &rest[skipped..];
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bundle's start with this description.
    fn start(description: &str) -> Vec<u8> {
        let mut bytes = format!(
            "070702{}{:08x}{}{:08x}{:08x}sw-description\0",
            "00000000".repeat(6),
            description.len(),
            "00000000".repeat(4),
            FIRST_FILE.len(),
            0
        )
        .into_bytes();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend_from_slice(description.as_bytes());
        bytes
    }

    #[test]
    fn the_version_is_the_descriptions_first_and_not_a_comments() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../meta-totton/dynamic-layers/swupdate/recipes-core/images/totton-update");
        for machine in ["qemuarm64", "tegra"] {
            let text = std::fs::read_to_string(folder.join(machine).join("sw-description"));
            let text = text.unwrap().replace("@@DISTRO_VERSION@@", "0.7.1-beta.2");
            let head = Head::read(&start(&text)).unwrap();
            assert_eq!(head.version.to_string(), "0.7.1-beta.2", "{machine}");
        }
        let text = "/* version = \"9.9.9\"; */ # version = \"9.9.9\";\n\
                    // version = \"9.9.9\";\nsoftware = { description = \"/* version\"; version = \"1.2.3\"; x = 1; }";
        let head = Head::read(&start(text)).unwrap();
        assert_eq!(head.version.to_string(), "1.2.3");
        assert!(head.is_older_than("1.3.0") && !head.is_older_than("1.2.3"));
        assert!(!head.is_older_than("1.2.3-beta.1"));
    }

    #[test]
    fn what_is_no_bundle_is_said_so() {
        let good = start("software = { version = \"1.0.0\"; };");
        Head::read(&good).unwrap();
        for length in 0..good.len() {
            Head::read(&good[..length]).unwrap_err();
        }
        for (place, byte) in [(0, b'1'), (54, b'f'), (94, b'f'), (110, b'x'), (54, b'+')] {
            let mut bad = good.clone();
            bad[place] = byte;
            Head::read(&bad).unwrap_err();
        }
        for text in ["", "software = {};", "version = \"1\";", "software = { version = 1; };"] {
            Head::read(&start(text)).unwrap_err();
        }
    }
}
