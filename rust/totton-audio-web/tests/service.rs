//! The real program against a daemon double, over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bench;
mod double;
mod features;
mod guard;
mod http;
mod interfaces;
mod releases;
mod restore;
mod storage;
mod updater;
mod versions;

use std::time::Duration;

use bench::Bench;
use http::{Events, Response, exchange, request};
use serde_json::json;
use totton_protocol::{Command, ErrorCode, State};

/// A refusal is problem+json with all that the page and a person need.
#[track_caller]
fn assert_problem(response: &Response, status: u16, kind: &str) {
    let text = String::from_utf8_lossy(&response.body);
    assert_eq!(response.status, status, "{text}");
    assert_eq!(response.header("content-type"), Some("application/problem+json"), "{text}");
    let members = response.json();
    assert_eq!(members["type"], format!("urn:totton-audio:problem:{kind}"), "{text}");
    assert_eq!(members["status"], status);
    for member in ["title", "detail", "action"] {
        assert!(members[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {text}");
    }
}

#[test]
fn status_is_what_the_daemon_says() {
    let (bench, double) = Bench::with_daemon("");
    double.shared.lock().unwrap().status.state = State::WaitingForDac;
    let response = bench.get("/api/v1/status");
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("application/json"));
    let status: totton_protocol::Status = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(status.state, State::WaitingForDac);
    assert_eq!(status.output.unwrap().rate, 705_600);
}

#[test]
fn while_the_daemon_is_away_status_and_commands_are_503_with_a_reason() {
    let bench = Bench::without_daemon("");
    for response in
        [bench.get("/api/v1/status"), bench.order("PUT /api/v1/mute", r#"{"mute":true}"#)]
    {
        assert_problem(&response, 503, "daemon-away");
        assert!(response.header("retry-after").is_some());
        assert!(response.json()["detail"].as_str().unwrap().contains("did not answer"));
        assert!(response.json()["action"].as_str().unwrap().contains("journalctl"));
    }
    let health = bench.get("/api/v1/health");
    assert_eq!((health.status, &health.json()["daemon"]), (200, &json!(false)));
}

#[test]
fn every_command_reaches_the_daemon_and_answers_with_the_status_after_it() {
    let (bench, double) = Bench::with_daemon("");
    let muted = bench.order("PUT /api/v1/mute", r#"{"mute":true}"#);
    assert_eq!((muted.status, &muted.json()["sound"]["mute"]), (200, &json!(true)));
    let quieter = bench.order("PUT /api/v1/gain", r#"{"gain_db":-12.5}"#);
    assert_eq!((quieter.status, &quieter.json()["sound"]["gain_db"]), (200, &json!(-12.5)));
    let restarted = bench.order("POST /api/v1/restart-stream", "{}");
    assert_eq!(restarted.json()["counters"]["stream_starts"], 2);
    let reloaded = bench.order("POST /api/v1/reload", "{}");
    assert_eq!(reloaded.json()["counters"]["reloads"], 1);
    double.shared.lock().unwrap().status.overs.clipped_samples = 5;
    let anew = bench.order("POST /api/v1/reset-overs", "{}");
    assert_eq!(anew.json()["overs"]["clipped_samples"], 0);
    assert_eq!(
        double.shared.lock().unwrap().commands,
        [
            Command::SetMute { mute: true },
            Command::SetGain { gain_db: -12.5 },
            Command::RestartStream,
            Command::Reload,
            Command::ResetOvers
        ]
    );
}

#[test]
fn orders_that_take_their_time_leave_room_for_the_volume() {
    let (bench, double) = Bench::with_daemon("");
    double.shared.lock().unwrap().pending = true;
    let reload = || bench.order("POST /api/v1/reload", "{}");
    let answers: Vec<Response> = std::thread::scope(|scope| {
        let orders: Vec<_> = (0..8).map(|_| scope.spawn(reload)).collect();
        std::thread::sleep(Duration::from_millis(300));
        // While they wait.
        for step in 0..10 {
            let body = format!("{{\"gain_db\":-{step}}}");
            assert_eq!(bench.order("PUT /api/v1/gain", &body).status, 200);
        }
        assert!(orders.iter().any(|order| !order.is_finished()), "none was made to wait");
        double.shared.lock().unwrap().pending = false;
        orders.into_iter().map(|order| order.join().unwrap()).collect()
    });
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    assert!((1..=4).contains(&done), "{done}");
    let refused = answers.iter().filter(|answer| answer.status != 200);
    for response in refused {
        assert_problem(response, 503, "busy");
    }
}

#[test]
fn the_daemons_refusals_keep_their_reason() {
    let (bench, double) = Bench::with_daemon("");
    for (code, status, kind) in [
        (ErrorCode::Failed, 409, "daemon-failed"),
        (ErrorCode::OutOfRange, 422, "out-of-range"),
        (ErrorCode::UnsupportedVersion, 502, "daemon-not-understood"),
    ] {
        double.shared.lock().unwrap().refusal = Some((code, "the filter has no taps".into()));
        let response = bench.order("POST /api/v1/reload", "{}");
        assert_problem(&response, status, kind);
        assert_eq!(response.json()["detail"], "the filter has no taps");
    }
}

#[test]
fn bad_bodies_are_refused_and_do_not_reach_the_daemon() {
    let (bench, double) = Bench::with_daemon("");
    for (line, body, status, kind) in [
        ("PUT /api/v1/mute", "{\"mute\":", 400, "not-json"),
        ("PUT /api/v1/mute", "", 400, "not-json"),
        ("PUT /api/v1/mute", "{}", 422, "not-accepted"),
        ("PUT /api/v1/mute", r#"{"mute":"yes"}"#, 422, "not-accepted"),
        ("PUT /api/v1/mute", r#"{"mute":true,"also":1}"#, 422, "not-accepted"),
        ("PUT /api/v1/gain", r#"{"gain_db":null}"#, 422, "not-accepted"),
        ("PUT /api/v1/gain", r#"{"gain_db":0.1}"#, 422, "out-of-range"),
        ("PUT /api/v1/gain", r#"{"gain_db":-120.5}"#, 422, "out-of-range"),
        ("POST /api/v1/reload", r#"{"filter":"/etc/shadow"}"#, 422, "not-accepted"),
    ] {
        assert_problem(&bench.order(line, body), status, kind);
    }
    assert_eq!(double.shared.lock().unwrap().commands, []);
}

#[test]
fn a_body_over_the_limit_is_413_announced_or_not() {
    let (bench, double) = Bench::with_daemon("access.max_body_bytes = 256");
    let large = format!("{{\"mute\":true{}}}", " ".repeat(300));
    assert_problem(&bench.order("PUT /api/v1/mute", &large), 413, "body-too-large");
    let chunked = format!(
        "PUT /api/v1/mute HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
         {:x}\r\n{large}\r\n0\r\n\r\n",
        large.len()
    );
    assert_problem(&exchange(bench.address, chunked.as_bytes()), 413, "body-too-large");
    assert_eq!(double.shared.lock().unwrap().commands, []);
    let small = format!("{{\"mute\":true{}}}", " ".repeat(200));
    assert_eq!(bench.order("PUT /api/v1/mute", &small).status, 200);
}

#[test]
fn a_foreign_host_gets_nothing() {
    let (bench, _double) = Bench::with_daemon("");
    for host in ["evil.example", "totton-audio.local.evil.example", "0x7f.1", "localhost@evil", ""]
    {
        for path in ["GET /", "GET /api/v1/status", "GET /api/v1/events"] {
            let response = request(bench.address, path, &[&format!("Host: {host}")], "");
            assert_problem(&response, 421, "unknown-host");
        }
    }
    // HTTP/1.1 needs exactly one Host, which the HTTP server sees to; HTTP/1.0 does not.
    for hosts in [&[][..], &["Host: localhost", "Host: evil.example"]] {
        assert_eq!(request(bench.address, "GET /", hosts, "").status, 400);
    }
    let none = exchange(bench.address, b"GET / HTTP/1.0\r\n\r\n");
    assert_problem(&none, 400, "one-host-needed");
    // A proxy's word is not taken for the name.
    let forwarded = ["Host: evil.example", "X-Forwarded-Host: localhost"];
    assert_problem(&request(bench.address, "GET /", &forwarded, ""), 421, "unknown-host");
    let absolute = request(bench.address, "GET http://evil.example/", &["Host: localhost"], "");
    assert_problem(&absolute, 421, "unknown-host");
    for host in ["totton-audio.local", "Totton-Audio.local.:80", "192.168.55.1", "127.0.0.1:8080"] {
        let response = request(bench.address, "GET /", &[&format!("Host: {host}")], "");
        assert_eq!(response.status, 200, "{host}");
    }
}

#[test]
fn another_page_cannot_drive_the_device() {
    let (bench, double) = Bench::with_daemon("");
    let put = |headers: &[&str]| {
        let all = [&["Host: totton-audio.local"], headers].concat();
        request(bench.address, "PUT /api/v1/mute", &all, r#"{"mute":true}"#)
    };
    let json = "Content-Type: application/json";
    for foreign in [
        "Origin: http://evil.example",
        "Origin: null",
        "Origin: https://totton-audio.local",
        "Origin: http://totton-audio.local:8080",
        "Origin: http://localhost",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ] {
        assert_problem(&put(&[json, foreign]), 403, "foreign-origin");
    }
    // What a form or a script without CORS can send.
    for plain in ["Content-Type: text/plain", "Content-Type: application/x-www-form-urlencoded"] {
        assert_problem(&put(&[plain]), 415, "json-needed");
    }
    assert_problem(&put(&[]), 415, "json-needed");
    // No preflight is answered with yes.
    let preflight = request(
        bench.address,
        "OPTIONS /api/v1/mute",
        &[
            "Host: totton-audio.local",
            "Origin: http://evil.example",
            "Access-Control-Request-Method: PUT",
        ],
        "",
    );
    assert_eq!(preflight.status, 403);
    assert_eq!(preflight.header("access-control-allow-origin"), None);
    assert_eq!(double.shared.lock().unwrap().commands, []);
    // The page itself, and a tool that is no browser.
    assert_eq!(put(&[json, "Origin: http://totton-audio.local"]).status, 200);
    assert_eq!(put(&["Content-Type: application/json; charset=utf-8"]).status, 200);
}

#[test]
fn events_tell_telemetry_then_away_then_telemetry_again() {
    let (bench, double) = Bench::with_daemon("");
    let mut events = Events::open(bench.address);
    assert_eq!(events.status, 200);
    assert!(events.headers.iter().any(|(_, value)| value == "text/event-stream"));
    let (name, hello) = events.next().unwrap();
    assert_eq!((name.as_str(), &hello["version"]), ("hello", &json!(env!("CARGO_PKG_VERSION"))));
    // By which the page tells whether the clock is right.
    let shown = bench.get("/api/v1/clock").json()["unix_time_ms"].as_u64().unwrap();
    assert!(hello["unix_time_ms"].as_u64().unwrap().abs_diff(shown) < 10_000, "{hello}");
    let telemetry = events.wait_for("telemetry", |data| data["status"]["state"] == "streaming");
    assert_eq!(telemetry["levels"]["output_peak_dbfs"].as_array().unwrap().len(), 2);
    // A command shows in the events.
    assert_eq!(bench.order("PUT /api/v1/gain", r#"{"gain_db":-33.0}"#).status, 200);
    events.wait_for("telemetry", |data| data["status"]["sound"]["gain_db"] == -33.0);

    drop(double);
    let away = events.wait_for("away", |_| true);
    assert!(away["reason"].as_str().unwrap().contains("silent"), "{away}");
    assert!(away["action"].as_str().unwrap().contains("gpu-upsampler"), "{away}");
    let later = events.wait_for("away", |_| true);
    assert!(later["silent_seconds"].as_f64() > away["silent_seconds"].as_f64());
    // A page that is opened now learns the same at once.
    Events::open(bench.address).wait_for("away", |_| true);

    let _back = double::Double::start(bench.folder.path());
    events.wait_for("telemetry", |data| data["status"]["sound"]["gain_db"] == -6.0);
}

#[test]
fn more_pages_than_the_limit_are_told_so_and_a_closed_page_makes_room() {
    let (bench, _double) = Bench::with_daemon("access.max_event_streams = 2");
    let (first, _second) = (Events::open(bench.address), Events::open(bench.address));
    assert_problem(&bench.get("/api/v1/events"), 503, "too-many-pages");
    drop(first);
    let start = std::time::Instant::now();
    while Events::open(bench.address).status != 200 {
        assert!(start.elapsed() < http::DEADLINE, "the place was never free again");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_page_is_whole_cacheable_and_locked_down() {
    let bench = Bench::without_daemon("");
    let page = bench.get("/");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let html = String::from_utf8(page.body).unwrap();
    // What the policy would block, and what a page without a network cannot have.
    for forbidden in ["<style", "style=", "onclick", "https://", "http://"] {
        assert!(!html.contains(forbidden), "{forbidden} in index.html");
    }
    let links: Vec<_> = html
        .split('"')
        .filter(|text| text.starts_with('/') && text.contains('.'))
        .chain(["/"])
        .collect();
    assert!(links.len() > 3, "{links:?}");
    for path in links {
        let plain = bench.get(path);
        assert_eq!((path, plain.status), (path, 200));
        assert_eq!(plain.header("x-content-type-options"), Some("nosniff"));
        let host = "Host: localhost";
        let gzip = request(
            bench.address,
            &format!("GET {path}"),
            &[host, "Accept-Encoding: gzip, br"],
            "",
        );
        assert_eq!(gzip.header("content-encoding"), Some("gzip"));
        assert!(gzip.body.len() < plain.body.len(), "{path}");
        let etag = plain.header("etag").unwrap();
        assert_ne!(Some(etag), gzip.header("etag"));
        let known = format!("If-None-Match: \"other\", {etag}");
        let again = request(bench.address, &format!("GET {path}"), &[host, &known], "");
        assert_eq!((again.status, again.body.len()), (304, 0));
    }
}

#[test]
fn unknown_paths_and_methods_are_problems_with_the_same_headers() {
    let bench = Bench::without_daemon("");
    for path in ["/nothing", "/api/v1/nothing", "/../../etc/passwd", "/%2e%2e/etc/passwd"] {
        let response = bench.get(path);
        assert_problem(&response, 404, "not-found");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    }
    let response = bench.order("DELETE /api/v1/mute", "{}");
    assert_problem(&response, 405, "method-not-allowed");
    assert_eq!(response.header("allow"), Some("PUT"));
    assert_problem(&bench.get("/api/v1/reload"), 405, "method-not-allowed");
}

#[test]
fn sigterm_ends_it_within_two_seconds_whatever_is_open() {
    let (mut bench, double) = Bench::with_daemon("");
    let mut events = Events::open(bench.address);
    events.wait_for("telemetry", |_| true);
    // A command that the daemon takes its time for.
    double.shared.lock().unwrap().delay = Duration::from_secs(4);
    let address = bench.address;
    std::thread::spawn(move || {
        use std::io::Write;
        let mut slow = std::net::TcpStream::connect(address).unwrap();
        let text = "POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\n\
                    Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
        slow.write_all(text.as_bytes()).unwrap();
        std::thread::sleep(http::DEADLINE);
    });
    std::thread::sleep(Duration::from_millis(200));
    let (status, after) = bench.terminate();
    assert!(status.success(), "{status}");
    assert!(after < Duration::from_secs(2), "{after:?}");
}

#[test]
fn a_start_that_fails_says_why_and_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let config = bench::write_settings(folder.path(), "");
    let run = |port: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_totton-audio-web"))
            .arg("--config")
            .arg(&config)
            .env("TOTTON_AUDIO_WEB_PORT", port)
            .env("JOURNAL_STREAM", "1:1")
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = run(&port.to_string());
    assert_eq!(code, Some(1), "{text}");
    assert!(text.starts_with("<3>") && text.contains("ss -ltnp"), "{text}");
    let (code, text) = run("eighty");
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("TOTTON_AUDIO_WEB_PORT") && text.contains("accepted"), "{text}");
}
