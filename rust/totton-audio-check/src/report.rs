//! The report: steps with what was expected and found.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As expected.
    Ok,
    /// The box works, and something is worth a look.
    Warning,
    /// Not as expected.
    Failed,
    /// There is nothing to judge here: `why` says why.
    NotHere,
}

impl Verdict {
    fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "FAILED",
            Self::NotHere => "not here",
        }
    }
}

/// What a step is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    Start,
    Storage,
    Services,
    Usb,
    Gpu,
    Sound,
    RealTime,
    Time,
    Slots,
    Board,
}

impl Group {
    fn title(self) -> &'static str {
        match self {
            Self::Start => "Start",
            Self::Storage => "Storage",
            Self::Services => "Services",
            Self::Usb => "USB port to the computer",
            Self::Gpu => "GPU",
            Self::Sound => "Sound out",
            Self::RealTime => "Real time",
            Self::Time => "Clocks",
            Self::Slots => "Slots and firmware",
            Self::Board => "Board",
        }
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = CheckStep))]
pub struct Step {
    /// Its lasting name.
    pub id: String,
    /// What it is about.
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub group: Group,
    /// Its name for people.
    pub title: String,
    /// What a board in good order shows.
    pub expected: String,
    /// What was found; empty where there was nothing to look at.
    pub found: String,
    #[cfg_attr(feature = "openapi", schema(inline))]
    pub verdict: Verdict,
    /// Why there is nothing to judge here.
    pub why: Option<String>,
    /// What to do about a warning or a failure.
    pub action: Option<String>,
}

/// Everything that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = CheckReport))]
pub struct Report {
    /// Version of the program.
    pub version: String,
    /// The board's name for itself, or `unknown`.
    pub model: String,
    /// Whether some step failed.
    pub failed: bool,
    /// The steps, those of one group together.
    pub steps: Vec<Step>,
}

impl Report {
    /// How many steps ended so.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.steps.iter().filter(|step| step.verdict == verdict).count()
    }

    /// 0, or 1 when some step failed. Warnings, and what is not here, fail nothing.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        u8::from(self.failed)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Totton Audio {} on {}", self.version, self.model)?;
        let mut group = None;
        for step in &self.steps {
            if group != Some(step.group) {
                group = Some(step.group);
                writeln!(f, "\n{}", step.group.title())?;
            }
            write!(f, "  {:<9} {:<24} {}", step.verdict.label(), step.title, step.found)?;
            if let Some(why) = &step.why {
                write!(f, "{}{why}", if step.found.is_empty() { "" } else { ": " })?;
            }
            writeln!(f)?;
            if let Some(action) = &step.action {
                writeln!(f, "  {:9} {:24} expected: {}", "", "", step.expected)?;
                writeln!(f, "  {:9} {:24} do: {action}", "", "")?;
            }
        }
        write!(
            f,
            "\n{} steps: {} ok, {} warnings, {} failed, {} not here",
            self.steps.len(),
            self.count(Verdict::Ok),
            self.count(Verdict::Warning),
            self.count(Verdict::Failed),
            self.count(Verdict::NotHere)
        )
    }
}
