//! The time of day, for what lasts: it does not jump when the system's clock is set.
//!
//! What is kept over a restart needs a time of day, since the clock that only counts begins anew.
//! But the system's clock may be set by years, while the service runs.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What the system's clock showed at a moment, and the counting clock since.
#[derive(Debug, Clone, Copy)]
pub struct Steady {
    /// Since 1970.
    base: Duration,
    at: Instant,
}

impl Steady {
    /// As the system's clock goes now.
    pub fn new(wall: SystemTime, counting: Instant) -> Self {
        Self { base: wall.duration_since(UNIX_EPOCH).unwrap_or_default(), at: counting }
    }

    /// Seconds since 1970, as if nobody had set the system's clock.
    pub fn seconds(&self, counting: Instant) -> u64 {
        (self.base + counting.saturating_duration_since(self.at)).as_secs()
    }

    /// Takes the time of the system's clock from now on; by how many seconds that is a jump.
    pub fn follow(&mut self, wall: SystemTime, counting: Instant) -> i64 {
        let before = self.seconds(counting);
        *self = Self::new(wall, counting);
        // Both are far below 2^63 seconds.
        self.seconds(counting).cast_signed().saturating_sub(before.cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_whatever_the_clock_is_set_to_until_it_follows() {
        let (wall, counting) = (UNIX_EPOCH + Duration::from_secs(1_790_000_000), Instant::now());
        let later = |seconds| counting + Duration::from_secs(seconds);
        let mut steady = Steady::new(wall, counting);
        assert_eq!(steady.seconds(later(10)), 1_790_000_010);
        let years = Duration::from_secs(3 * 31_557_600);
        assert_eq!(steady.follow(wall + years, later(20)), 3 * 31_557_600 - 20);
        assert_eq!(steady.seconds(later(30)), 1_790_000_010 + 3 * 31_557_600);
        assert_eq!(steady.follow(wall, later(40)), -3 * 31_557_600 - 20);
        assert_eq!(steady.follow(wall + Duration::from_secs(5), later(45)), 0);
    }
}
