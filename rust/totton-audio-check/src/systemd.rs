//! What systemd says of the three services and of the boot.

use std::collections::HashMap;

use serde::Serialize;

use crate::answers::{Said, Unanswered};

/// The product's services, in the order in which they start.
pub const UNITS: [&str; 3] = ["totton-audio-gadget", "gpu-upsampler", "totton-audio-web"];

/// NVIDIA's confirmation of a start, which ours replaces.
pub const NVIDIA_VERIFIER: &str = "nv_update_verifier.service";

/// `KEY=VALUE` of one unit.
pub type Properties = HashMap<String, String>;

/// Runs `systemctl` with these arguments.
pub type Systemctl<'a> = dyn Fn(&[&str]) -> Result<Said, Unanswered> + 'a;

/// One service.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Milestone {
    /// `userspace`, `gadget`, `audio`, `web` or `finished`.
    pub name: &'static str,
    /// Seconds from the kernel's start; none while it is not reached.
    pub seconds: Option<f64>,
    /// The time that it is to be reached in, in seconds, where there is one.
    pub budget_seconds: Option<f64>,
}

/// Asks for the properties of the product's units, and of NVIDIA's verifier.
///
/// # Errors
/// When systemd cannot be asked.
pub fn properties(systemctl: &Systemctl) -> Result<Vec<Properties>, Unanswered> {
    const PROPERTIES: &str = "--property=Id,LoadState,ActiveState,SubState,StatusText,Result,NRestarts,\
         ActiveEnterTimestampMonotonic,MemoryCurrent,CPUUsageNSec,MainPID,UnitFileState";
    let names = UNITS.map(|unit| format!("{unit}.service"));
    let mut arguments = vec!["show", PROPERTIES];
    arguments.extend(names.iter().map(String::as_str));
    arguments.push(NVIDIA_VERIFIER);
    Ok(blocks(&ask(systemctl, &arguments)?))
}

/// Asks for the properties of systemd itself.
///
/// # Errors
/// When systemd cannot be asked.
pub fn manager(systemctl: &Systemctl) -> Result<Properties, Unanswered> {
    const PROPERTIES: &str = "--property=UserspaceTimestampMonotonic,FinishTimestampMonotonic,\
         RuntimeWatchdogUSec,WatchdogDevice,WatchdogLastPingTimestampMonotonic";
    Ok(blocks(&ask(systemctl, &["show", PROPERTIES])?).into_iter().next().unwrap_or_default())
}

/// Reads what `systemctl show` prints of units.
#[must_use]
pub fn parse(text: &str) -> Vec<Unit> {
    blocks(text).iter().map(unit).collect()
}

/// The product's services among units.
#[must_use]
pub fn services(units: &[Properties]) -> Vec<Unit> {
    units.iter().map(unit).filter(|unit| UNITS.contains(&unit.name.as_str())).collect()
}

/// The points of the boot.
#[must_use]
pub fn milestones(services: &[Unit], manager: &Properties) -> Vec<Milestone> {
    let ready = |name| services.iter().find(|unit| unit.name == name).and_then(|u| u.ready_seconds);
    vec![
        milestone("userspace", seconds(manager, "UserspaceTimestampMonotonic"), None),
        milestone("gadget", ready(UNITS[0]), Some(10.0)),
        milestone("audio", ready(UNITS[1]), Some(30.0)),
        milestone("web", ready(UNITS[2]), Some(35.0)),
        milestone("finished", seconds(manager, "FinishTimestampMonotonic"), None),
    ]
}

fn milestone(name: &'static str, at: Option<f64>, budget: Option<f64>) -> Milestone {
    Milestone { name, seconds: at, budget_seconds: budget }
}

/// What `systemctl` says, when it ends well.
///
/// # Errors
/// When it does not.
pub fn ask(systemctl: &Systemctl, arguments: &[&str]) -> Result<String, Unanswered> {
    let said = systemctl(arguments)?;
    if said.success {
        return Ok(said.out);
    }
    Err(Unanswered::Failed(format!("systemctl {}: {}", arguments[0], said.err.trim())))
}

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
                    ActiveState=failed\nActiveEnterTimestampMonotonic=6000000\nMemoryCurrent=[not set]\n\n\
                    Id=nv_update_verifier.service\nLoadState=not-found\nActiveState=inactive\n";
        let units = services(&blocks(text));
        assert_eq!(units.len(), 2);
        assert_eq!(units[0].name, "gpu-upsampler");
        assert_eq!(units[0].ready_seconds, Some(5.5));
        assert_eq!((units[0].restarts, units[0].memory_bytes), (2, Some(1 << 20)));
        assert_eq!(units[0].cpu_seconds, None);
        assert_eq!(units[0].status_text.as_deref(), Some("streaming: 44100 -> 705600"));
        assert_eq!((units[1].ready_seconds, units[1].memory_bytes), (None, None));
        let boot = milestones(&units, &Properties::new());
        assert_eq!(
            (boot[2].seconds, boot[2].budget_seconds, boot[3].seconds),
            (Some(5.5), Some(30.0), None)
        );
    }
}
