//! The `Content-Security-Policy`: the page loads nothing from elsewhere, runs no inline script, and
//! asks nobody but the box, and the update feed where its owner has named one.

use std::sync::{PoisonError, RwLock};

use actix_web::http::header::HeaderValue;

use crate::releases::FeedAddress;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; connect-src 'self'";

/// The policy of every response.
pub struct Policy(RwLock<HeaderValue>);

impl Default for Policy {
    fn default() -> Self {
        Self(RwLock::new(HeaderValue::from_static(POLICY)))
    }
}

impl Policy {
    /// Lets the page ask this feed, and no other.
    pub fn allow(&self, feed: Option<&FeedAddress>) {
        let text = feed.map(|address| format!("{POLICY} {}", address.as_str()));
        // An address has no character that a header cannot have.
        let value = text.and_then(|text| HeaderValue::from_str(&text).ok());
        *self.0.write().unwrap_or_else(PoisonError::into_inner) =
            value.unwrap_or(HeaderValue::from_static(POLICY));
    }

    /// The header's value.
    pub fn header(&self) -> HeaderValue {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
