//! What the slot program says. This is all that is known of it here: its words for people, which
//! its documentation keeps.

use crate::answers::Unanswered;
use crate::device::{Device, Unread};

/// The program; `status` only reads.
pub const PROGRAM: &str = "/usr/local/bin/totton-audio-slot";

/// The slots as they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    /// What the program says, in one line.
    pub words: String,
    /// Whether the running slot is on trial.
    pub trial: bool,
    /// Whether the other slot was tried in vain.
    pub lost: bool,
}

/// Why nothing is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// This system has no slots.
    NoSlots(String),
    Unread(Unread),
}

/// Asks the program.
///
/// # Errors
/// When it cannot be asked, or knows of no slots.
pub fn read(device: &Device) -> Result<Slots, Unknown> {
    let said = match device.run(PROGRAM, &["status"]) {
        Ok(said) => said,
        Err(Unanswered::Absent(words)) => return Err(Unknown::NoSlots(words)),
        Err(unanswered) => return Err(Unknown::Unread(unanswered.into())),
    };
    let lines: Vec<_> = said.out.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if !said.success || lines.is_empty() {
        let words = said.err.trim().to_owned();
        return Err(if words.contains("has no slots") {
            Unknown::NoSlots(words)
        } else if words.contains("ermission denied") {
            Unknown::Unread(Unread::NeedsRoot(words))
        } else {
            Unknown::Unread(Unread::Failed(words))
        });
    }
    Ok(Slots {
        words: lines.join("; "),
        trial: lines.contains(&"on trial: yes"),
        lost: lines.iter().any(|line| line.contains("did not come up")),
    })
}
