//! When a start of the box is good: gadget, sound and page have been up for a minute without a
//! break. What is plugged in does not count: without a DAC or a PC they are up.

mod services;

use std::time::Duration;

pub use services::Systemd;

/// What a start is judged by.
pub const UNITS: [&str; 3] = ["totton-audio-gadget", "gpu-upsampler", "totton-audio-web"];

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// So long all have to be up.
    pub hold: Duration,
    /// So long that may take to happen.
    pub deadline: Duration,
    /// Between two looks.
    pub every: Duration,
}

/// The services as they are at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// All are up; the names that systemd gives to these starts of theirs.
    Up(Vec<String>),
    Problem(String),
}

pub trait Services {
    /// Since the box started.
    fn now(&self) -> Duration;
    fn sleep(&mut self, time: Duration);
    fn look(&mut self) -> Look;
    /// A line for the journal.
    fn tell(&mut self, line: &str);
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Good,
    /// The deadline is over; what was missing last.
    Bad(String),
}

/// Looks until the start has proved good, or the deadline is over.
pub fn watch(services: &mut impl Services, limits: &Limits) -> Health {
    let begin = services.now();
    let mut since = begin;
    let mut before = None;
    let mut told = String::new();
    loop {
        let look = services.look();
        let now = services.now();
        if before.as_ref() != Some(&look) || matches!(look, Look::Problem(_)) {
            since = now;
        }
        match &look {
            Look::Problem(problem) if *problem != told => {
                services.tell(&format!("waiting: {problem}"));
                told.clone_from(problem);
            }
            Look::Up(_) if now - since >= limits.hold => return Health::Good,
            _ => {}
        }
        if now - begin >= limits.deadline {
            return Health::Bad(match look {
                Look::Problem(problem) => problem,
                Look::Up(_) => "a service was started anew meanwhile".to_owned(),
            });
        }
        before = Some(look);
        services.sleep(limits.every);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Time passes only while the check sleeps.
    struct Box<'a> {
        time: u64,
        look: &'a dyn Fn(u64) -> Look,
        told: Vec<String>,
    }

    impl Services for Box<'_> {
        fn now(&self) -> Duration {
            Duration::from_secs(self.time)
        }
        fn sleep(&mut self, time: Duration) {
            self.time += time.as_secs();
        }
        fn look(&mut self) -> Look {
            (self.look)(self.time)
        }
        fn tell(&mut self, line: &str) {
            self.told.push(line.to_owned());
        }
    }

    fn up(start: &str) -> Look {
        Look::Up(vec![start.to_owned()])
    }

    fn problem(text: &str) -> Look {
        Look::Problem(text.to_owned())
    }

    /// How it ended, after how many seconds, and what was told.
    fn watched(look: &dyn Fn(u64) -> Look) -> (Health, u64, Vec<String>) {
        let limits = Limits {
            hold: Duration::from_secs(60),
            deadline: Duration::from_secs(300),
            every: Duration::from_secs(5),
        };
        let mut services = Box { time: 100, look, told: Vec::new() };
        let health = watch(&mut services, &limits);
        (health, services.time - 100, services.told)
    }

    #[test]
    fn a_minute_without_a_break_is_good() {
        assert_eq!(watched(&|_| up("1")), (Health::Good, 60, vec![]));
    }

    #[test]
    fn a_restart_within_the_minute_begins_it_anew() {
        let (health, seconds, _) = watched(&|time| up(if time < 140 { "1" } else { "2" }));
        assert_eq!((health, seconds), (Health::Good, 100));
    }

    #[test]
    fn a_break_within_the_minute_begins_it_anew() {
        let (health, seconds, told) =
            watched(&|time| if time == 140 { problem("gone") } else { up("1") });
        assert_eq!((health, seconds), (Health::Good, 105));
        assert_eq!(told, ["waiting: gone"]);
    }

    #[test]
    fn what_comes_late_is_waited_for() {
        let (health, seconds, told) =
            watched(&|time| if time < 180 { problem("late") } else { up("1") });
        assert_eq!((health, seconds), (Health::Good, 140));
        assert_eq!(told, ["waiting: late"], "and told once");
    }

    #[test]
    fn what_never_comes_is_given_up() {
        let (health, seconds, _) = watched(&|_| problem("gpu-upsampler is failed"));
        assert_eq!((health, seconds), (Health::Bad("gpu-upsampler is failed".to_owned()), 300));
    }

    #[test]
    fn services_that_start_again_and_again_are_not_up() {
        let (health, seconds, _) = watched(&|time| up(&(time / 30).to_string()));
        assert_eq!(seconds, 300);
        assert_eq!(health, Health::Bad("a service was started anew meanwhile".to_owned()));
    }
}
