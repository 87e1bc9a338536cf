//! Wrong passwords make their sender wait.
//!
//! A row of wrong ones is counted for the browser that was logged in before, by a cookie of
//! its own (OWASP's device cookies), and for everybody else by the address. So whoever
//! guesses from the owner's own computer, a program there included, does not lock out the
//! owner's browser; and a cookie that was stolen has no more tries than anybody.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;

use super::pace::network;
use crate::problem::Problem;

/// Wrong passwords in a row that cost nothing.
pub const FREE_TRIES: u32 = 5;

/// The first wait after those; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(15);
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// The most senders whose failures are remembered.
const SENDERS: usize = 1024;

/// Whose row of wrong passwords it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Sender {
    /// SHA-256 of a cookie that this device gave: of a browser, or of a session.
    Cookie(String),
    /// An address, as [`network`] gives it.
    Address(IpAddr),
}

impl Sender {
    /// Everybody at this address whom the device does not know.
    pub fn at(address: IpAddr) -> Self {
        Self::Address(network(address))
    }
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    fn wait(self, now: Instant) -> Option<Duration> {
        let over = self.count.checked_sub(FREE_TRIES)?;
        let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(over)).min(LONGEST_WAIT);
        wait.checked_sub(now.saturating_duration_since(self.last)).filter(|left| !left.is_zero())
    }
}

/// The failures of every sender.
#[derive(Debug, Default)]
pub struct Lockout {
    senders: Mutex<HashMap<Sender, Failures>>,
}

impl Lockout {
    fn senders(&self) -> MutexGuard<'_, HashMap<Sender, Failures>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the sender may try now.
    ///
    /// # Errors
    /// 429 with the time to wait.
    pub fn check(&self, sender: &Sender, now: Instant) -> Result<(), Problem> {
        let wait = self.senders().get(sender).and_then(|failures| failures.wait(now));
        wait.map_or(Ok(()), |wait| {
            Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "locked-out",
                "Too many wrong passwords",
                format!("the next try is possible in {} s", wait.as_secs() + 1),
                "Wait, then try again.",
            )
            .retry_after(wait))
        })
    }

    /// A wrong password; how many there were in a row.
    pub fn failed(&self, sender: Sender, now: Instant) -> u32 {
        let mut senders = self.senders();
        if senders.len() >= SENDERS {
            senders.retain(|_, failed| now.duration_since(failed.last) < LONGEST_WAIT);
        }
        if senders.len() >= SENDERS {
            // Room for one more: the row that ended longest ago is nearest to its end.
            let oldest = senders.iter().min_by_key(|(_, failed)| failed.last);
            if let Some(oldest) = oldest.map(|(sender, _)| sender.clone()) {
                senders.remove(&oldest);
            }
        }
        let failed = senders.entry(sender).or_insert(Failures { count: 0, last: now });
        *failed = Failures { count: failed.count.saturating_add(1), last: now };
        failed.count
    }

    /// The right password ends the row.
    pub fn passed(&self, sender: &Sender) {
        self.senders().remove(sender);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_and_passes() {
        let last = Instant::now();
        let wait = |count, after| Failures { count, last }.wait(last + Duration::from_secs(after));
        assert_eq!(wait(FREE_TRIES - 1, 0), None);
        assert_eq!(wait(FREE_TRIES, 0), Some(FIRST_WAIT));
        assert_eq!(wait(FREE_TRIES + 2, 0), Some(FIRST_WAIT * 4));
        assert_eq!(wait(FREE_TRIES + 30, 0), Some(LONGEST_WAIT));
        assert_eq!(wait(FREE_TRIES, 15), None);
    }

    #[test]
    fn senders_do_not_pile_up() {
        let (lockout, now) = (Lockout::default(), Instant::now());
        for number in 0..5000_u32 {
            let sender = Sender::at(IpAddr::V4(number.into()));
            lockout.failed(sender, now + Duration::from_millis(number.into()));
        }
        assert!(lockout.senders().len() <= SENDERS);
        // The newest is among those that are remembered.
        assert!(lockout.senders().contains_key(&Sender::at(IpAddr::V4(4999.into()))));
    }
}
