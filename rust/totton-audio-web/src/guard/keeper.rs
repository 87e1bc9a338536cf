//! Checks the password and changes it: what the thread that hashes does
//! ([`hashing`](super::hashing)).
//!
//! A hash takes its time, so what was checked may be of yesterday when it is done:
//! [`Sessions`] takes no session and no change for a hash that is not in force any more.

use std::net::IpAddr;
use std::time::Instant;

use actix_web::http::StatusCode;

use super::hashing::{Hashing, Lane};
use super::lockout::{Lockout, Sender};
use super::log_pace::LogPace;
use super::sessions::Sessions;
use super::token;
use crate::problem::Problem;
use crate::store::Store;

/// Characters of a password: at least, at most.
pub const LENGTH: std::ops::RangeInclusive<usize> = 8..=256;

/// Who gives a password.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub address: IpAddr,
    pub sender: Sender,
    /// SHA-256 of the browser's cookie, when it is one of ours.
    pub browser: Option<String>,
}

impl Visitor {
    /// Where it waits.
    pub fn lane(&self) -> Lane {
        match self.sender {
            Sender::Cookie(_) => Lane::Known,
            Sender::Address(_) => Lane::Stranger,
        }
    }
}

/// What a browser that has given the right password gets: the values of its cookies.
#[derive(Debug)]
pub struct Opened {
    pub session: String,
    /// None for a browser that has one already.
    pub browser: Option<String>,
}

/// What the thread that hashes works with.
pub struct Keeper {
    pub sessions: Sessions,
    pub lockout: Lockout,
    log: LogPace,
}

impl Keeper {
    /// Reads what was set.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn load(store: &Store) -> Result<Self, Problem> {
        Ok(Self {
            sessions: Sessions::load(store)?,
            lockout: Lockout::default(),
            log: LogPace::default(),
        })
    }

    /// Checks a password and opens a session.
    ///
    /// # Errors
    /// As [`Password::log_in`](super::password::Password::log_in).
    pub fn log_in(
        &self,
        hashing: &mut Hashing,
        visitor: &Visitor,
        password: &str,
    ) -> Result<Opened, Problem> {
        let hash = self.sessions.hash().ok_or_else(none_set)?;
        self.check(hashing, &hash, visitor, password)?;
        let session = token::new()?;
        if !self.sessions.open(&hash, self.sessions.session(&session)) {
            return Err(changed());
        }
        Ok(Opened { session, browser: self.remember(visitor, false)? })
    }

    /// Sets, changes or removes the password.
    ///
    /// # Errors
    /// As [`Password::change`](super::password::Password::change).
    pub fn change(
        &self,
        hashing: &mut Hashing,
        visitor: &Visitor,
        current: Option<&str>,
        new: Option<&str>,
    ) -> Result<Option<Opened>, Problem> {
        if new.is_some_and(|new| !LENGTH.contains(&new.chars().count())) {
            return Err(Problem::not_accepted(
                "the new password is too short or too long",
                format!("Choose {} to {} characters.", LENGTH.start(), LENGTH.end()),
            ));
        }
        let before = self.sessions.hash();
        match (&before, current) {
            (Some(hash), Some(current)) => self.check(hashing, hash, visitor, current)?,
            // Two set the first one at once: this is the later. It is no guess.
            (Some(_), None) => return Err(set_already()),
            (None, _) if new.is_none() => return Ok(None),
            (None, _) => {}
        }
        let hash = new.map(|new| hashing.hash(new)).transpose()?;
        let session = new.map(|_| token::new()).transpose()?;
        let opened: Vec<_> = session.iter().map(|token| self.sessions.session(token)).collect();
        let in_time = self.sessions.change(before.as_deref(), |kept| {
            kept.hash = hash;
            kept.sessions = opened;
        })?;
        if !in_time {
            return Err(changed());
        }
        log::info!("the page's password was {}", if new.is_some() { "set" } else { "removed" });
        let Some(session) = session else { return Ok(None) };
        Ok(Some(Opened { session, browser: self.remember(visitor, true)? }))
    }

    /// The value of a cookie for a browser that is not known yet.
    fn remember(&self, visitor: &Visitor, alone: bool) -> Result<Option<String>, Problem> {
        if let Some(digest) = &visitor.browser {
            self.sessions.remember(digest.clone(), alone);
            return Ok(None);
        }
        let token = token::new()?;
        self.sessions.remember(token::digest(&token), alone);
        Ok(Some(token))
    }

    fn check(
        &self,
        hashing: &mut Hashing,
        hash: &str,
        visitor: &Visitor,
        password: &str,
    ) -> Result<(), Problem> {
        // Again: those before in the queue may have been wrong.
        self.lockout.check(&visitor.sender, Instant::now())?;
        let possible = LENGTH.contains(&password.chars().count());
        if possible && hashing.verify(password, hash)? {
            self.lockout.passed(&visitor.sender);
            return Ok(());
        }
        let count = self.lockout.failed(visitor.sender.clone(), Instant::now());
        self.log.warn(Instant::now(), || {
            format!("a wrong password from {}, {count} in a row", visitor.address)
        });
        Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "wrong-password",
            "The password is wrong",
            "it is not the device's password",
            "Try again.",
        ))
    }
}

fn none_set() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "no-password-set",
        "The device has no password",
        "nothing has to be entered",
        "Open the page.",
    )
}

fn set_already() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "password-set",
        "The device has a password already",
        "the request does not give the current password",
        "Send the current password with the new one.",
    )
}

fn changed() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "password-changed",
        "The password was changed meanwhile",
        "somebody else set or removed the password while this request was checked",
        "Load the page again and log in with the password that is now set.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::hashing::Cost;
    use crate::guard::lockout::FREE_TRIES;
    use crate::guard::sessions::FILE;

    const PC: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 55, 100));

    /// What the thread does, on this one.
    struct Device {
        folder: tempfile::TempDir,
        keeper: Keeper,
        hashing: Hashing,
    }

    impl Device {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let keeper = Keeper::load(&Store::new(folder.path())).unwrap();
            Self { folder, keeper, hashing: Hashing::new(Cost::least()) }
        }

        fn log_in(&mut self, visitor: &Visitor, password: &str) -> Result<Opened, Problem> {
            self.keeper.log_in(&mut self.hashing, visitor, password)
        }

        fn change(
            &mut self,
            current: Option<&str>,
            new: Option<&str>,
        ) -> Result<Option<Opened>, Problem> {
            self.keeper.change(&mut self.hashing, &stranger(), current, new)
        }

        fn is_open(&self, session: &str) -> bool {
            self.keeper.sessions.find([session].into_iter()).is_some()
        }
    }

    fn stranger() -> Visitor {
        Visitor { address: PC, sender: Sender::at(PC), browser: None }
    }

    fn known(opened: &Opened) -> Visitor {
        let digest = token::digest(opened.browser.as_deref().unwrap());
        Visitor { address: PC, sender: Sender::Cookie(digest.clone()), browser: Some(digest) }
    }

    #[test]
    fn a_session_lasts_over_a_restart_and_ends_with_the_password() {
        let mut device = Device::new();
        assert_eq!(device.log_in(&stranger(), "whatever1").unwrap_err().kind(), "no-password-set");
        let first = device.change(None, Some("correct horse")).unwrap().unwrap();
        assert!(device.is_open(&first.session));
        assert_eq!(device.log_in(&stranger(), "wrong horse").unwrap_err().kind(), "wrong-password");
        let opened = device.log_in(&stranger(), "correct horse").unwrap();
        assert!(device.is_open(&opened.session) && !device.is_open(&opened.session[1..]));

        let text = std::fs::read_to_string(device.folder.path().join(FILE)).unwrap();
        assert!(text.contains("$argon2id$"), "{text}");
        assert!(!text.contains("correct horse") && !text.contains(&opened.session), "{text}");
        let kept = Keeper::load(&Store::new(device.folder.path())).unwrap();
        let mut again = Device { keeper: kept, ..device };
        assert!(again.is_open(&opened.session));

        assert!(again.change(Some("wrong horse"), Some("another horse")).is_err());
        let changed = again.change(Some("correct horse"), Some("another horse")).unwrap().unwrap();
        assert!(!again.is_open(&opened.session) && !again.is_open(&first.session));
        assert!(again.is_open(&changed.session));
        assert!(again.change(Some("another horse"), None).unwrap().is_none());
        assert_eq!(again.keeper.sessions.hash(), None);
    }

    #[test]
    fn the_first_password_is_set_once_and_the_second_is_no_wrong_guess() {
        let mut device = Device::new();
        device.change(None, Some("first horse")).unwrap();
        for _ in 0..2 * FREE_TRIES {
            let refused = device.change(None, Some("second horse")).unwrap_err();
            assert_eq!(refused.kind(), "password-set");
        }
        assert!(device.log_in(&stranger(), "first horse").is_ok());
    }

    #[test]
    fn a_password_that_was_checked_against_an_old_hash_opens_nothing() {
        // The file is changed behind a hash that is being checked: as the reset by a stick does.
        let mut device = Device::new();
        device.change(None, Some("correct horse")).unwrap();
        let hash = device.keeper.sessions.hash().unwrap();
        device.keeper.check(&mut device.hashing, &hash, &stranger(), "correct horse").unwrap();
        device.change(Some("correct horse"), Some("another horse")).unwrap();
        assert!(!device.keeper.sessions.open(&hash, device.keeper.sessions.session("late")));
        assert!(!device.is_open("late"));
    }

    #[test]
    fn many_rounds_of_log_ins_beside_changes_leave_no_session_of_an_old_password() {
        // Worse than the device, which hashes on one thread: here all of them hash at once.
        let mut device = Device::new();
        let password = |round: usize| format!("password {round:04}");
        device.change(None, Some(&password(0))).unwrap();
        let keeper = &device.keeper;
        let mut races = 0;
        for round in 0..300 {
            let (old, new) = (password(round), password(round + 1));
            let start = std::sync::Barrier::new(6);
            let one = |number: usize| {
                let name = format!("{round} {number}");
                let visitor = Visitor { sender: Sender::Cookie(name), ..stranger() };
                let mut hashing = Hashing::new(Cost::least());
                start.wait();
                if number == 0 {
                    let changed = keeper.change(&mut hashing, &visitor, Some(&old), Some(&new));
                    return changed.map(|opened| (true, opened.unwrap().session));
                }
                let opened = keeper.log_in(&mut hashing, &visitor, &old);
                opened.map(|opened| (false, opened.session))
            };
            let ended: Vec<_> = std::thread::scope(|scope| {
                let all: Vec<_> = (0..6).map(|number| scope.spawn(move || one(number))).collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            let is_open = |session: &str| keeper.sessions.find([session].into_iter()).is_some();
            assert!(matches!(&ended[0], Ok((true, session)) if is_open(session)), "{:?}", ended[0]);
            for one in &ended[1..] {
                match one {
                    Ok((_, session)) => assert!(!is_open(session), "round {round}"),
                    Err(problem) if problem.kind() == "password-changed" => races += 1,
                    Err(problem) => assert_eq!(problem.kind(), "wrong-password"),
                }
            }
        }
        assert!(races > 0, "no log-in was checked against the old hash and came too late");
        // What is in force is what is on the disk.
        let again = Keeper::load(&Store::new(device.folder.path())).unwrap();
        assert_eq!(again.sessions.hash(), keeper.sessions.hash());
    }

    #[test]
    fn wrong_passwords_lock_their_sender_out_and_nobody_else() {
        let mut device = Device::new();
        let owner = known(&device.change(None, Some("correct horse")).unwrap().unwrap());
        for _ in 0..FREE_TRIES {
            let wrong = device.log_in(&stranger(), "wrong horse").unwrap_err();
            assert_eq!(wrong.kind(), "wrong-password");
        }
        // The right one, too.
        assert_eq!(device.log_in(&stranger(), "correct horse").unwrap_err().kind(), "locked-out");
        let elsewhere = "192.168.55.101".parse().unwrap();
        let other = Visitor { address: elsewhere, sender: Sender::at(elsewhere), browser: None };
        assert!(device.log_in(&other, "correct horse").is_ok());
        // A browser that was in before has no new cookie to be given, and tries of its own.
        assert!(device.log_in(&owner, "correct horse").unwrap().browser.is_none());
        for _ in 0..FREE_TRIES {
            assert_eq!(device.log_in(&owner, "wrong horse").unwrap_err().kind(), "wrong-password");
        }
        assert_eq!(device.log_in(&owner, "correct horse").unwrap_err().kind(), "locked-out");
    }

    #[test]
    fn another_password_forgets_the_browsers_that_knew_the_old_one() {
        let mut device = Device::new();
        let first = device.change(None, Some("correct horse")).unwrap().unwrap();
        let other = device.log_in(&stranger(), "correct horse").unwrap();
        let changed = device.change(Some("correct horse"), Some("another horse")).unwrap().unwrap();
        let known = |opened: &Opened| {
            device.keeper.sessions.browser(opened.browser.as_deref().into_iter()).is_some()
        };
        assert!(!known(&first) && !known(&other) && known(&changed));
    }

    #[test]
    fn a_password_file_that_cannot_be_read_is_an_error() {
        let device = Device::new();
        for text in ["{", r#"{"hash":"none","sessions":[]}"#] {
            std::fs::write(device.folder.path().join(FILE), text).unwrap();
            let refused = Keeper::load(&Store::new(device.folder.path())).err().unwrap();
            assert!(refused.detail().contains(FILE), "{}", refused.detail());
            assert!(refused.detail().contains("TOTTONRESET"), "{}", refused.detail());
        }
    }

    #[test]
    fn short_passwords_are_refused() {
        let mut device = Device::new();
        let refused = device.change(None, Some("seven77")).unwrap_err();
        assert_eq!(refused.kind(), "not-accepted");
        assert_eq!(device.keeper.sessions.hash(), None);
    }
}
