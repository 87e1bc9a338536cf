//! How often one client may ask: a bucket of tokens for each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;

use crate::problem::Problem;

/// The most addresses that are remembered; the link has one or two.
const ADDRESSES: usize = 1024;

/// A bucket holds so many tokens, and so many come back each second.
#[derive(Debug, Clone, Copy)]
struct Size {
    most: f64,
    each_second: f64,
}

/// Any request: a page loads some thirty files at once, a slider asks sixty times a second.
const ANY: Size = Size { most: 400.0, each_second: 120.0 };

/// A request that changes something.
const CHANGE: Size = Size { most: 80.0, each_second: 30.0 };

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn full(size: Size, now: Instant) -> Self {
        Self { tokens: size.most, at: now }
    }

    /// Takes a token, or tells how long the next one takes.
    fn take(&mut self, size: Size, now: Instant) -> Result<(), Duration> {
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

/// The buckets of every address that asked lately.
#[derive(Debug, Default)]
pub struct Pace {
    clients: Mutex<HashMap<IpAddr, (Bucket, Bucket)>>,
}

impl Pace {
    /// Counts one request of this address.
    ///
    /// # Errors
    /// 429 with the time to wait.
    pub fn count(&self, from: IpAddr, changes: bool, now: Instant) -> Result<(), Problem> {
        let Ok(mut clients) = self.clients.lock() else { return Ok(()) };
        if clients.len() >= ADDRESSES {
            // Whoever was silent long enough has a full bucket again.
            clients.retain(|_, (any, _)| now.duration_since(any.at) < Duration::from_secs(10));
            if clients.len() >= ADDRESSES {
                clients.clear();
            }
        }
        let (any, change) = clients
            .entry(network(from))
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

    #[test]
    fn a_flood_is_refused_and_told_when_to_come_back() {
        let (pace, now) = (Pace::default(), Instant::now());
        let passed = (0..1000).filter(|_| pace.count(PC, true, now).is_ok()).count();
        assert_eq!(passed, 80);
        assert_eq!(pace.count(PC, true, now).unwrap_err().kind(), "too-many-requests");
        // Looking is still possible, and a second later so is changing.
        assert!(pace.count(PC, false, now).is_ok());
        let later = now + Duration::from_secs(1);
        let passed = (0..1000).filter(|_| pace.count(PC, true, later).is_ok()).count();
        assert_eq!(passed, 30);
    }

    #[test]
    fn a_slider_at_the_screens_rate_for_a_moment_and_reading_for_ever_pass() {
        let (pace, start) = (Pace::default(), Instant::now());
        for frame in 0..6000_u32 {
            let now = start + frame * Duration::from_millis(16);
            assert!(pace.count(PC, false, now).is_ok(), "frame {frame}");
        }
    }

    #[test]
    fn addresses_do_not_pile_up_and_an_ipv6_host_has_one_bucket() {
        let (pace, now) = (Pace::default(), Instant::now());
        for number in 0..5000_u32 {
            let _ = pace.count(IpAddr::V4(number.into()), false, now);
        }
        assert!(pace.clients.lock().unwrap().len() <= ADDRESSES);
        let (one, other) = ("fe80::1".parse().unwrap(), "fe80::2".parse().unwrap());
        assert_eq!(network(one), network(other));
    }
}
