//! What systemd says of the three services and of the boot.

use std::collections::HashMap;
use std::process::{Command, Stdio};

use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;

/// The product's services, in the order in which they start.
pub const UNITS: [&str; 3] = ["totton-audio-gadget", "gpu-upsampler", "totton-audio-web"];

/// One service.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Unit {
    /// Name without `.service`.
    pub name: String,
    /// systemd's state: `active`, `failed`, `activating`, …
    pub state: String,
    /// The finer state: `running`, `exited`, …
    pub sub_state: String,
    /// The service's own words about what it does, where it tells.
    pub status_text: Option<String>,
    /// How its last run ended: `success`, `exit-code`, `watchdog`, …
    pub result: String,
    /// Times that systemd started it again.
    pub restarts: u64,
    /// Seconds from the kernel's start until it was ready; none while it is not.
    pub ready_seconds: Option<f64>,
    /// Bytes of memory that it uses, where that is counted.
    pub memory_bytes: Option<u64>,
    /// Processor seconds that it has used, where they are counted.
    pub cpu_seconds: Option<f64>,
}

/// A point of the boot.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Milestone {
    /// `userspace`, `gadget`, `audio`, `web` or `finished`.
    pub name: &'static str,
    /// Seconds from the kernel's start; none while it is not reached.
    pub seconds: Option<f64>,
    /// The time that it is to be reached in, in seconds, where there is one.
    pub budget_seconds: Option<f64>,
}

/// Asks systemd.
///
/// # Errors
/// 500 when systemd cannot be asked.
pub fn ask() -> Result<(Vec<Unit>, Vec<Milestone>), Problem> {
    const PROPERTIES: &str = "--property=Id,ActiveState,SubState,StatusText,Result,NRestarts,\
         ActiveEnterTimestampMonotonic,MemoryCurrent,CPUUsageNSec";
    let mut arguments = vec!["show".to_owned(), PROPERTIES.to_owned()];
    arguments.extend(UNITS.iter().map(|unit| format!("{unit}.service")));
    let units = parse(&systemctl(&arguments)?);
    let manager = systemctl(&[
        "show".to_owned(),
        "--property=UserspaceTimestampMonotonic,FinishTimestampMonotonic".to_owned(),
    ])?;
    let manager = blocks(&manager).into_iter().next().unwrap_or_default();
    let ready = |name| units.iter().find(|unit| unit.name == name).and_then(|u| u.ready_seconds);
    let milestones = vec![
        milestone("userspace", seconds(&manager, "UserspaceTimestampMonotonic"), None),
        milestone("gadget", ready(UNITS[0]), Some(10.0)),
        milestone("audio", ready(UNITS[1]), Some(30.0)),
        milestone("web", ready(UNITS[2]), Some(35.0)),
        milestone("finished", seconds(&manager, "FinishTimestampMonotonic"), None),
    ];
    Ok((units, milestones))
}

/// Reads what `systemctl show` prints of services.
pub fn parse(text: &str) -> Vec<Unit> {
    blocks(text).iter().map(unit).collect()
}

fn milestone(name: &'static str, at: Option<f64>, budget: Option<f64>) -> Milestone {
    Milestone { name, seconds: at, budget_seconds: budget }
}

fn systemctl(arguments: &[String]) -> Result<String, Problem> {
    let failed = |reason: String| Problem::failed(format!("systemctl show: {reason}"));
    let output = Command::new("systemctl")
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

type Properties = HashMap<String, String>;

/// `KEY=VALUE` lines; an empty line ends a unit.
fn blocks(text: &str) -> Vec<Properties> {
    text.split("\n\n")
        .map(|block| {
            let pairs = block.lines().filter_map(|line| line.split_once('='));
            pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
        })
        .filter(|block: &Properties| !block.is_empty())
        .collect()
}

/// A time of the monotonic clock; 0 is "never".
fn seconds(properties: &Properties, key: &str) -> Option<f64> {
    let microseconds: u64 = properties.get(key)?.parse().ok()?;
    (microseconds > 0).then_some(microseconds as f64 / 1e6)
}

fn unit(properties: &Properties) -> Unit {
    let text = |key: &str| properties.get(key).cloned().unwrap_or_default();
    let number = |key: &str| text(key).parse::<u64>().ok().filter(|number| *number != u64::MAX);
    let active = text("ActiveState") == "active";
    Unit {
        name: text("Id").trim_end_matches(".service").to_owned(),
        state: text("ActiveState"),
        sub_state: text("SubState"),
        status_text: Some(text("StatusText")).filter(|text| !text.is_empty()),
        result: text("Result"),
        restarts: number("NRestarts").unwrap_or(0),
        ready_seconds: seconds(properties, "ActiveEnterTimestampMonotonic").filter(|_| active),
        memory_bytes: number("MemoryCurrent"),
        cpu_seconds: number("CPUUsageNSec").map(|nanoseconds| nanoseconds as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemctl_shows_is_read() {
        let text = "Id=gpu-upsampler.service\nActiveState=active\nSubState=running\n\
                    StatusText=streaming: 44100 -> 705600\nResult=success\nNRestarts=2\n\
                    ActiveEnterTimestampMonotonic=5500000\nMemoryCurrent=1048576\n\
                    CPUUsageNSec=18446744073709551615\n\nId=totton-audio-web.service\n\
                    ActiveState=failed\nActiveEnterTimestampMonotonic=6000000\nMemoryCurrent=[not set]\n";
        let units = parse(text);
        assert_eq!(units.len(), 2);
        assert_eq!(units[0].name, "gpu-upsampler");
        assert_eq!(units[0].ready_seconds, Some(5.5));
        assert_eq!((units[0].restarts, units[0].memory_bytes), (2, Some(1 << 20)));
        assert_eq!(units[0].cpu_seconds, None);
        assert_eq!(units[0].status_text.as_deref(), Some("streaming: 44100 -> 705600"));
        assert_eq!((units[1].ready_seconds, units[1].memory_bytes), (None, None));
    }
}
