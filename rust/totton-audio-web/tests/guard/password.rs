//! The password under load and in races: memory, sessions of an old password, the lockout.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use crate::assert_problem;
use crate::bench::Bench;
use crate::http::{Response, request};

const HOST: &str = "Host: localhost";
const JSON: &str = "Content-Type: application/json";

fn ask(address: SocketAddr, line: &str, cookies: &str, body: &serde_json::Value) -> Response {
    let cookies = format!("Cookie: {cookies}");
    request(address, line, &[HOST, JSON, &cookies], &body.to_string())
}

/// As [`ask`], again when the device says that it was too fast or that a place is missing.
fn ask_slowly(
    address: SocketAddr,
    line: &str,
    cookies: &str,
    body: &serde_json::Value,
) -> Response {
    let start = std::time::Instant::now();
    loop {
        let response = ask(address, line, cookies, body);
        let kind = response.json()["type"].as_str().map(str::to_owned);
        let again = kind
            .is_some_and(|kind| kind.ends_with(":too-many-requests") || kind.ends_with(":busy"));
        if !again {
            return response;
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(60), "never answered");
        thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Every cookie that the response sets, as the browser sends them.
fn cookies(response: &Response) -> String {
    let set = response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    let pairs: Vec<_> = set.map(|(_, value)| value.split(';').next().unwrap().to_owned()).collect();
    assert!(!pairs.is_empty(), "no cookie: {response:?}");
    pairs.join("; ")
}

fn log_in(address: SocketAddr, cookies: &str, password: &str) -> Response {
    ask_slowly(address, "POST /api/v1/session", cookies, &json!({ "password": password }))
}

fn change(
    address: SocketAddr,
    cookies: &str,
    current: Option<&str>,
    new: Option<&str>,
) -> Response {
    let body = json!({ "current": current, "new": new });
    ask_slowly(address, "PUT /api/v1/password", cookies, &body)
}

#[test]
fn memory_stays_bounded_whatever_is_asked() {
    let (bench, _double) = Bench::with_daemon("");
    let address = bench.address;
    bench.get("/");
    let before = bench.resident_kib();
    // All at once, as one who wants the page to be killed.
    thread::scope(|scope| {
        for _ in 0..70 {
            let body = json!({ "current": null, "new": "known to the tester" });
            scope.spawn(move || ask(address, "PUT /api/v1/password", "", &body).status);
        }
    });
    let right = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..50 {
                    // Never five wrong ones in a row.
                    let password =
                        if number % 5 == 0 { "wrong horse" } else { "known to the tester" };
                    if log_in(address, "", password).status == 200 {
                        right.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(right.into_inner(), 160, "one of the 70 set the password, and it lets in");
    let grown = bench.resident_kib().saturating_sub(before);
    println!("resident: {before} KiB, grown by {grown} KiB");
    // 19 MiB are one argon2; the rest is threads and buffers.
    assert!(grown < 40 * 1024, "grown by {grown} KiB");
}

#[test]
fn no_session_of_the_old_password_outlives_its_change() {
    for round in 0..6 {
        let bench = Bench::without_daemon("");
        let address = bench.address;
        let owner = cookies(&change(address, "", None, Some("old password")));
        let (changed, opened) = thread::scope(|scope| {
            let log_in = || scope.spawn(|| log_in(address, "", "old password"));
            let earlier: Vec<_> = (0..6).map(|_| log_in()).collect();
            let changed =
                scope.spawn(|| change(address, &owner, Some("old password"), Some("new password")));
            let later: Vec<_> = (0..6).map(|_| log_in()).collect();
            let opened: Vec<_> =
                earlier.into_iter().chain(later).map(|one| one.join().unwrap()).collect();
            (changed.join().unwrap(), opened)
        });
        let text = String::from_utf8_lossy(&changed.body);
        assert_eq!(changed.status, 200, "round {round}: {text}");
        for session in opened.iter().filter(|session| session.status == 200) {
            let after = ask(address, "GET /api/v1/settings", &cookies(session), &json!({}));
            assert_problem(&after, 401, "password-needed");
        }
        // What is on the disk is what is in force.
        let kept = std::fs::read_to_string(bench.folder.path().join("data/password.json")).unwrap();
        let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
        assert_eq!(kept["sessions"].as_array().unwrap().len(), 1, "round {round}");
        let owner = cookies(&changed);
        assert_eq!(log_in(address, &owner, "new password").status, 200);
        assert_problem(&log_in(address, &owner, "old password"), 401, "wrong-password");
    }
}

#[test]
fn of_two_first_passwords_one_is_set_and_the_other_refused() {
    for _ in 0..5 {
        let bench = Bench::without_daemon("");
        let address = bench.address;
        let mut answers: Vec<_> = thread::scope(|scope| {
            let both = ["first horse", "second horse"]
                .map(|new| scope.spawn(move || (new, change(address, "", None, Some(new)))));
            both.into_iter().map(|one| one.join().unwrap()).collect()
        });
        answers.sort_by_key(|(_, response)| response.status);
        assert_eq!(answers[0].1.status, 200);
        // Who came with the request under way, or was asked for a session already.
        assert!(matches!(answers[1].1.status, 401 | 409), "{}", answers[1].1.status);
        assert_eq!(log_in(address, "", answers[0].0).status, 200);
    }
}

#[test]
fn wrong_passwords_of_another_program_do_not_lock_out_a_browser_that_was_in_before() {
    let bench = Bench::without_daemon("");
    let address = bench.address;
    let owner = cookies(&change(address, "", None, Some("correct horse")));
    let left = ask(address, "DELETE /api/v1/session", &owner, &json!({}));
    assert_eq!(left.status, 200);
    for _ in 0..8 {
        log_in(address, "", "wrong horse");
    }
    // Who was never here waits; nobody learns by it whether a password is right.
    assert_problem(&log_in(address, "", "correct horse"), 429, "locked-out");
    assert_problem(&log_in(address, "totton-browser=made-up", "correct horse"), 429, "locked-out");
    assert_eq!(log_in(address, &owner, "correct horse").status, 200);
    // It has a row of its own.
    for _ in 0..5 {
        assert_problem(&log_in(address, &owner, "wrong horse"), 401, "wrong-password");
    }
    assert_problem(&log_in(address, &owner, "correct horse"), 429, "locked-out");
}

#[test]
fn the_refusal_of_a_damaged_password_file_says_how_to_reset_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = crate::bench::write_settings(folder.path(), "");
    std::fs::create_dir_all(folder.path().join("data")).unwrap();
    for text in [
        "{",
        r#"{"hash":"no hash","sessions":[]}"#,
        // Four gigabytes for one log-in.
        r#"{"hash":"$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng","sessions":[]}"#,
    ] {
        std::fs::write(folder.path().join("data/password.json"), text).unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_totton-audio-web"))
            .arg("--config")
            .arg(&config)
            .env("TOTTON_AUDIO_WEB_PORT", "0")
            .output_within(crate::http::DEADLINE);
        assert_eq!(output.0, Some(1), "{text}: {}", output.1);
        assert!(
            output.1.contains("password.json") && output.1.contains("TOTTONRESET"),
            "{}",
            output.1
        );
    }
}

/// A program that must end by itself.
trait EndsByItself {
    fn output_within(&mut self, limit: std::time::Duration) -> (Option<i32>, String);
}

impl EndsByItself for std::process::Command {
    fn output_within(&mut self, limit: std::time::Duration) -> (Option<i32>, String) {
        use std::io::Read;
        let mut process = self.stderr(std::process::Stdio::piped()).spawn().unwrap();
        let start = std::time::Instant::now();
        while process.try_wait().unwrap().is_none() {
            if start.elapsed() > limit {
                process.kill().unwrap();
                process.wait().unwrap();
                return (None, "it serves".to_owned());
            }
            thread::sleep(std::time::Duration::from_millis(20));
        }
        let mut text = String::new();
        process.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        (process.wait().unwrap().code(), text)
    }
}
