//! The password's hash and the open sessions, in memory and on the disk.
//!
//! Every change goes through [`Sessions::change`]: one at a time, written to the disk first,
//! and only while the hash is still the one that the change was made for. The lock that
//! requests need is not held meanwhile.
//!
//! A session lasts for 30 days by the clock that only counts: it neither ends nor lasts longer
//! when the system's clock is set ([`Sessions::follow_clock`]).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::hashing;
use super::steady::Steady;
use super::token::digest;
use crate::problem::Problem;
use crate::store::Store;

/// How long a session lasts.
pub const LASTS: Duration = Duration::from_secs(30 * 24 * 3600);

/// The most sessions; the oldest make room.
const SESSIONS: usize = 32;

/// The most browsers that are remembered; the oldest make room.
const BROWSERS: usize = 32;

/// The file of [`Kept`].
pub const FILE: &str = "password.json";

/// The file of [`Browsers`]: not in [`FILE`], which the version before must be able to read
/// after an update that was taken back.
const BROWSERS_FILE: &str = "browsers.json";

/// What is kept on the disk. Its form stays as it is: a version that does not know a field cannot
/// tell whether the page may be opened without it, and leaves it closed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// PHC string; none while no password is set.
    pub hash: Option<String>,
    pub sessions: Vec<Session>,
}

/// A browser that has given the password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// SHA-256 of the token, hexadecimal.
    token: String,
    /// Seconds since 1970.
    until: u64,
}

impl Kept {
    /// Adds a session; those that are over by `now` and the oldest ones make room.
    fn open(&mut self, session: Session, now: u64) {
        self.sessions.retain(|session| session.until > now);
        let over = (self.sessions.len() + 1).saturating_sub(SESSIONS);
        self.sessions.drain(..over);
        self.sessions.push(session);
    }

    /// Moves the ends of all sessions by so many seconds; none ends later than one that begins
    /// at `now`.
    fn shift(&mut self, seconds: i64, now: u64) {
        for session in &mut self.sessions {
            session.until = session.until.saturating_add_signed(seconds).min(now + LASTS.as_secs());
        }
    }
}

/// Browsers that were logged in, by the SHA-256 of a cookie of each. It opens nothing.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Browsers {
    tokens: Vec<String>,
}

/// The hash and the sessions.
pub struct Sessions {
    store: Store,
    /// Held over a whole change, the disk included. Requests do not take it.
    turn: Mutex<()>,
    kept: Mutex<Kept>,
    /// The time by which `until` is meant. Locked after `kept`.
    steady: Mutex<Steady>,
    browsers: Mutex<Browsers>,
    ended: watch::Sender<()>,
}

impl Sessions {
    /// Reads what was kept.
    ///
    /// # Errors
    /// When the file is there and cannot be read: a device that cannot tell its password
    /// must not stand open.
    pub fn load(store: &Store) -> Result<Self, Problem> {
        let readable = |kept: Kept| {
            let usable = kept.hash.as_deref().map_or(Ok(()), hashing::check);
            usable.map(|()| kept).map_err(|reason| {
                Problem::failed(format!("{}: {reason}", store.path(FILE).display()))
            })
        };
        let kept =
            store.read_exactly::<Kept>(FILE).and_then(|kept| readable(kept.unwrap_or_default()));
        let mut kept = kept.map_err(|problem| {
            Problem::failed(format!(
                "{}. The page stays closed, since it cannot tell its password. To remove the \
                 password, connect a USB stick whose volume label is TOTTONRESET to the device.",
                problem.detail()
            ))
        })?;
        let browsers = store.read(BROWSERS_FILE).unwrap_or_else(|problem| {
            log::warn!("no browser is known from before: {problem}");
            None
        });
        let steady = Steady::new(SystemTime::now(), Instant::now());
        // The clock may have been years ahead when it was written.
        kept.shift(0, steady.seconds(Instant::now()));
        Ok(Self {
            store: store.clone(),
            turn: Mutex::default(),
            kept: Mutex::new(kept),
            steady: Mutex::new(steady),
            browsers: Mutex::new(browsers.unwrap_or_default()),
            ended: watch::Sender::new(()),
        })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        self.steady.lock().unwrap_or_else(PoisonError::into_inner).seconds(Instant::now())
    }

    /// A session that begins now.
    pub fn session(&self, token: &str) -> Session {
        Session { token: digest(token), until: self.now() + LASTS.as_secs() }
    }

    /// Takes the time of the system's clock, which was set: every session lasts as long as it
    /// would have. Writes the disk.
    pub fn follow_clock(&self) {
        self.follow(SystemTime::now());
    }

    fn follow(&self, wall: SystemTime) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let new = {
            let mut kept = self.kept();
            let mut steady = self.steady.lock().unwrap_or_else(PoisonError::into_inner);
            let seconds = steady.follow(wall, Instant::now());
            if seconds == 0 || kept.sessions.is_empty() {
                return;
            }
            kept.shift(seconds, steady.seconds(Instant::now()));
            kept.clone()
        };
        if let Err(problem) = self.store.write(FILE, &new) {
            log::warn!("sessions end at another time after a restart: {problem}");
        }
    }

    fn browsers(&self) -> MutexGuard<'_, Browsers> {
        self.browsers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes when sessions have ended by a log-out or another password.
    pub fn ends(&self) -> watch::Receiver<()> {
        self.ended.subscribe()
    }

    /// The hash; none while no password is set.
    pub fn hash(&self) -> Option<String> {
        self.kept().hash.clone()
    }

    /// The session of one of these tokens that lasts longest: its digest, how long it lasts.
    pub fn find<'a>(&self, tokens: impl Iterator<Item = &'a str>) -> Option<(String, Duration)> {
        let kept = self.kept();
        kept.hash.as_ref()?;
        let now = self.now();
        let left = tokens.filter_map(|token| {
            let token = digest(token);
            let session = kept.sessions.iter().find(|session| session.token == token)?;
            let left = session.until.checked_sub(now).filter(|left| *left > 0)?;
            Some((token, Duration::from_secs(left)))
        });
        left.max_by_key(|(_, left)| *left)
    }

    /// Changes what is kept, when its hash is still `checked`; whether it was.
    ///
    /// # Errors
    /// 500 when it cannot be written; nothing is changed then.
    pub fn change(
        &self,
        checked: Option<&str>,
        make: impl FnOnce(&mut Kept),
    ) -> Result<bool, Problem> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.change_in_turn(checked, make, true)
    }

    /// Opens a session, when the hash is still `checked`; whether it was. A disk that is
    /// full must not keep the owner out: the session then ends with the service.
    pub fn open(&self, checked: &str, session: Session) -> bool {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        self.change_in_turn(Some(checked), |kept| kept.open(session, now), false).unwrap_or(false)
    }

    fn change_in_turn(
        &self,
        checked: Option<&str>,
        make: impl FnOnce(&mut Kept),
        must_be_written: bool,
    ) -> Result<bool, Problem> {
        // Nobody else changes it in our turn.
        let old = self.kept().clone();
        if old.hash.as_deref() != checked {
            return Ok(false);
        }
        let mut new = old.clone();
        make(&mut new);
        match self.store.write(FILE, &new) {
            Err(problem) if must_be_written => return Err(problem),
            Err(problem) => log::warn!("a session is not kept over a restart: {problem}"),
            Ok(()) => {}
        }
        let ended = old.sessions.iter().any(|session| !new.sessions.contains(session));
        let opened_or_closed = old.hash.is_some() != new.hash.is_some();
        *self.kept() = new;
        if ended || opened_or_closed || old.hash != self.hash() {
            self.ended.send_replace(());
        }
        Ok(true)
    }

    /// Ends the sessions of these tokens.
    ///
    /// # Errors
    /// 500 when it cannot be written: the session has ended, and a restart of the service
    /// would bring it back.
    pub fn close<'a>(&self, tokens: impl Iterator<Item = &'a str>) -> Result<(), Problem> {
        let ended: Vec<_> = tokens.map(digest).collect();
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = self.kept().clone();
        let before = new.sessions.len();
        new.sessions.retain(|session| !ended.contains(&session.token));
        if new.sessions.len() == before {
            return Ok(());
        }
        *self.kept() = new.clone();
        self.ended.send_replace(());
        self.store.write(FILE, &new)
    }

    /// The browser of one of these tokens, if it was logged in before: its digest.
    pub fn browser<'a>(&self, tokens: impl Iterator<Item = &'a str>) -> Option<String> {
        let browsers = self.browsers();
        tokens.map(digest).find(|token| browsers.tokens.contains(token))
    }

    /// Remembers a browser that has given the password; `alone`: and no other.
    pub fn remember(&self, digest: String, alone: bool) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = self.browsers().clone();
        let same = new.tokens.last() == Some(&digest);
        if same && (!alone || new.tokens.len() == 1) {
            return;
        }
        new.tokens.retain(|known| !alone && *known != digest);
        let over = (new.tokens.len() + 1).saturating_sub(BROWSERS);
        new.tokens.drain(..over);
        new.tokens.push(digest);
        if let Err(problem) = self.store.write(BROWSERS_FILE, &new) {
            log::warn!("a browser is not known any more after a restart: {problem}");
        }
        *self.browsers() = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_over_in_time_and_the_oldest_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = Sessions::load(&Store::new(folder.path())).unwrap();
        let hash = hashing::Hashing::new(hashing::Cost::least()).hash("correct horse").unwrap();
        assert!(sessions.change(None, |kept| kept.hash = Some(hash.clone())).unwrap());
        for (left, open) in [(60, true), (0, false)] {
            let session = Session { token: digest("a token"), until: sessions.now() + left };
            assert!(sessions.change(Some(&hash), |kept| kept.sessions = vec![session]).unwrap());
            let found = sessions.find(["another", "a token"].into_iter());
            assert_eq!(found.is_some(), open);
            assert!(found.is_none_or(|(_, left)| left <= Duration::from_secs(60)));
        }
        for number in 0..2 * SESSIONS {
            assert!(sessions.open(&hash, sessions.session(&number.to_string())));
        }
        assert_eq!(sessions.kept().sessions.len(), SESSIONS);
        assert!(sessions.find(["0"].into_iter()).is_none());
        assert!(sessions.find([(2 * SESSIONS - 1).to_string().as_str()].into_iter()).is_some());
    }

    #[test]
    fn setting_the_clock_neither_ends_a_session_nor_makes_it_last() {
        let year = Duration::from_secs(365 * 24 * 3600);
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let sessions = Sessions::load(&store).unwrap();
        let hash = hashing::Hashing::new(hashing::Cost::least()).hash("correct horse").unwrap();
        assert!(sessions.change(None, |kept| kept.hash = Some(hash.clone())).unwrap());
        let short = Session { token: digest("short"), until: sessions.now() + 600 };
        let over = Session { token: digest("over"), until: sessions.now() - 1 };
        assert!(sessions.change(Some(&hash), |kept| kept.sessions = vec![short, over]).unwrap());
        assert!(sessions.open(&hash, sessions.session("long")));
        let left = |sessions: &Sessions, token: &str| {
            sessions.find([token].into_iter()).map_or(0, |(_, left)| left.as_secs())
        };
        let ends = sessions.ends();
        for wall in [SystemTime::now() + 5 * year, SystemTime::now() - year, SystemTime::now()] {
            sessions.follow(wall);
            assert!((590..=600).contains(&left(&sessions, "short")));
            assert!(left(&sessions, "long").abs_diff(LASTS.as_secs()) < 10);
            assert_eq!(left(&sessions, "over"), 0);
        }
        assert!(!ends.has_changed().unwrap(), "nobody's stream is broken by it");
        // Nor over a restart, where the clock is right again.
        sessions.follow(SystemTime::now());
        assert!((580..=600).contains(&left(&Sessions::load(&store).unwrap(), "short")));
        // A file from when the clock was ahead gives no more than any session has.
        sessions.follow(SystemTime::now() + 5 * year);
        assert!(left(&Sessions::load(&store).unwrap(), "short") <= LASTS.as_secs());
    }

    #[test]
    fn a_session_of_another_hash_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = Sessions::load(&Store::new(folder.path())).unwrap();
        let hash = hashing::Hashing::new(hashing::Cost::least()).hash("correct horse").unwrap();
        assert!(sessions.change(None, |kept| kept.hash = Some(hash.clone())).unwrap());
        assert!(!sessions.open("another", sessions.session("a token")));
        assert!(!sessions.change(None, |kept| kept.hash = None).unwrap());
        assert_eq!(sessions.hash(), Some(hash));
    }

    #[test]
    fn a_full_disk_keeps_nobody_out_and_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let sessions = Sessions::load(&Store::new(&data)).unwrap();
        let hash = hashing::Hashing::new(hashing::Cost::least()).hash("correct horse").unwrap();
        assert!(sessions.change(None, |kept| kept.hash = Some(hash.clone())).unwrap());
        // Nothing can be written where a file is in the folder's place.
        std::fs::remove_dir_all(&data).unwrap();
        std::fs::write(&data, "").unwrap();
        assert!(sessions.open(&hash, sessions.session("a token")));
        assert!(sessions.find(["a token"].into_iter()).is_some());
        // A password that is not kept is not set.
        assert!(sessions.change(Some(&hash), |kept| kept.hash = None).is_err());
        assert_eq!(sessions.hash(), Some(hash));
        // Who logs out is out, and is told that the disk does not know.
        assert!(sessions.close(["a token"].into_iter()).is_err());
        assert!(sessions.find(["a token"].into_iter()).is_none());
    }

    #[test]
    fn browsers_are_known_over_a_restart_and_do_not_pile_up() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let sessions = Sessions::load(&store).unwrap();
        for number in 0..2 * BROWSERS {
            sessions.remember(digest(&number.to_string()), false);
        }
        let again = Sessions::load(&store).unwrap();
        assert_eq!(again.browsers().tokens.len(), BROWSERS);
        assert!(again.browser(["0"].into_iter()).is_none());
        let newest = (2 * BROWSERS - 1).to_string();
        assert!(again.browser([newest.as_str()].into_iter()).is_some());
        again.remember(digest("alone"), true);
        assert_eq!(again.browsers().tokens, [digest("alone")]);
        // It opens nothing, so what cannot be read is no reason to stay closed.
        std::fs::write(folder.path().join(BROWSERS_FILE), "{").unwrap();
        assert!(Sessions::load(&store).is_ok());
    }
}
