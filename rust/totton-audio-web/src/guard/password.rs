//! The optional password. There is none until the user sets one; the first may be set by
//! anybody on the USB network, which is what "no password" means.
//!
//! A session's token is known to its browser alone; here is only its SHA-256, so that the
//! file is no key. Sessions outlive a restart of the service, because the daemon's restart
//! is one. [`hashing`](super::hashing) has the thread that checks passwords,
//! [`keeper`](super::keeper) what it does, [`sessions`](super::sessions) what is kept,
//! [`lockout`](super::lockout) who has to wait.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use tokio::sync::watch;

use super::hashing::{Cost, Hashers, Hashing};
pub use super::keeper::Opened;
use super::keeper::{Keeper, Visitor};
use super::lockout::Sender;
pub use super::sessions::LASTS;
use crate::cookie::values;
use crate::problem::Problem;
use crate::store::Store;

/// The cookie of a session.
pub const COOKIE: &str = "totton-session";

/// The cookie of a browser that was logged in. It opens nothing: it has a row of wrong
/// passwords of its own ([`Sender`]).
pub const BROWSER_COOKIE: &str = "totton-browser";

/// How long a browser is remembered.
pub const BROWSER_LASTS: Duration = Duration::from_secs(365 * 24 * 3600);

/// Who may come in.
pub struct Password {
    keeper: Arc<Keeper>,
    hashers: Hashers,
}

impl Password {
    /// Reads what was set.
    ///
    /// # Errors
    /// When the file is there and cannot be read: a device that cannot tell its
    /// password must not stand open. When no thread can be made.
    pub fn load(store: &Store) -> Result<Self, Problem> {
        let keeper = Arc::new(Keeper::load(store)?);
        let hashers = Hashers::start(Cost::default())
            .map_err(|error| Problem::failed(format!("the thread for passwords: {error}")))?;
        Ok(Self { keeper, hashers })
    }

    /// Changes when sessions have ended by a log-out or another password.
    pub fn sessions(&self) -> watch::Receiver<()> {
        self.keeper.sessions.ends()
    }

    /// Whether a password is set.
    pub fn is_set(&self) -> bool {
        self.keeper.sessions.hash().is_some()
    }

    /// The session of a request: its digest, how long it lasts. None while no password is set.
    pub fn session(&self, headers: &HeaderMap) -> Option<(String, Duration)> {
        self.keeper.sessions.find(values(headers, COOKIE))
    }

    /// How long a request with these headers may last; `None` when it may not pass.
    pub fn lets_in(&self, headers: &HeaderMap) -> Option<Duration> {
        if !self.is_set() {
            return Some(Duration::MAX);
        }
        self.session(headers).map(|(_, left)| left)
    }

    /// The system's clock was set: sessions last as long as before. Writes the disk.
    pub fn follow_clock(&self) {
        self.keeper.sessions.follow_clock();
    }

    /// Who sends a password with these headers from this address.
    pub fn visitor(&self, headers: &HeaderMap, address: IpAddr) -> Visitor {
        let browser = self.keeper.sessions.browser(values(headers, BROWSER_COOKIE));
        let known = browser.clone().or_else(|| self.session(headers).map(|(digest, _)| digest));
        let sender = known.map_or_else(|| Sender::at(address), Sender::Cookie);
        Visitor { address, sender, browser }
    }

    /// Checks a password and opens a session.
    ///
    /// # Errors
    /// 401 when it is wrong, 429 after too many wrong ones, 409 when none is set, 503 when
    /// too many wait to be checked.
    pub async fn log_in(&self, visitor: Visitor, password: String) -> Result<Opened, Problem> {
        // Who has to wait anyway does not wait in the queue.
        self.keeper.lockout.check(&visitor.sender, Instant::now())?;
        let keeper = Arc::clone(&self.keeper);
        self.hashers
            .run(visitor.lane(), move |hashing| keeper.log_in(hashing, &visitor, &password))
            .await
    }

    /// Ends the session of a request. Writes the disk: not for a thread that serves.
    ///
    /// # Errors
    /// 500 when it cannot be written.
    pub fn log_out(&self, headers: &HeaderMap) -> Result<(), Problem> {
        self.keeper.sessions.close(values(headers, COOKIE))
    }

    /// Sets, changes or (with no new one) removes the password; every session ends, and a
    /// new one is opened for the visitor.
    ///
    /// # Errors
    /// As [`log_in`](Self::log_in) for the current password, where one is set; 409 when one
    /// is set and none is given, or when it was changed meanwhile; 422 for a new one that is
    /// too short or too long.
    pub async fn change(
        &self,
        visitor: Visitor,
        current: Option<String>,
        new: Option<String>,
    ) -> Result<Option<Opened>, Problem> {
        self.keeper.lockout.check(&visitor.sender, Instant::now())?;
        let (keeper, lane) = (Arc::clone(&self.keeper), visitor.lane());
        let job = move |hashing: &mut Hashing| {
            keeper.change(hashing, &visitor, current.as_deref(), new.as_deref())
        };
        self.hashers.run(lane, job).await
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

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    const PC: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 55, 100));

    #[actix_web::test]
    async fn without_a_password_everybody_is_let_in_and_with_one_only_its_sessions() {
        let folder = tempfile::tempdir().unwrap();
        let password = Password::load(&Store::new(folder.path())).unwrap();
        assert!(password.lets_in(&HeaderMap::new()).is_some());
        let visitor = password.visitor(&HeaderMap::new(), PC);
        let opened = password.change(visitor, None, Some("correct horse".into())).await;
        let opened = opened.unwrap().unwrap();
        assert_eq!(password.lets_in(&HeaderMap::new()), None);
        let mut headers = HeaderMap::new();
        let text = format!("other=1; {COOKIE}={}", opened.session);
        headers.insert(actix_web::http::header::COOKIE, HeaderValue::from_str(&text).unwrap());
        let left = password.lets_in(&headers).unwrap();
        assert!(left <= LASTS && left > LASTS - Duration::from_secs(60), "{left:?}");
        password.log_out(&headers).unwrap();
        assert_eq!(password.lets_in(&headers), None);
    }
}
