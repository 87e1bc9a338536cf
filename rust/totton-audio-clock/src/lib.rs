//! The system's clock, on a box without a battery for it and without network time.
//!
//! - The clock is never before the date of the image: [`range`]. systemd sees to that at the
//!   start; here it is the lower bound of everything.
//! - The time last seen is kept over a power cut: [`kept`].
//! - The page asks for another time through a socket of systemd's: [`serve`] takes one number,
//!   checks it ([`order`]) and answers with one line. It trusts nothing that it reads: the
//!   page's service may have been taken over.
//! - [`clock`] is the kernel's clock behind a trait, so that tests set another.
//!
//! Everything that measures how long something takes uses the clock that only counts.

pub mod cli;
pub mod clock;
pub mod error;
pub mod kept;
pub mod order;
pub mod range;
pub mod serve;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time as Unix milliseconds, for people who look for the reason of a refusal.
fn unix_ms(time: SystemTime) -> i128 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i128::from(u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
        Err(before) => {
            -i128::from(u64::try_from(before.duration().as_millis()).unwrap_or(u64::MAX))
        }
    }
}

/// How far two times are from each other.
fn apart(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|reverse| reverse.duration())
}
