//! Whether the system's clock was set.
//!
//! Nothing in the daemon reckons with that clock, so sound does not mind. The
//! journal's times jump, though, and whoever reads it should know why.

use std::time::{Duration, Instant, SystemTime};

/// Less is the slewing of a time service, or a thread that was held up between two questions.
const LEAST: Duration = Duration::from_secs(1);

/// Compares the system's clock with the one that only counts.
#[derive(Debug)]
pub struct ClockWatch {
    wall: SystemTime,
    counting: Instant,
}

impl ClockWatch {
    /// Both clocks, now.
    pub fn new(wall: SystemTime, counting: Instant) -> Self {
        Self { wall, counting }
    }

    /// By how many seconds the system's clock was set since the last call, if it was.
    pub fn step(&mut self, wall: SystemTime, counting: Instant) -> Option<f64> {
        let passed = counting.duration_since(self.counting);
        let expected = self.wall + passed;
        (self.wall, self.counting) = (wall, counting);
        let step = match wall.duration_since(expected) {
            Ok(forward) => forward.as_secs_f64(),
            Err(backward) => -backward.duration().as_secs_f64(),
        };
        (step.abs() >= LEAST.as_secs_f64()).then_some(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_either_way_are_told_once_and_slewing_is_not() {
        let (wall, counting) = (SystemTime::now(), Instant::now());
        let seconds = Duration::from_secs;
        let mut watch = ClockWatch::new(wall, counting);
        assert_eq!(watch.step(wall + seconds(10), counting + seconds(10)), None);
        assert_eq!(watch.step(wall + seconds(3611), counting + seconds(11)), Some(3600.0));
        assert_eq!(watch.step(wall + seconds(3612), counting + seconds(12)), None);
        assert_eq!(watch.step(wall + seconds(13), counting + seconds(13)), Some(-3600.0));
        let slewed = wall + Duration::from_millis(14_500);
        assert_eq!(watch.step(slewed, counting + seconds(14)), None);
    }
}
