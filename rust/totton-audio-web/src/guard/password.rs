//! The optional password: argon2id, session cookies, a lockout. There is none
//! until the user sets one.
//!
//! A session's token is known to its browser alone; here is only its SHA-256, so
//! that the file is no key. Sessions outlive a restart of the service, because
//! the daemon's restart is one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::pace::network;
use crate::problem::Problem;
use crate::store::Store;

/// The cookie's name.
pub const COOKIE: &str = "totton-session";

/// How long a session lasts.
pub const LASTS: Duration = Duration::from_secs(30 * 24 * 3600);

/// Characters of a password: at least, at most.
pub const LENGTH: std::ops::RangeInclusive<usize> = 8..=256;

/// The most sessions; the oldest make room.
const SESSIONS: usize = 32;

/// Wrong passwords in a row that cost nothing.
const FREE_TRIES: u32 = 5;

/// The first wait after those; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(15);
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// The most addresses whose failures are remembered.
const ADDRESSES: usize = 1024;

const FILE: &str = "password.json";

/// What is kept on the disk.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// PHC string; none while no password is set.
    hash: Option<String>,
    sessions: Vec<Session>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Session {
    /// SHA-256 of the token, hexadecimal.
    token: String,
    /// Seconds since 1970.
    until: u64,
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

/// Who may come in.
pub struct Password {
    store: Store,
    kept: Mutex<Kept>,
    failures: Mutex<HashMap<IpAddr, Failures>>,
    ended: watch::Sender<()>,
}

impl Password {
    /// Reads what was set.
    ///
    /// # Errors
    /// When the file is there and cannot be read: a device that cannot tell its
    /// password must not stand open.
    pub fn load(store: &Store) -> Result<Self, Problem> {
        let kept = store.read(FILE)?.unwrap_or_default();
        Ok(Self {
            store: store.clone(),
            kept: Mutex::new(kept),
            failures: Mutex::default(),
            ended: watch::Sender::new(()),
        })
    }

    /// Changes when sessions have ended by a log-out or another password.
    pub fn sessions(&self) -> watch::Receiver<()> {
        self.ended.subscribe()
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Whether a password is set.
    pub fn is_set(&self) -> bool {
        self.kept().hash.is_some()
    }

    /// How long a request with these headers may last; `None` when it may not pass.
    pub fn lets_in(&self, headers: &HeaderMap) -> Option<Duration> {
        let kept = self.kept();
        if kept.hash.is_none() {
            return Some(Duration::MAX);
        }
        let now = seconds_now();
        let left = cookies(headers).filter_map(|token| {
            let token = digest(token);
            let session = kept.sessions.iter().find(|session| session.token == token)?;
            session.until.checked_sub(now).filter(|left| *left > 0)
        });
        left.max().map(Duration::from_secs)
    }

    /// Checks a password and opens a session: the token for the cookie. Takes as
    /// long as argon2 does: not for a thread that serves.
    ///
    /// # Errors
    /// 401 when it is wrong, 429 after too many wrong ones, 409 when none is set.
    pub fn log_in(&self, from: IpAddr, password: &str) -> Result<String, Problem> {
        self.check(from, password)?;
        let token = token()?;
        let mut kept = self.kept();
        let mut new = kept.clone();
        new.sessions.retain(|session| session.until > seconds_now());
        let over = (new.sessions.len() + 1).saturating_sub(SESSIONS);
        new.sessions.drain(..over);
        new.sessions
            .push(Session { token: digest(&token), until: seconds_now() + LASTS.as_secs() });
        self.store.write(FILE, &new)?;
        *kept = new;
        Ok(token)
    }

    /// Ends the session of a request.
    ///
    /// # Errors
    /// 500 when it cannot be written.
    pub fn log_out(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let ended: Vec<_> = cookies(headers).map(digest).collect();
        let mut kept = self.kept();
        let mut new = kept.clone();
        new.sessions.retain(|session| !ended.contains(&session.token));
        if new.sessions != kept.sessions {
            self.store.write(FILE, &new)?;
            *kept = new;
            self.ended.send_replace(());
        }
        Ok(())
    }

    /// Sets, changes or (with `None`) removes the password; every session ends.
    ///
    /// # Errors
    /// As [`log_in`](Self::log_in) for the current password, where one is set;
    /// 422 for a new one that is too short or too long.
    pub fn change(
        &self,
        from: IpAddr,
        current: Option<&str>,
        new: Option<&str>,
    ) -> Result<(), Problem> {
        if self.is_set() {
            self.check(from, current.unwrap_or_default())?;
        }
        let hash = match new {
            None => None,
            Some(new) if LENGTH.contains(&new.chars().count()) => Some(
                Argon2::default()
                    .hash_password(new.as_bytes())
                    .map_err(|error| Problem::failed(format!("cannot hash: {error}")))?
                    .to_string(),
            ),
            Some(_) => {
                return Err(Problem::not_accepted(
                    "the new password is too short or too long",
                    format!("Choose {} to {} characters.", LENGTH.start(), LENGTH.end()),
                ));
            }
        };
        let new = Kept { hash, sessions: Vec::new() };
        self.store.write(FILE, &new)?;
        *self.kept() = new;
        self.ended.send_replace(());
        Ok(())
    }

    fn check(&self, from: IpAddr, password: &str) -> Result<(), Problem> {
        let Some(hash) = self.kept().hash.clone() else {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "no-password-set",
                "The device has no password",
                "nothing has to be entered",
                "Open the page.",
            ));
        };
        let from = network(from);
        // One check at a time: argon2 takes memory, and tries side by side would
        // pass the lockout.
        let mut failures = self.failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = Instant::now();
        if let Some(wait) = failures.get(&from).and_then(|failures| failures.wait(now)) {
            return Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "locked-out",
                "Too many wrong passwords",
                format!("the next try is possible in {} s", wait.as_secs() + 1),
                "Wait, then try again.",
            )
            .retry_after(wait));
        }
        let right = LENGTH.contains(&password.chars().count())
            && PasswordHash::new(&hash).is_ok_and(|hash| {
                Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
            });
        if right {
            failures.remove(&from);
            return Ok(());
        }
        if failures.len() >= ADDRESSES {
            failures.retain(|_, failed| now.duration_since(failed.last) < LONGEST_WAIT);
        }
        let failed = failures.entry(from).or_insert(Failures { count: 0, last: now });
        *failed = Failures { count: failed.count.saturating_add(1), last: Instant::now() };
        log::warn!("a wrong password from {from}, {} in a row", failed.count);
        Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "wrong-password",
            "The password is wrong",
            "it is not the device's password",
            "Try again.",
        ))
    }
}

/// The problem of a request without a session.
pub fn needed() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "password-needed",
        "The device asks for its password",
        "the request has no valid session",
        "Log in: POST /api/v1/session with the password.",
    )
}

/// The tokens in a request's cookies.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::COOKIE)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(|(name, token)| (name == COOKIE).then_some(token))
}

/// 256 random bits, hexadecimal.
fn token() -> Result<String, Problem> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Problem::failed(format!("the kernel gives no random bits: {error}")))?;
    Ok(hexadecimal(&bytes))
}

fn digest(token: &str) -> String {
    hexadecimal(&Sha256::digest(token.as_bytes()))
}

/// Bytes as hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    const PC: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 55, 100));

    fn password() -> (tempfile::TempDir, Password) {
        let folder = tempfile::tempdir().unwrap();
        let password = Password::load(&Store::new(folder.path())).unwrap();
        (folder, password)
    }

    fn with_cookie(token: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let text = format!("other=1; {COOKIE}={token}");
        headers.insert(header::COOKIE, HeaderValue::from_str(&text).unwrap());
        headers
    }

    #[test]
    fn without_a_password_everybody_is_let_in() {
        let (_folder, password) = password();
        assert!(password.lets_in(&HeaderMap::new()).is_some());
        assert_eq!(password.log_in(PC, "whatever1").unwrap_err().kind(), "no-password-set");
    }

    #[test]
    fn a_session_lasts_over_a_restart_and_ends_with_the_password() {
        let (folder, password) = password();
        password.change(PC, None, Some("correct horse")).unwrap();
        assert_eq!(password.lets_in(&HeaderMap::new()), None);
        assert_eq!(password.log_in(PC, "wrong horse").unwrap_err().kind(), "wrong-password");
        let token = password.log_in(PC, "correct horse").unwrap();
        assert!(password.lets_in(&with_cookie(&token)).is_some());
        assert_eq!(password.lets_in(&with_cookie(&token[1..])), None);

        let text = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert!(text.contains("$argon2id$"), "{text}");
        assert!(!text.contains("correct horse") && !text.contains(&token), "{text}");
        let again = Password::load(&Store::new(folder.path())).unwrap();
        assert!(again.lets_in(&with_cookie(&token)).is_some());

        again.log_out(&with_cookie(&token)).unwrap();
        assert_eq!(again.lets_in(&with_cookie(&token)), None);
        let token = again.log_in(PC, "correct horse").unwrap();
        assert!(again.change(PC, Some("wrong horse"), Some("another horse")).is_err());
        again.change(PC, Some("correct horse"), Some("another horse")).unwrap();
        assert_eq!(again.lets_in(&with_cookie(&token)), None);
        again.change(PC, Some("another horse"), None).unwrap();
        assert!(again.lets_in(&HeaderMap::new()).is_some());
    }

    #[test]
    fn a_session_tells_how_long_it_lasts_and_is_over_then() {
        let (folder, password) = password();
        password.change(PC, None, Some("correct horse")).unwrap();
        let token = password.log_in(PC, "correct horse").unwrap();
        let left = password.lets_in(&with_cookie(&token)).unwrap();
        assert!(left <= LASTS && left > LASTS - Duration::from_secs(60), "{left:?}");
        for (until, open) in [(seconds_now() + 60, true), (seconds_now(), false), (0, false)] {
            let file = folder.path().join(FILE);
            let mut kept: Kept =
                serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
            kept.sessions[0].until = until;
            std::fs::write(file, serde_json::to_string(&kept).unwrap()).unwrap();
            let again = Password::load(&Store::new(folder.path())).unwrap();
            let left = again.lets_in(&with_cookie(&token));
            assert_eq!(left.is_some(), open, "{left:?}");
            assert!(left.is_none_or(|left| left <= Duration::from_secs(60)));
        }
    }

    #[test]
    fn wrong_passwords_lock_their_sender_out_the_right_one_too() {
        let (_folder, password) = password();
        password.change(PC, None, Some("correct horse")).unwrap();
        for _ in 0..FREE_TRIES {
            assert_eq!(password.log_in(PC, "wrong horse").unwrap_err().kind(), "wrong-password");
        }
        assert_eq!(password.log_in(PC, "correct horse").unwrap_err().kind(), "locked-out");
        // Another machine is not shut out by it.
        assert!(password.log_in("192.168.55.101".parse().unwrap(), "correct horse").is_ok());
    }

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
    fn a_password_file_that_cannot_be_read_is_an_error() {
        let (folder, _) = password();
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(Password::load(&Store::new(folder.path())).is_err());
    }

    #[test]
    fn short_passwords_are_refused() {
        let (_folder, password) = password();
        let refused = password.change(PC, None, Some("seven77")).unwrap_err();
        assert_eq!(refused.kind(), "not-accepted");
        assert!(!password.is_set());
    }
}
