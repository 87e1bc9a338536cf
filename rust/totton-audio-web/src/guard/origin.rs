//! Whether a request comes from another page, by what the browser says of it.
//!
//! What is refused here is not counted against anybody's pace. A browser says the most to a
//! URL that it trusts; to `http://totton-audio.local` it sends `Origin` with what changes
//! something and with CORS, `Referer` unless the other page forbids it, and no Fetch
//! Metadata. So [`caller`](super::caller) asks for the page's cookie besides.

use actix_web::http::header::HeaderMap;
use actix_web::http::{Method, StatusCode};

use crate::problem::Problem;

/// The documents that other pages may link to.
const DOCUMENTS: [&str; 2] = ["/", "/api"];

/// The kind of [`page_needed`].
pub const PAGE_NEEDED: &str = "page-needed";

/// Whether this request may come from where it does.
///
/// # Errors
/// 403 when another page sends it.
pub fn check(headers: &HeaderMap, host: &str, method: &Method, path: &str) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let own = |from: &str| {
        let authority = from.strip_prefix("http://").and_then(|rest| rest.split('/').next());
        authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    };
    let link = matches!(*method, Method::GET | Method::HEAD) && DOCUMENTS.contains(&path);
    let site_fits = text("sec-fetch-site").is_none_or(|site| {
        matches!(site, "same-origin" | "none") || link && text("sec-fetch-mode") == Some("navigate")
    });
    if text("origin").is_none_or(own) && site_fits && (link || text("referer").is_none_or(own)) {
        return Ok(());
    }
    let from = text("origin").or_else(|| text("referer")).unwrap_or("another site");
    // As much of it as helps: an address can have a megabyte.
    let from: String = from.chars().take(100).collect();
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "foreign-origin",
        "Another page may not control the device",
        format!("the request comes from {from:?}"),
        "Use the device's own page.",
    ))
}

/// A browser asks the API without the page's cookie.
pub fn page_needed() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        PAGE_NEEDED,
        "The device's own page must be opened first",
        "the request comes from a browser and brings no cookie of the device's page",
        "Open the device's page, allow its cookies, and try again. A program that calls itself \
         Mozilla sends the cookie totton-page=1.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn passes(method: Method, path: &str, lines: &[(&str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::try_from(*name).unwrap();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
        check(&headers, "totton-audio.local", &method, path).is_ok()
    }

    #[test]
    fn the_page_itself_and_who_says_nothing_pass() {
        for lines in [
            &[][..],
            &[("origin", "http://totton-audio.local")],
            &[("referer", "http://totton-audio.local/#sound")],
            &[("referer", "http://totton-audio.local")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors")],
            &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")],
        ] {
            assert!(passes(Method::GET, "/api/v1/status", lines), "{lines:?}");
            assert!(passes(Method::PUT, "/api/v1/mute", lines), "{lines:?}");
        }
    }

    #[test]
    fn another_page_is_known_by_any_of_three_headers() {
        for lines in [
            &[("origin", "null")][..],
            &[("origin", "http://totton-audio.local.evil.example")],
            &[("origin", "https://totton-audio.local")],
            &[("origin", "http://totton-audio.local:8080")],
            &[("referer", "http://evil.example/http://totton-audio.local/")],
            &[("referer", "http://totton-audio.local@evil.example/")],
            &[("referer", "")],
            &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
            &[("sec-fetch-site", "same-site")],
            // A word that is not known yet.
            &[("sec-fetch-site", "elsewhere")],
            &[("sec-fetch-site", "same-origin"), ("origin", "http://evil.example")],
        ] {
            assert!(!passes(Method::GET, "/api/v1/status", lines), "{lines:?}");
            assert!(!passes(Method::PUT, "/api/v1/mute", lines), "{lines:?}");
        }
    }

    #[test]
    fn a_link_leads_to_a_document_only_and_only_as_a_link() {
        let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
        let older = [("referer", "http://elsewhere.example/")];
        let image = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")];
        for path in DOCUMENTS {
            assert!(passes(Method::GET, path, &link) && passes(Method::GET, path, &older));
            assert!(!passes(Method::GET, path, &image) && !passes(Method::POST, path, &link));
        }
        assert!(!passes(Method::GET, "/app.js", &link) && !passes(Method::GET, "/app.js", &older));
    }
}
