//! Who asks, as far as a request can prove it: a stranger, the device's own page, a session.
//!
//! The page hands out a cookie with its HTML. It is `SameSite=Strict`: a browser sends it with
//! what the device's own page asks for, and with nothing that another page asks for, whatever
//! that page does. Its value is no secret (anybody may load the page), and no right hangs on
//! it. What hangs on it is the share of the device's places and pace: what strangers use up,
//! a hostile page in the owner's browser among them, the page still has.
//!
//! `Sec-Fetch-Site` would say the same, but browsers send it to trustworthy URLs only, and
//! `http://totton-audio.local` is none.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderMap};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::cookie::{self, PAGE};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Caller {
    /// Brings no cookie of ours: a program, another page, or the first request of a browser.
    Stranger,
    /// A browser that asks for the device's own page, or a program that says so.
    Page,
    /// Has given the password; SHA-256 of the session's token.
    Session(String),
}

impl Caller {
    /// The caller of a request with this session, or none.
    pub fn of(headers: &HeaderMap, session: Option<String>) -> Self {
        match session {
            Some(session) => Self::Session(session),
            None if cookie::has(headers, PAGE) => Self::Page,
            None => Self::Stranger,
        }
    }

    /// Whether a browser sent this, by its own word. A page cannot change that word in a
    /// request for which it needs no permission. PowerShell calls itself Mozilla, too.
    pub fn is_browser(headers: &HeaderMap) -> bool {
        let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        agent.is_some_and(|agent| agent.starts_with("Mozilla/") && !agent.contains("PowerShell/"))
    }

    /// The caller of the request that this task handles; a stranger where there is none.
    pub fn current() -> Self {
        CURRENT.try_with(Clone::clone).unwrap_or(Self::Stranger)
    }

    /// Runs the handler of a request of this caller.
    pub async fn asks<F: Future>(self, handler: F) -> F::Output {
        CURRENT.scope(self, handler).await
    }
}

tokio::task_local! {
    static CURRENT: Caller;
}

/// Places of which some are not for strangers.
#[derive(Debug)]
pub struct Places {
    all: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    count: usize,
}

/// A taken place; free again when it is dropped.
#[derive(Debug)]
#[must_use = "the place is free again as soon as it is dropped"]
pub struct Place {
    _place: OwnedSemaphorePermit,
    _as_stranger: Option<OwnedSemaphorePermit>,
}

impl Places {
    /// `count` places, `kept` of them for the page.
    pub fn new(count: usize, kept: usize) -> Self {
        let strangers = Arc::new(Semaphore::new(count.saturating_sub(kept)));
        Self { all: Arc::new(Semaphore::new(count)), strangers, count }
    }

    /// Takes a place for the caller of this task's request, if one is free for it.
    pub fn take(&self) -> Option<Place> {
        self.take_for(&Caller::current())
    }

    fn take_for(&self, caller: &Caller) -> Option<Place> {
        let as_stranger = match caller {
            Caller::Stranger => Some(Arc::clone(&self.strangers).try_acquire_owned().ok()?),
            Caller::Page | Caller::Session(_) => None,
        };
        let place = Arc::clone(&self.all).try_acquire_owned().ok()?;
        Some(Place { _place: place, _as_stranger: as_stranger })
    }

    /// Whether nobody has one.
    pub fn all_free(&self) -> bool {
        self.all.available_permits() == self.count
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn strangers_leave_the_page_its_places_and_the_page_may_have_all() {
        let places = Places::new(8, 2);
        let strangers: Vec<_> = std::iter::from_fn(|| places.take_for(&Caller::Stranger)).collect();
        assert_eq!(strangers.len(), 6);
        let pages: Vec<_> = std::iter::from_fn(|| places.take_for(&Caller::Page)).collect();
        assert_eq!(pages.len(), 2);
        drop(strangers);
        assert!(!places.all_free());
        let more = std::iter::from_fn(|| places.take_for(&Caller::Session("x".into())));
        assert_eq!(more.collect::<Vec<_>>().len(), 6);
        drop(pages);
        assert!(places.all_free());
        // What was taken as a stranger can be taken again.
        assert!(places.take_for(&Caller::Stranger).is_some());
    }

    #[actix_web::test]
    async fn a_task_knows_its_caller() {
        assert_eq!(Caller::current(), Caller::Stranger);
        assert_eq!(Caller::Page.asks(async { Caller::current() }).await, Caller::Page);
        assert_eq!(Caller::current(), Caller::Stranger);
    }

    #[test]
    fn a_browser_says_mozilla_and_so_does_powershell() {
        for (agent, browser) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", true),
            ("Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.1", false),
            ("Mozilla/5.0 (Linux; Debian) PowerShell/7.4.6", false),
            ("curl/8.14.1", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
            assert_eq!(Caller::is_browser(&headers), browser, "{agent}");
        }
        assert!(!Caller::is_browser(&HeaderMap::new()));
    }
}
