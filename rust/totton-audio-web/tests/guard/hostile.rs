//! A page of somebody else in the owner's browser: what it may send, and what it may not use up.
//!
//! A browser tells a plain-http device nothing of where a request comes from (the Fetch
//! Metadata headers are for trustworthy URLs), so most of these come without any such word.

use crate::assert_problem;
use crate::bench::Bench;
use crate::http::{Events, Response, request};

const BROWSER: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0 Safari/537.36";
const HOST: &str = "Host: localhost";

/// The page's cookie, as the browser keeps it from the page.
fn page_cookie(response: &Response) -> String {
    let cookie = response.header("set-cookie").expect("the page hands out a cookie");
    for part in ["SameSite=Strict", "HttpOnly", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    format!("Cookie: {}", cookie.split(';').next().unwrap())
}

fn get(bench: &Bench, path: &str, headers: &[&str]) -> Response {
    let headers = [&[HOST], headers].concat();
    request(bench.address, &format!("GET {path}"), &headers, "")
}

/// The whole page loads and may ask and order.
#[track_caller]
fn assert_owner_is_served(bench: &Bench) {
    let page = get(bench, "/", &[BROWSER]);
    assert_eq!(page.status, 200);
    let cookie = page_cookie(&page);
    let html = String::from_utf8(page.body).unwrap();
    for path in html.split('"').filter(|text| text.starts_with('/') && text.contains('.')) {
        assert_eq!(get(bench, path, &[BROWSER, &cookie]).status, 200, "{path}");
    }
    assert_eq!(get(bench, "/api/v1/status", &[BROWSER, &cookie]).status, 200);
    assert_eq!(Events::open_with(bench.address, "/api/v1/events", &[BROWSER, &cookie]).status, 200);
    let json = "Content-Type: application/json";
    let headers = [HOST, BROWSER, &cookie, json];
    let order = request(bench.address, "PUT /api/v1/mute", &headers, r#"{"mute":false}"#);
    assert_eq!(order.status, 200);
}

#[test]
fn cross_site_requests_are_refused_and_cost_the_owner_nothing() {
    let (bench, double) = Bench::with_daemon("");
    let ways: &[(&[&str], &str)] = &[
        // What a newer browser says, to a device with a name that it trusts.
        (&["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"], "foreign-origin"),
        (&["Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors"], "foreign-origin"),
        (&["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"], "foreign-origin"),
        (&["Origin: http://evil.example"], "foreign-origin"),
        (&["Origin: null"], "foreign-origin"),
        (&["Referer: http://evil.example/cats"], "foreign-origin"),
        // What it says to http://totton-audio.local: nothing.
        (&[], "page-needed"),
    ];
    for (headers, kind) in ways {
        let headers = [&[BROWSER], *headers].concat();
        for number in 0..500 {
            let response = get(&bench, &format!("/api/v1/settings?{number}"), &headers);
            assert_problem(&response, 403, kind);
        }
    }
    // The router reads escapes; the gate must, too.
    for path in ["/%61pi/v1/settings", "/api/%761/settings", "/api/v1/%73ettings"] {
        assert_problem(&get(&bench, path, &[BROWSER]), 403, "page-needed");
    }
    assert_eq!(double.shared.lock().unwrap().commands, [], "one of them reached the daemon");
    assert_owner_is_served(&bench);
}

#[test]
fn a_link_to_the_page_works_and_one_to_the_api_does_not() {
    let (bench, _double) = Bench::with_daemon("");
    let from_elsewhere = [BROWSER, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"];
    let older = [BROWSER, "Referer: http://elsewhere.example/"];
    for headers in [&from_elsewhere[..], &older] {
        for path in ["/", "/api"] {
            let page = get(&bench, path, headers);
            assert_eq!(page.status, 200, "{path}");
            page_cookie(&page);
        }
        for path in ["/api/v1/status", "/api/v1/openapi.json", "/app.js"] {
            assert_problem(&get(&bench, path, headers), 403, "foreign-origin");
        }
    }
    // A bookmark, and an address that was typed.
    let typed = [BROWSER, "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"];
    let cookie = page_cookie(&get(&bench, "/", &typed));
    // An unchanged page hands it out, too.
    let etag = get(&bench, "/", &typed).header("etag").unwrap().to_owned();
    let unchanged = get(&bench, "/", &[BROWSER, &format!("If-None-Match: {etag}")]);
    assert_eq!(unchanged.status, 304);
    page_cookie(&unchanged);
    assert_eq!(get(&bench, "/api/v1/status", &[BROWSER, &cookie]).status, 200);
}

#[test]
fn a_page_without_its_cookie_gets_it_with_the_refusal() {
    // An open page of the version before, or of a browser whose cookies were cleared.
    let (bench, _double) = Bench::with_daemon("");
    let refused = get(&bench, "/api/v1/status", &[BROWSER]);
    assert_problem(&refused, 403, "page-needed");
    let cookie = page_cookie(&refused);
    assert_eq!(get(&bench, "/api/v1/status", &[BROWSER, &cookie]).status, 200);
}

#[test]
fn programs_need_no_cookie() {
    let (bench, _double) = Bench::with_daemon("");
    for agent in [
        "User-Agent: curl/8.14.1",
        "User-Agent: python-requests/2.32",
        "User-Agent: Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.22621",
        "X-No: agent",
    ] {
        assert_eq!(get(&bench, "/api/v1/status", &[agent]).status, 200, "{agent}");
    }
}

#[test]
fn who_does_not_come_from_the_page_cannot_use_up_the_pages_pace() {
    let (bench, _double) = Bench::with_daemon("");
    let mut last = None;
    for _ in 0..5000 {
        let response = bench.order("PUT /api/v1/mute", r#"{"mute":false}"#);
        if response.status == 429 {
            last = Some(response);
            break;
        }
    }
    assert_problem(&last.expect("nobody was slowed down"), 429, "too-many-requests");
    for _ in 0..2000 {
        if get(&bench, "/api/v1/health", &[]).status == 429 {
            break;
        }
    }
    assert_owner_is_served(&bench);
}

#[test]
fn streams_and_journal_readers_keep_places_for_the_page() {
    let (bench, _double) = Bench::with_daemon("access.max_event_streams = 16");
    let cookie = page_cookie(&get(&bench, "/", &[]));
    for path in ["/api/v1/events", "/api/v1/logs/follow", "/api/v1/spectrum"] {
        let mut open = Vec::new();
        loop {
            let stream = Events::open_at(bench.address, path);
            if stream.status != 200 {
                assert_eq!(stream.status, 503, "{path}");
                break;
            }
            open.push(stream);
            assert!(open.len() < 100, "{path} has no limit");
        }
        let page = Events::open_with(bench.address, path, &[&cookie]);
        assert_eq!(page.status, 200, "{path}: the page finds no place beside {}", open.len());
    }
}

#[test]
fn a_flood_of_refusals_writes_a_bounded_number_of_lines() {
    let (bench, _double) = Bench::with_daemon("");
    for _ in 0..1000 {
        get(&bench, "/api/v1/status", &[BROWSER, "Origin: http://evil.example"]);
    }
    let refusals = bench.log().iter().filter(|line| line.contains("refused")).count();
    assert!((1..60).contains(&refusals), "{refusals} lines");
}
