//! The device's own: journal, services, power, check, clock, updates.

use std::io::Read;

use serde_json::{Value, json};

use crate::assert_problem;
use crate::bench::Bench;
use crate::http::Events;
use crate::updater::{self, End};

#[test]
fn the_journal_is_filtered_followed_and_downloaded() {
    let (bench, _double) = Bench::with_daemon("");
    let entries = bench.get("/api/v1/logs?source=audio&level=error").json()["entries"].clone();
    assert_eq!(entries.as_array().unwrap().len(), 2);
    assert_eq!(
        (&entries[1]["priority"], &entries[1]["time"]),
        (&json!(3), &json!(1_700_000_002.0))
    );
    let found = bench.get("/api/v1/logs?text=GONE%20--file").json()["entries"].clone();
    assert_eq!(found, json!([]));
    let found = bench.get("/api/v1/logs?text=GONE").json()["entries"].clone();
    assert_eq!(found[0]["message"], "the DAC is gone");
    for bad in ["lines=0", "lines=5001", "source=shadow", "unit=sshd", "level=9"] {
        assert_problem(&bench.get(&format!("/api/v1/logs?{bad}")), 422, "not-accepted");
    }
    let arguments =
        std::fs::read_to_string(bench.folder.path().join("journalctl-arguments")).unwrap();
    assert!(
        arguments.contains("--priority 3") && arguments.contains("--unit=gpu-upsampler.service")
    );
    assert!(!arguments.contains("GONE"), "{arguments}");
    let mut follow = Events::open_at(bench.address, "/api/v1/logs/follow?text=back");
    assert_eq!(follow.wait_for("entry", |_| true)["message"], "the DAC is back");
    let text = bench.get("/api/v1/logs/download");
    assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(String::from_utf8_lossy(&text.body).contains("gpu-upsampler: started"));
}

#[test]
fn the_system_tells_services_boot_and_board() {
    let (bench, _double) = Bench::with_daemon("");
    let system = bench.get("/api/v1/system").json();
    assert_eq!(system["services"][0]["name"], "gpu-upsampler");
    assert_eq!(system["services"][0]["restarts"], 1);
    let audio =
        system["boot"].as_array().unwrap().iter().find(|one| one["name"] == "audio").unwrap();
    assert_eq!((&audio["seconds"], &audio["budget_seconds"]), (&json!(9.0), &json!(30.0)));
    assert!(system["board"]["memory_bytes"].as_u64().unwrap() > 0);
}

#[test]
fn power_is_asked_of_systemd_by_connecting_and_nothing_else() {
    let (bench, _double) = Bench::with_daemon("");
    let ask = |what: &str| bench.order("POST /api/v1/power", &format!("{{\"do\":\"{what}\"}}"));
    assert_problem(&ask("reboot"), 409, "power-not-possible");
    assert_problem(&ask("halt; rm -rf /"), 422, "not-accepted");
    let folder = bench.folder.path().join("power");
    std::fs::create_dir(&folder).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(folder.join("poweroff")).unwrap();
    assert_eq!(ask("power-off").status, 200);
    let mut sent = Vec::new();
    socket.accept().unwrap().0.read_to_end(&mut sent).unwrap();
    assert_eq!(sent, b"");
}

/// What systemd does behind totton-audio-check.socket: one report for each connection.
fn checker(path: &std::path::Path, report: &Value) -> std::thread::JoinHandle<Vec<u8>> {
    let socket = std::os::unix::net::UnixListener::bind(path).unwrap();
    let report = report.to_string();
    std::thread::spawn(move || {
        let mut sent = Vec::new();
        // Once for the view, once for the diagnostics.
        for _ in 0..2 {
            let (mut connection, _) = socket.accept().unwrap();
            connection.read_to_end(&mut sent).unwrap();
            std::io::Write::write_all(&mut connection, report.as_bytes()).unwrap();
        }
        sent
    })
}

#[test]
fn the_board_is_checked_by_connecting_and_the_report_is_in_the_diagnostics() {
    let (bench, _double) = Bench::with_daemon("");
    assert_problem(&bench.get("/api/v1/check"), 409, "check-not-possible");
    let step = json!({"id": "root", "group": "storage", "title": "Root file system",
        "expected": "read-only", "found": "writable on APP", "verdict": "failed", "why": null,
        "action": "restart the box"});
    let report =
        json!({"version": "1", "model": "SerialNumber: 77", "failed": true, "steps": [step]});
    let checker = checker(&bench.folder.path().join("check"), &report);
    assert_eq!(bench.get("/api/v1/check").json(), report);

    let packed = bench.get("/api/v1/diagnostics").body;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed.as_slice()));
    let mut text = String::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.path().unwrap().ends_with("check.json") {
            entry.read_to_string(&mut text).unwrap();
        }
    }
    assert!(text.contains("writable on APP") && text.contains("[removed]"), "{text}");
    assert_eq!(checker.join().unwrap(), b"", "nothing is sent to the check");
}

#[test]
fn the_clock_is_asked_for_with_one_number_and_the_answer_is_told() {
    let (bench, _double) = Bench::with_daemon("");
    let ask = |body: &str| bench.order("PUT /api/v1/clock", body);
    let good = r#"{"unix_time_ms":1790000000000}"#;
    assert_problem(&ask(good), 409, "clock-not-possible");
    for body in [
        "{}",
        r#"{"unix_time_ms":-1}"#,
        r#"{"unix_time_ms":"now"}"#,
        r#"{"unix_time_ms":1.5}"#,
        r#"{"unix_time_ms":1,"rtc":1}"#,
        // Before the machine was started, if it ran in 1970.
        r#"{"unix_time_ms":1}"#,
    ] {
        assert_problem(&ask(body), 422, "not-accepted");
    }
    let folder = bench.folder.path().join("power");
    std::fs::create_dir(&folder).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(folder.join("set-clock")).unwrap();
    let other_side = std::thread::spawn(move || {
        ["set\n", "right\n", "soon 40\n", "refused it is before the image\n"].map(|answer| {
            let mut caller = socket.accept().unwrap().0;
            let mut order = [0; 64];
            let length = caller.read(&mut order).unwrap();
            std::io::Write::write_all(&mut caller, answer.as_bytes()).unwrap();
            String::from_utf8(order[..length].to_vec()).unwrap()
        })
    });
    for changed in [true, false] {
        let answer = ask(good);
        assert_eq!((answer.status, &answer.json()["changed"]), (200, &json!(changed)));
    }
    let soon = ask(good);
    assert_problem(&soon, 429, "clock-set-just-now");
    assert_eq!(soon.header("retry-after"), Some("40"));
    assert_problem(&ask(good), 422, "not-accepted");
    for order in other_side.join().unwrap() {
        let zero: u64 = order.strip_suffix('\n').unwrap().parse().unwrap();
        assert!(zero < 1_790_000_000_000, "less what the counting clock shows: {order}");
    }
}

#[test]
fn an_update_goes_through_to_the_updater_and_its_end_is_told() {
    let (bench, _double) = Bench::with_daemon("");
    let state = bench.get("/api/v1/update").json();
    assert_eq!(state["available"], false);
    assert!(state["reason"].as_str().unwrap().contains("control.sock"));
    assert_problem(&bench.upload("POST /api/v1/update", b"bundle"), 409, "no-updater");
    std::fs::remove_dir_all(bench.folder.path().join("updater")).ok();

    let seen = updater::start(&bench.folder.path().join("updater"), End::Success);
    assert_eq!(bench.get("/api/v1/update").json()["available"], true);
    let bundle: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let done = bench.upload("POST /api/v1/update", &bundle);
    assert_eq!((done.status, &done.json()["words"]), (200, &json!("SWUPDATE successful")));
    assert_eq!(seen.lock().unwrap().bundle, bundle);
    assert_eq!(seen.lock().unwrap().dry_run, 2, "RUN_INSTALL");
    let state = bench.get("/api/v1/update").json();
    assert_eq!((&state["last"]["success"], &state["running"]), (&json!(true), &json!(false)));
    assert_eq!(state["progress"]["image"], "rootfs.img");
    bench.upload("POST /api/v1/update?check=true", b"bundle");
    assert_eq!(seen.lock().unwrap().dry_run, 1, "RUN_DRYRUN");
}

#[test]
fn a_bundle_that_the_updater_refuses_is_told_with_its_reason() {
    for (end, status, kind, words) in [
        (End::Failure("Signature verification failed"), 422, "update-failed", "Signature"),
        (End::Busy, 409, "updater-busy", "in progress"),
    ] {
        let (bench, _double) = Bench::with_daemon("");
        updater::start(&bench.folder.path().join("updater"), end);
        let refused = bench.upload("POST /api/v1/update", &[7; 100_000]);
        assert_problem(&refused, status, kind);
        assert!(refused.json()["detail"].as_str().unwrap().contains(words));
        assert_eq!(bench.get("/api/v1/update").json()["last"]["success"], false);
    }
}
