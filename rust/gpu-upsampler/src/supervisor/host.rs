//! Which rate the host has chosen: hosts probe rates when they are plugged in,
//! so one is believed only once it has stood for a while.

use std::time::{Duration, Instant};

/// How long a rate must stand.
pub(super) const SETTLED_AFTER: Duration = Duration::from_millis(50);

/// The host's rate, as last seen, and since when.
#[derive(Debug, Default)]
pub(super) struct HostRate {
    seen: Option<(u32, Instant)>,
}

impl HostRate {
    /// Takes what is seen at `now`; tells the rate in Hz if it can be believed.
    pub(super) fn settled(&mut self, now: Instant, seen: Option<u32>) -> Option<u32> {
        let rate = seen?;
        match self.seen {
            Some((last, since)) if last == rate => {
                (now.duration_since(since) >= SETTLED_AFTER).then_some(rate)
            }
            _ => {
                self.seen = Some((rate, now));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_believed_once_it_has_stood() {
        let (mut host, start) = (HostRate::default(), Instant::now());
        let mut at = |ms, seen| host.settled(start + Duration::from_millis(ms), seen);
        assert_eq!(at(0, Some(44_100)), None);
        assert_eq!(at(30, Some(48_000)), None, "probing");
        assert_eq!(at(60, Some(44_100)), None, "probing");
        assert_eq!(at(90, None), None, "silent in between, as at each change of rate");
        assert_eq!(at(109, Some(44_100)), None);
        assert_eq!(at(110, Some(44_100)), Some(44_100));
        assert_eq!(at(5000, Some(44_100)), Some(44_100), "after a pause at once");
    }
}
