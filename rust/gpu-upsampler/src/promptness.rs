//! How soon something is done: a histogram that any thread adds to without a lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use totton_protocol::Delays;

/// Upper bounds of the classes.
pub const BOUNDS: [Duration; 12] = {
    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }
    [
        ms(1),
        ms(2),
        ms(5),
        ms(10),
        ms(20),
        ms(50),
        ms(100),
        ms(200),
        ms(500),
        ms(1000),
        ms(2000),
        ms(10_000),
    ]
};

/// Counts by class; the last class is for what took longer than the last bound.
#[derive(Debug, Default)]
pub(crate) struct Classes {
    counts: [AtomicU64; BOUNDS.len() + 1],
    longest: AtomicU64,
}

impl Classes {
    /// Notes what took `time`.
    pub(crate) fn note(&self, time: Duration) {
        let class = BOUNDS.partition_point(|bound| *bound < time);
        self.counts[class].fetch_add(1, Relaxed);
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.longest.fetch_max(nanoseconds, Relaxed);
    }

    pub(crate) fn to_message(&self) -> Delays {
        Delays {
            counts: self.counts.iter().map(|count| count.load(Relaxed)).collect(),
            longest_seconds: self.longest.load(Relaxed) as f64 * 1e-9,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_falls_into_the_class_whose_bound_it_does_not_pass() {
        let classes = Classes::default();
        for milliseconds in [0, 1, 3, 50, 51, 60_000] {
            classes.note(Duration::from_millis(milliseconds));
        }
        let found = classes.to_message();
        assert_eq!(found.counts, [2, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1]);
        assert!((found.longest_seconds - 60.0).abs() < 1e-9);
    }
}
