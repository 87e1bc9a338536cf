//! What systemd says of the three services and of the boot.

use std::time::Duration;

use totton_audio_check::answers::run;
use totton_audio_check::systemd;
pub use totton_audio_check::systemd::{Milestone, UNITS, Unit};

use crate::problem::Problem;

/// Longest wait for systemd.
const ANSWER: Duration = Duration::from_secs(10);

/// Asks systemd.
///
/// # Errors
/// 500 when systemd cannot be asked.
pub fn ask() -> Result<(Vec<Unit>, Vec<Milestone>), Problem> {
    let systemctl = |arguments: &[&str]| run("systemctl", arguments, ANSWER);
    let failed =
        |reason: totton_audio_check::answers::Unanswered| Problem::failed(reason.to_string());
    let units = systemd::services(&systemd::properties(&systemctl).map_err(failed)?);
    let manager = systemd::manager(&systemctl).map_err(failed)?;
    let milestones = systemd::milestones(&units, &manager);
    Ok((units, milestones))
}
