//! Log lines that a client causes, at a bounded rate: whoever sends a flood must not fill the
//! journal with it, and push out what the owner looks for.

use std::sync::Mutex;
use std::time::Instant;

use super::pace::{Bucket, Size};

/// So many lines at once, then one in five seconds.
const LINES: Size = Size { most: 20.0, each_second: 0.2 };

#[derive(Debug, Default)]
struct State {
    bucket: Option<Bucket>,
    left_out: u64,
}

/// One kind of lines.
#[derive(Debug, Default)]
pub struct LogPace(Mutex<State>);

impl LogPace {
    /// Logs a warning, or counts it; the next that is logged says how many were left out.
    pub fn warn(&self, now: Instant, line: impl FnOnce() -> String) {
        match self.pass(now) {
            Some(0) => log::warn!("{}", line()),
            Some(left_out) => log::warn!("{} ({left_out} such lines were left out)", line()),
            None => {}
        }
    }

    /// How many were left out, when the next may be logged.
    fn pass(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().ok()?;
        let bucket = state.bucket.get_or_insert_with(|| Bucket::full(LINES, now));
        if bucket.take(LINES, now).is_ok() {
            return Some(std::mem::take(&mut state.left_out));
        }
        state.left_out += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_of_lines_is_counted_instead() {
        let (pace, now) = (LogPace::default(), Instant::now());
        let logged = (0..1000).filter(|_| pace.pass(now).is_some()).count();
        assert_eq!(logged, 20);
        assert_eq!(pace.pass(now + Duration::from_secs(5)), Some(980));
        assert_eq!(pace.pass(now + Duration::from_secs(5)), None);
        assert_eq!(pace.pass(now + Duration::from_secs(3600)), Some(1));
        assert_eq!(pace.pass(now + Duration::from_secs(3600)), Some(0));
    }
}
