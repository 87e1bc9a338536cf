//! What the machine tells of itself: its clock, its memory, its thermometers.
//!
//! - [`clock`]: whether the system's clock was set
//! - [`memory`]: what the process uses, and the service's limit
//! - [`thermal`]: the board's thermometers

pub mod clock;
pub mod memory;
pub mod thermal;

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use totton_protocol::{FaultKind, Memory, Temperature};

use self::clock::ClockWatch;
use self::memory::MemoryWatch;

/// How often the machine is asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// What the machine said last.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub temperatures: Vec<Temperature>,
    pub memory: Option<Memory>,
}

/// Asks the machine once a second.
pub struct Watch {
    due: Instant,
    clock: ClockWatch,
    memory: MemoryWatch,
    report: Report,
}

impl Watch {
    /// Begins to watch.
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            due: now,
            clock: ClockWatch::new(SystemTime::now(), now),
            memory: MemoryWatch::of_this_process(Path::new("/")),
            report: Report::default(),
        }
    }

    /// What the machine says, not older than a second; `tell` hears what is wrong.
    pub fn look(&mut self, mut tell: impl FnMut(FaultKind, &str)) -> &Report {
        let now = Instant::now();
        if now >= self.due {
            self.due = now + INTERVAL;
            if let Some(step) = self.clock.step(SystemTime::now(), now) {
                let message = format!("the system's clock was set by {step:+.1} s; sound goes on");
                tell(FaultKind::ClockStep, &message);
            }
            if let Some(message) = self.memory.limit_was_reached() {
                tell(FaultKind::MemoryLimit, &message);
            }
            self.report.memory = self.memory.read();
            self.report.temperatures = thermal::read(Path::new("/sys/class/thermal"));
        }
        &self.report
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}
