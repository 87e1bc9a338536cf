//! How often one client may ask: a bucket of tokens for each session, and two for each
//! address: one for what comes from the device's own page, one for all else.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;

use super::caller::Caller;
use crate::problem::Problem;

/// The most clients that are remembered; the link has one or two.
const CLIENTS: usize = 1024;

/// A bucket holds so many tokens, and so many come back each second.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub most: f64,
    pub each_second: f64,
}

/// Any request: a page loads some thirty files at once, a slider asks sixty times a second.
const ANY: Size = Size { most: 400.0, each_second: 120.0 };

/// A request that changes something.
const CHANGE: Size = Size { most: 80.0, each_second: 30.0 };

#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A bucket that nothing was taken from.
    pub fn full(size: Size, now: Instant) -> Self {
        Self { tokens: size.most, at: now }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// How long the next one takes.
    pub fn take(&mut self, size: Size, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * size.each_second).min(size.most);
        self.at = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.tokens) / size.each_second))
    }
}

/// Whose buckets they are. A session is one wherever it asks from: who has the password has
/// a pace that nobody else can use up.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Client {
    Session(String),
    Page(IpAddr),
    Stranger(IpAddr),
}

impl Client {
    fn of(caller: &Caller, from: IpAddr) -> Self {
        match caller {
            Caller::Session(session) => Self::Session(session.clone()),
            Caller::Page => Self::Page(network(from)),
            Caller::Stranger => Self::Stranger(network(from)),
        }
    }
}

/// The buckets of everybody who asked lately.
#[derive(Debug, Default)]
pub struct Pace {
    clients: Mutex<HashMap<Client, (Bucket, Bucket)>>,
}

impl Pace {
    /// Counts one request of this caller at this address.
    ///
    /// # Errors
    /// 429 with the time to wait.
    pub fn count(
        &self,
        caller: &Caller,
        from: IpAddr,
        changes: bool,
        now: Instant,
    ) -> Result<(), Problem> {
        let Ok(mut clients) = self.clients.lock() else { return Ok(()) };
        if clients.len() >= CLIENTS {
            // Whoever was silent long enough has a full bucket again.
            clients.retain(|_, (any, _)| now.duration_since(any.at) < Duration::from_secs(10));
            if clients.len() >= CLIENTS {
                clients.clear();
            }
        }
        let (any, change) = clients
            .entry(Client::of(caller, from))
            .or_insert_with(|| (Bucket::full(ANY, now), Bucket::full(CHANGE, now)));
        // What is refused as a change leaves the right to look.
        let taken = if changes { change.take(CHANGE, now) } else { Ok(()) };
        let taken = taken.and_then(|()| any.take(ANY, now));
        taken.map_err(|wait| {
            Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-requests",
                "Too many requests",
                format!("{from} asks faster than the device answers"),
                "Wait a moment; ask less often.",
            )
            .retry_after(wait)
        })
    }
}

/// What one client cannot change at will: an IPv6 host owns its last 64 bits.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PC: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 55, 100));
    const STRANGER: Caller = Caller::Stranger;

    #[test]
    fn a_flood_is_refused_and_told_when_to_come_back() {
        let (pace, now) = (Pace::default(), Instant::now());
        let count = |changes, now| pace.count(&STRANGER, PC, changes, now);
        let passed = (0..1000).filter(|_| count(true, now).is_ok()).count();
        assert_eq!(passed, 80);
        assert_eq!(count(true, now).unwrap_err().kind(), "too-many-requests");
        // Looking is still possible, and a second later so is changing.
        assert!(count(false, now).is_ok());
        let later = now + Duration::from_secs(1);
        let passed = (0..1000).filter(|_| count(true, later).is_ok()).count();
        assert_eq!(passed, 30);
    }

    #[test]
    fn what_strangers_use_up_the_page_has_and_what_the_page_uses_up_a_session_has() {
        let (pace, now) = (Pace::default(), Instant::now());
        for caller in [STRANGER, Caller::Page, Caller::Session("one".into())] {
            for changes in [true, false] {
                assert!(pace.count(&caller, PC, changes, now).is_ok(), "{caller:?}");
                while pace.count(&caller, PC, changes, now).is_ok() {}
            }
        }
        assert!(pace.count(&Caller::Session("another".into()), PC, true, now).is_ok());
    }

    #[test]
    fn a_slider_at_the_screens_rate_for_a_moment_and_reading_for_ever_pass() {
        let (pace, start) = (Pace::default(), Instant::now());
        for frame in 0..6000_u32 {
            let now = start + frame * Duration::from_millis(16);
            assert!(pace.count(&Caller::Page, PC, false, now).is_ok(), "frame {frame}");
        }
    }

    #[test]
    fn addresses_do_not_pile_up_and_an_ipv6_host_has_one_bucket() {
        let (pace, now) = (Pace::default(), Instant::now());
        for number in 0..5000_u32 {
            let _ = pace.count(&STRANGER, IpAddr::V4(number.into()), false, now);
        }
        assert!(pace.clients.lock().unwrap().len() <= CLIENTS);
        let (one, other) = ("fe80::1".parse().unwrap(), "fe80::2".parse().unwrap());
        assert_eq!(network(one), network(other));
    }
}
