//! Who is let in, and for how long: the password and its sessions, floods, senders that trickle.

mod hostile;
mod password;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::assert_problem;
use crate::bench::Bench;
use crate::http::{DEADLINE, Events, connect, exchange, request};

#[test]
fn an_open_event_stream_ends_with_its_session_and_does_not_come_back_without_one() {
    let (bench, _double) = Bench::with_daemon("");
    let ended = |stream: &mut Events| {
        let start = Instant::now();
        while stream.next().is_some() {
            assert!(start.elapsed() < DEADLINE, "the stream goes on");
        }
    };
    for path in ["/api/v1/events", "/api/v1/spectrum"] {
        let mut before = Events::open_at(bench.address, path);
        assert!(before.next().is_some());
        let set = r#"{"current":null,"new":"correct horse"}"#;
        let set = bench.order("PUT /api/v1/password", set);
        ended(&mut before);
        assert_eq!(Events::open_at(bench.address, path).status, 401);

        // With its cookie it is open, until it logs out.
        let cookie = set.header("set-cookie").unwrap().split(';').next().unwrap();
        let headers =
            ["Host: localhost", "Content-Type: application/json", &format!("Cookie: {cookie}")];
        let mut inside = Events::open_with(bench.address, path, &headers[2..]);
        assert_eq!(inside.status, 200);
        assert!(inside.next().is_some());
        assert_eq!(request(bench.address, "DELETE /api/v1/session", &headers, "{}").status, 200);
        ended(&mut inside);
        let gone = r#"{"current":"correct horse","new":null}"#;
        let again = bench.order("POST /api/v1/session", r#"{"password":"correct horse"}"#);
        let cookie = again.header("set-cookie").unwrap().split(';').next().unwrap();
        let headers =
            ["Host: localhost", "Content-Type: application/json", &format!("Cookie: {cookie}")];
        assert_eq!(request(bench.address, "PUT /api/v1/password", &headers, gone).status, 200);
    }
}

#[test]
fn with_a_password_nothing_is_open_but_the_way_in() {
    let (bench, double) = Bench::with_daemon("");
    let host = "Host: localhost";
    assert_eq!(bench.get("/api/v1/session").json(), json!({"password_set": false, "open": true}));
    let set = bench.order("PUT /api/v1/password", r#"{"current":null,"new":"correct horse"}"#);
    assert_eq!(set.status, 200);
    let cookie = set.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/api/v1", "Max-Age="] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
    let commands = double.shared.lock().unwrap().commands.len();
    for path in
        ["status", "events", "settings", "backup", "logs", "diagnostics", "spectrum", "check"]
    {
        assert_problem(&bench.get(&format!("/api/v1/{path}")), 401, "password-needed");
    }
    assert_problem(&bench.order("PUT /api/v1/mute", r#"{"mute":true}"#), 401, "password-needed");
    assert_eq!(double.shared.lock().unwrap().commands.len(), commands);
    for open in ["/", "/app.js", "/api/v1/health", "/api/v1/session", "/api/v1/openapi.json"] {
        assert_eq!(bench.get(open).status, 200, "{open}");
    }
    assert_eq!(request(bench.address, "GET /api/v1/status", &[host, &cookie], "").status, 200);
    let wrong = bench.order("POST /api/v1/session", r#"{"password":"wrong horse"}"#);
    assert_problem(&wrong, 401, "wrong-password");
    for _ in 0..4 {
        bench.order("POST /api/v1/session", r#"{"password":"wrong horse"}"#);
    }
    let locked = bench.order("POST /api/v1/session", r#"{"password":"correct horse"}"#);
    assert_problem(&locked, 429, "locked-out");
    assert!(locked.header("retry-after").is_some());
    // Who is in stays in.
    assert_eq!(request(bench.address, "GET /api/v1/status", &[host, &cookie], "").status, 200);
    // The report must not carry what opens the box.
    let report = request(bench.address, "GET /api/v1/diagnostics", &[host, &cookie], "");
    let mut text = String::new();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(report.body.as_slice()));
    for entry in archive.entries().unwrap() {
        entry.unwrap().read_to_string(&mut text).unwrap();
    }
    assert!(text.contains("streaming") && text.contains("gpu-upsampler: started"), "{text}");
    assert!(!text.contains("argon2"));
}

#[test]
fn no_other_spelling_of_a_path_is_open() {
    let (bench, double) = Bench::with_daemon("");
    let description = bench.get("/api/v1/openapi.json").json();
    assert_eq!(bench.order("PUT /api/v1/password", r#"{"new":"correct horse"}"#).status, 200);
    let commands = double.shared.lock().unwrap().commands.len();
    let open = ["/api/v1/health", "/api/v1/session", "/api/v1/openapi.json"];
    let encoded = |path: &str, place: usize| {
        let letter = path.as_bytes()[place];
        format!("{}%{letter:02x}{}", &path[..place], &path[place + 1..])
    };
    let mut asked = 0;
    for (path, methods) in description["paths"].as_object().unwrap() {
        if open.contains(&path.as_str()) {
            continue;
        }
        // One letter of each part; a parameter is a part, too.
        let path = path.replace(['{', '}'], "");
        let places = path.match_indices('/').map(|(place, _)| place + 1);
        for spelling in places.map(|place| encoded(&path, place)).chain([
            path.replacen("/api/v1", "/%61%70%69/%76%31", 1),
            path.to_uppercase(),
            format!("/{path}"),
            format!("/x/..{path}"),
            format!("{path}/"),
            format!("{path}?x"),
        ]) {
            for method in methods.as_object().unwrap().keys() {
                let line = format!("{} {spelling}", method.to_uppercase());
                let json = "Content-Type: application/json";
                let mut told = request(bench.address, &line, &["Host: localhost", json], "{}");
                while told.status == 429 {
                    std::thread::sleep(Duration::from_millis(100));
                    told = request(bench.address, &line, &["Host: localhost", json], "{}");
                }
                assert!(matches!(told.status, 401 | 404 | 405), "{line}: {}", told.status);
                asked += 1;
            }
        }
    }
    assert!(asked > 300, "{asked}");
    assert_eq!(double.shared.lock().unwrap().commands.len(), commands);
}

#[test]
fn a_flood_is_refused_and_others_are_served() {
    let (bench, double) = Bench::with_daemon("");
    let mut answers = std::collections::BTreeMap::<u16, u32>::new();
    let mut last = None;
    for _ in 0..5000 {
        let response = bench.order("PUT /api/v1/mute", r#"{"mute":false}"#);
        *answers.entry(response.status).or_default() += 1;
        if response.status == 429 {
            last = Some(response);
            break;
        }
    }
    assert!(answers.contains_key(&200) && answers.contains_key(&429), "{answers:?}");
    let last = last.unwrap();
    assert_problem(&last, 429, "too-many-requests");
    assert!(last.header("retry-after").is_some());
    // Looking still works, and the daemon lives.
    assert_eq!(bench.get("/api/v1/status").status, 200);
    drop(double);
}

#[test]
fn who_trickles_is_cut_off() {
    let (bench, _double) = Bench::with_daemon("");
    // Headers, a line every half second, that never end.
    let start = Instant::now();
    let mut slow = connect(bench.address);
    slow.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n").unwrap();
    while start.elapsed() < DEADLINE {
        std::thread::sleep(Duration::from_millis(500));
        if slow.write_all(b"X: y\r\n").is_err() {
            break;
        }
    }
    assert!(start.elapsed() < DEADLINE / 2, "{:?}", start.elapsed());
    // A body that stops in the middle.
    let text = "PUT /api/v1/mute HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"mute\"";
    assert_problem(&exchange(bench.address, text.as_bytes()), 408, "body-too-slow");
}
