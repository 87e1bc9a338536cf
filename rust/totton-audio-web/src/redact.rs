//! Takes serial numbers out of texts that are given away.

use std::collections::BTreeSet;

/// What stands in their place.
const REMOVED: &str = "[removed]";

/// Shorter ones are taken out only where they stand behind a DAC's identity: `1` is everywhere.
const TELLING: usize = 4;

/// Words that a serial number follows, in capitals or not: the kernel's, the command line's and
/// the configuration's.
const WORDS: [&str; 6] =
    ["serialnumber:", "serial number:", "serialno=", "serial=", "serial =", "\"serial\":"];

/// Serial numbers to take out.
#[derive(Debug, Default)]
pub struct Serials(BTreeSet<String>);

impl Serials {
    /// Those of DACs with these names, `usb:VENDOR:PRODUCT:SERIAL`.
    pub fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let serial = |name: &'a str| name.strip_prefix("usb:")?.splitn(3, ':').nth(2);
        Self(names.filter_map(serial).map(str::to_owned).collect())
    }

    /// The text without them, and without whatever else stands where a serial number does.
    pub fn without(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for serial in self.0.iter().filter(|serial| serial.len() >= TELLING) {
            // As it is, and as JSON writes it.
            let json = serde_json::Value::from(serial.as_str()).to_string();
            for form in [json.trim_matches('"'), serial] {
                text = text.replace(form, REMOVED);
            }
        }
        // What is not known by the list of DACs, or too short to be looked for everywhere.
        let text = behind_identities(&text);
        let lines: Vec<_> = text.split('\n').map(behind_words).collect();
        lines.join("\n")
    }
}

/// `usb:1234:abcd:SERIAL` → `usb:1234:abcd:[removed]`.
fn behind_identities(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("usb:") {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        let identity = identity(found);
        out.push_str(&found[..identity.max(4)]);
        rest = &found[identity.max(4)..];
        if identity > 0 {
            let removed = rest.starts_with(REMOVED).then_some(REMOVED.len());
            let end = removed.unwrap_or_else(|| rest.find(ends).unwrap_or(rest.len()));
            if end > 0 {
                out.push_str(REMOVED);
            }
            rest = &rest[end..];
        }
    }
    out + rest
}

/// The length of `usb:1234:abcd:` at the beginning; 0 when it is something else.
fn identity(text: &str) -> usize {
    let bytes = text.as_bytes();
    let number = |from: usize| {
        bytes.get(from..from + 4).is_some_and(|four| four.iter().all(u8::is_ascii_hexdigit))
            && bytes.get(from + 4) == Some(&b':')
    };
    if number(4) && number(9) { 14 } else { 0 }
}

fn ends(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | ',' | ';' | ')' | ']' | '\\')
}

/// A line with nothing behind a word that a serial number follows.
fn behind_words(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let word = |word: &str| lower.find(word).map(|at| at + word.len());
    let Some(at) = WORDS.iter().filter_map(|w| word(w)).min() else { return line.to_owned() };
    let (before, after) = line.split_at(at);
    // One word of a command line; everything else to the end.
    let value = after.trim_start_matches([' ', '"', '\'']);
    let end = value.find(ends).unwrap_or(value.len());
    let gap = &after[..after.len() - value.len()];
    let rest = if before.ends_with('=') { behind_words(&value[end..]) } else { String::new() };
    format!("{before}{gap}{REMOVED}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_taken_out_wherever_they_stand() {
        let names = ["usb:1234:abcd:SN 0042\"X9", "usb:1234:abcd", "hw:DAC,0", "usb:1:2:7"];
        let serials = Serials::of(names.into_iter());
        for (text, wanted) in [
            ("\"name\": \"usb:1234:abcd:SN 0042\\\"X9\",", "\"name\": \"usb:1234:abcd:[removed]"),
            ("the DAC SN 0042\"X9 is open", "the DAC [removed] is open"),
            (
                "usb:0000:ffff:ANOTHER, usb:1234:abcd: and usb:x",
                "usb:0000:ffff:[removed], usb:1234:abcd: and usb:x",
            ),
            ("kernel: usb 1-1: SerialNumber: 77 88", "kernel: usb 1-1: SerialNumber: [removed]"),
            (
                "root=/dev/x androidboot.serialno=142 quiet",
                "root=/dev/x androidboot.serialno=[removed] quiet",
            ),
            ("serial = \"X1\"", "serial = \"[removed]"),
            ("usb:1234:abcd is 7 and ÄÖ", "usb:1234:abcd is 7 and ÄÖ"),
        ] {
            let found = serials.without(text);
            assert!(found.starts_with(wanted), "{text} became {found}");
            assert!(!found.contains("0042"), "{found}");
        }
    }

    #[test]
    fn any_text_is_taken() {
        for text in [
            "",
            "usb:",
            "usb:1234",
            "usb:1234:abcd:",
            "usb:ä234:abcd:x",
            "serial=",
            "serialno=\nserial=",
        ] {
            let _ = Serials::default().without(text);
        }
    }
}
