//! The steps, one file a subject. Each is a function that looks at the device, in a thread of
//! its own: what hangs is left behind.

mod board;
mod gpu;
mod services;
mod sound;
mod start;
mod storage;
mod time;
mod usb;

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::VERSION;
use crate::device::{Device, Machine, Unread};
use crate::report::{Group, Report, Step, Verdict};

/// Longest wait for one step.
pub const STEP: Duration = Duration::from_secs(10);

/// Longest wait for all: what has not begun by then is not looked at.
pub const ALL: Duration = Duration::from_secs(40);

/// The most characters of what is told of a step.
const LINE: usize = 500;

/// A step before it is taken.
pub struct Plan {
    pub id: &'static str,
    pub group: Group,
    pub title: &'static str,
    pub expected: &'static str,
    /// Whether only a Jetson has what is looked at.
    pub jetson: bool,
    pub look: fn(&Device) -> Result<Finding, Unread>,
}

/// What a step found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub verdict: Verdict,
    pub found: String,
    pub why: Option<String>,
    pub action: Option<String>,
}

impl Finding {
    /// As expected.
    pub fn ok(found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, found: found.into(), why: None, action: None }
    }

    /// Worth a look; `action` says what to do.
    pub fn warning(found: impl Into<String>, action: impl Into<String>) -> Self {
        let action = Some(action.into());
        Self { verdict: Verdict::Warning, found: found.into(), why: None, action }
    }

    /// Not as expected; `action` says what to do.
    pub fn failed(found: impl Into<String>, action: impl Into<String>) -> Self {
        Self { verdict: Verdict::Failed, ..Self::warning(found, action) }
    }

    /// There is nothing to judge here.
    pub fn not_here(found: impl Into<String>, why: impl Into<String>) -> Self {
        let why = Some(why.into());
        Self { verdict: Verdict::NotHere, found: found.into(), why, action: None }
    }
}

impl From<Unread> for Finding {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::NeedsRoot(words) => {
                Self::not_here("", format!("needs root ({words}): run totton-audio-check as root"))
            }
            Unread::Missing(words) => Self::failed(
                words,
                "The kernel or the image lacks it: see journalctl -b -k, and report it.",
            ),
            Unread::Failed(words) => {
                Self::failed(words, "It could not be read: see journalctl -b, and report it.")
            }
        }
    }
}

/// All steps, in the order in which a first board is gone through.
pub fn plans() -> impl Iterator<Item = &'static Plan> {
    [start::PLANS, storage::PLANS, services::PLANS, usb::PLANS, gpu::PLANS, sound::PLANS]
        .into_iter()
        .chain([time::PLANS, board::PLANS])
        .flatten()
}

/// Takes every step.
pub fn check(device: Device) -> Report {
    take(plans(), &Arc::new(device), STEP, ALL)
}

/// Takes these steps, each at most `one` long and all of them at most `all`.
pub fn take<'a>(
    plans: impl Iterator<Item = &'a Plan>,
    device: &Arc<Device>,
    one: Duration,
    all: Duration,
) -> Report {
    let end = Instant::now() + all;
    let machine = device.machine();
    let model = device.model();
    let steps: Vec<_> = plans
        .map(|plan| {
            let left = one.min(end.saturating_duration_since(Instant::now()));
            let finding = if plan.jetson && machine != Machine::Jetson {
                Finding::not_here("", format!("only a Jetson has this; this is {model}"))
            } else {
                limited(plan, device, left)
            };
            step(plan, finding)
        })
        .collect();
    let failed = steps.iter().any(|step| step.verdict == Verdict::Failed);
    Report { version: VERSION.to_owned(), model, failed, steps }
}

fn limited(plan: &Plan, device: &Arc<Device>, limit: Duration) -> Finding {
    if limit.is_zero() {
        return Finding::failed(
            "not looked at: the steps before took too long",
            "See which of the steps above had no answer, and mend that first.",
        );
    }
    let (send, receive) = mpsc::channel();
    let (look, device) = (plan.look, Arc::clone(device));
    thread::spawn(move || {
        // Nobody listens any more once the limit has passed.
        let _ = send.send(look(&device).unwrap_or_else(Finding::from));
    });
    receive.recv_timeout(limit).unwrap_or_else(|error| match error {
        RecvTimeoutError::Timeout => Finding::failed(
            format!("no answer within {} s", limit.as_secs_f64().ceil()),
            "A driver or a service hangs: see journalctl -b -p warning, and report it.",
        ),
        RecvTimeoutError::Disconnected => Finding::failed(
            "the step itself failed",
            "This is a fault of totton-audio-check: report it with what it wrote to stderr.",
        ),
    })
}

fn step(plan: &Plan, finding: Finding) -> Step {
    Step {
        id: plan.id.to_owned(),
        group: plan.group,
        title: plan.title.to_owned(),
        expected: plan.expected.to_owned(),
        found: line(&finding.found),
        verdict: finding.verdict,
        why: finding.why.as_deref().map(line),
        action: finding.action,
    }
}

/// What a program or a device says, in one line and of a bounded length.
fn line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !c.is_control()).take(LINE).collect()
}

#[cfg(test)]
mod tests;
