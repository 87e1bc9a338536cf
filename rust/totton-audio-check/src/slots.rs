//! What the slot program says. This is all that is known of it here: the fields of
//! `totton-audio-slot status --json` that matter, or its words where it knows no JSON.

use serde::Deserialize;

use crate::answers::Unanswered;
use crate::device::{Device, Unread};

/// The program; `status` only reads.
pub const PROGRAM: &str = "/usr/local/bin/totton-audio-slot";

/// The slots as they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    /// In one line.
    pub words: String,
    /// Whether the running slot is on trial.
    pub trial: bool,
    /// Whether the other slot was tried in vain, or the box was in the firmware's recovery mode.
    pub lost: bool,
}

/// Why nothing is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// This system has no slots.
    NoSlots(String),
    Unread(Unread),
}

#[derive(Deserialize)]
struct Status {
    running: String,
    next: String,
    on_trial: bool,
    lost: Option<Lost>,
    #[serde(default)]
    recoveries: u32,
}

#[derive(Deserialize)]
struct Lost {
    slot: String,
}

impl From<Status> for Slots {
    fn from(status: Status) -> Self {
        let Status { running, next, on_trial, lost, recoveries } = status;
        let mut words = format!("{running} runs");
        if on_trial {
            words += ", on trial";
        }
        if next != running {
            words += &format!("; {next} is next");
        }
        if let Some(Lost { slot }) = &lost {
            words += &format!("; {slot} did not come up");
        }
        if recoveries > 0 {
            words += &format!("; came out of the firmware's recovery mode {recoveries} times");
        }
        Self { words, trial: on_trial, lost: lost.is_some() || recoveries > 0 }
    }
}

/// Asks the program.
///
/// # Errors
/// When it cannot be asked, or knows of no slots.
pub fn read(device: &Device) -> Result<Slots, Unknown> {
    let said = match device.run(PROGRAM, &["status", "--json"]) {
        Ok(said) => said,
        Err(Unanswered::Absent(words)) => return Err(Unknown::NoSlots(words)),
        Err(unanswered) => return Err(Unknown::Unread(unanswered.into())),
    };
    let out = said.out.trim();
    if !said.success || out.is_empty() {
        let words = said.err.trim().to_owned();
        return Err(if words.contains("has no slots") {
            Unknown::NoSlots(words)
        } else if words.contains("ermission denied") {
            Unknown::Unread(Unread::NeedsRoot(words))
        } else {
            Unknown::Unread(Unread::Failed(words))
        });
    }
    if out.starts_with('{') {
        let status: Status = serde_json::from_str(out).map_err(|error| {
            Unknown::Unread(Unread::Failed(format!("{PROGRAM} status --json: {error}")))
        })?;
        return Ok(status.into());
    }
    let lines: Vec<_> = out.lines().map(str::trim).collect();
    Ok(Slots {
        words: lines.join("; "),
        trial: lines.contains(&"on trial: yes"),
        lost: lines.iter().any(|line| line.contains("did not come up")),
    })
}
