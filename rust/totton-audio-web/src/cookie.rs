//! The cookies of a request, and the one that the page hands out.

use actix_web::http::header::{self, HeaderMap, HeaderValue};

/// The page's cookie.
pub const PAGE: &str = "totton-page";

/// As it is handed out: for the browser's session, for every path.
pub const SET_PAGE: HeaderValue =
    HeaderValue::from_static("totton-page=1; Path=/; HttpOnly; SameSite=Strict");

/// Cookies of one name that are looked at: a browser has one or two.
const COOKIES: usize = 4;

/// The values of a request's cookies of this name.
pub fn values<'a>(headers: &'a HeaderMap, wanted: &'static str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(header::COOKIE)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(move |(name, value)| (name == wanted).then_some(value))
        .take(COOKIES)
}

/// Whether the request has a cookie of this name.
pub fn has(headers: &HeaderMap, name: &'static str) -> bool {
    values(headers, name).next().is_some()
}
