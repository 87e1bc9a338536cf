//! One order: the time of day at which the counting clock stood at zero.
//!
//! Not the time itself: that would be late by what the way takes, and seconds late where this
//! program has to be started first. And the same order twice sets the same time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::apart;
use crate::clock::Clock;
use crate::error::Error;
use crate::range::Range;

/// The longest order: a sign-less number and its end.
pub const LENGTH: usize = 20;

/// A clock that is off by less is left alone: a person's computer is no better.
pub const LEAST: Duration = Duration::from_secs(60);

/// Time between two changes, at least.
pub const PACE: Duration = Duration::from_secs(60);

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The clock was set.
    Set { before: SystemTime, after: SystemTime },
    /// It was right before.
    Right,
    /// It was set a moment ago.
    Soon { wait: Duration },
    /// Nothing that may be asked for.
    Refused { reason: String },
}

impl Outcome {
    /// The answer, one line.
    pub fn line(&self) -> String {
        match self {
            Self::Set { .. } => "set\n".to_owned(),
            Self::Right => "right\n".to_owned(),
            Self::Soon { wait } => format!("soon {}\n", wait.as_secs() + 1),
            Self::Refused { reason } => format!("refused {reason}\n"),
        }
    }
}

/// Carries orders out, one after the other.
#[derive(Debug)]
pub struct Orders<C> {
    clock: C,
    range: Range,
    /// When the clock was set, by the one that only counts.
    changed: Option<Duration>,
}

impl<C: Clock> Orders<C> {
    pub fn new(clock: C, range: Range) -> Self {
        Self { clock, range, changed: None }
    }

    /// Carries out what was sent: Unix milliseconds as decimal digits and a line feed.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn carry_out(&mut self, text: &[u8]) -> Result<Outcome, Error> {
        let Some(zero) = parse(text) else {
            let reason = "an order is a number of Unix milliseconds and a line feed".to_owned();
            return Ok(Outcome::Refused { reason });
        };
        let counting = self.clock.counting()?;
        let Some(time) = UNIX_EPOCH.checked_add(zero + counting) else {
            return Ok(Outcome::Refused { reason: "there is no such time".to_owned() });
        };
        if let Some(reason) = self.range.refuses(time) {
            return Ok(Outcome::Refused { reason });
        }
        let before = self.clock.now();
        if apart(time, before) < LEAST {
            return Ok(Outcome::Right);
        }
        let since = self.changed.map(|changed| counting.saturating_sub(changed));
        if let Some(wait) = since.and_then(|since| PACE.checked_sub(since)) {
            return Ok(Outcome::Soon { wait });
        }
        self.clock.set(time)?;
        self.changed = Some(counting);
        if let Err(error) = self.clock.trust() {
            eprintln!("<4>the board's clock stays as it is: {error}");
        }
        Ok(Outcome::Set { before, after: time })
    }
}

fn parse(text: &[u8]) -> Option<Duration> {
    let digits = text.strip_suffix(b"\n")?;
    let digits = std::str::from_utf8(digits).ok()?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok().map(Duration::from_millis))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::simulated::Simulated;

    const BUILT: u64 = 1_790_000_000;
    const DAY: u64 = 24 * 3600;

    fn orders() -> Orders<Simulated> {
        let from = UNIX_EPOCH + Duration::from_secs(BUILT);
        Orders::new(Simulated::at(BUILT + 60), Range::beginning(from))
    }

    /// An order for so many seconds after the image's date, now.
    fn order(orders: &mut Orders<Simulated>, seconds: u64) -> Outcome {
        let zero = Duration::from_secs(BUILT + seconds) - orders.clock.counting;
        orders.carry_out(format!("{}\n", zero.as_millis()).as_bytes()).unwrap()
    }

    #[test]
    fn a_time_that_is_more_than_a_minute_away_is_set_and_a_nearer_one_is_right() {
        let mut orders = orders();
        for near in [61, 1, 119] {
            assert_eq!(order(&mut orders, near), Outcome::Right);
        }
        assert!(!orders.clock.trusted, "a clock that was not set is not written to the board's");
        let before = orders.clock.now;
        let after = UNIX_EPOCH + Duration::from_secs(BUILT + 400 * DAY);
        assert_eq!(order(&mut orders, 400 * DAY), Outcome::Set { before, after });
        assert_eq!((orders.clock.now, orders.clock.trusted), (after, true));
    }

    #[test]
    fn an_order_that_comes_late_sets_the_time_that_it_is_by_then() {
        let mut orders = orders();
        let zero = BUILT + DAY - 60;
        orders.clock.passes(7);
        orders.carry_out(format!("{zero}000\n").as_bytes()).unwrap();
        assert_eq!(orders.clock.now, UNIX_EPOCH + Duration::from_secs(BUILT + DAY + 7));
    }

    #[test]
    fn nothing_before_the_image_nor_twenty_years_after_it_is_set() {
        let mut orders = orders();
        let now = orders.clock.now;
        let past = format!("{}\n", (BUILT - 3600) * 1000);
        let never = format!("{}\n", u64::MAX);
        for text in ["0\n", &past, &never, "9999999999999\n"] {
            let outcome = orders.carry_out(text.as_bytes()).unwrap();
            assert!(matches!(outcome, Outcome::Refused { .. }), "{text}: {outcome:?}");
        }
        assert_eq!(orders.clock.now, now);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let mut orders = orders();
        let good = (BUILT + DAY) * 1000;
        for text in [
            String::new(),
            "\n".into(),
            format!("{good}"),
            format!("+{good}\n"),
            format!("-{good}\n"),
            format!(" {good}\n"),
            format!("{good} \n"),
            format!("{good}\n\n"),
            format!("{good}.0\n"),
            "99999999999999999999\n".into(),
            "１７\n".into(),
            "$(reboot)\n".into(),
        ] {
            let outcome = orders.carry_out(text.as_bytes()).unwrap();
            assert!(matches!(outcome, Outcome::Refused { .. }), "{text:?}: {outcome:?}");
        }
        let outcome = orders.carry_out(b"\xff\xfe\n").unwrap();
        assert!(matches!(outcome, Outcome::Refused { .. }));
    }

    #[test]
    fn a_second_change_waits_for_a_minute_and_a_clock_that_was_set_wrong_can_be_put_back() {
        let mut orders = orders();
        assert!(matches!(order(&mut orders, 400 * DAY), Outcome::Set { .. }));
        orders.clock.passes(20);
        assert_eq!(order(&mut orders, DAY), Outcome::Soon { wait: Duration::from_secs(40) });
        // The same order again is no change.
        assert_eq!(order(&mut orders, 400 * DAY + 20), Outcome::Right);
        orders.clock.passes(41);
        assert!(matches!(order(&mut orders, DAY), Outcome::Set { .. }));
    }

    #[test]
    fn an_answer_is_one_line() {
        let refused = Outcome::Refused { reason: "it is before".into() };
        let soon = Outcome::Soon { wait: Duration::from_millis(39_500) };
        for (outcome, line) in
            [(Outcome::Right, "right\n"), (soon, "soon 40\n"), (refused, "refused it is before\n")]
        {
            assert_eq!(outcome.line(), line);
        }
    }
}
