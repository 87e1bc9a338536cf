//! What the page does beside the stream: settings, equaliser, presets, backup,
//! filters, headphones, journal, power, updates.

use std::io::Read;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use totton_protocol::Command;

use crate::assert_problem;
use crate::bench::Bench;
use crate::http::{DEADLINE, Events, exchange, request};
use crate::updater::{self, End};

fn band(gain_db: f64) -> Value {
    json!({"shape": "peaking", "frequency_hz": 1000.0, "gain_db": gain_db, "q": 1.0, "on": true})
}

fn profile(name: &str, gain_db: f64) -> Value {
    json!({"name": name, "preamp_db": -3.0, "bands": [band(gain_db)], "curves": [], "credit": null})
}

fn sides(side: &str, bypass: bool) -> String {
    json!({"side": side, "bypass": bypass, "a": profile("One", 3.0), "b": profile("Two", 6.0)})
        .to_string()
}

#[test]
fn settings_change_by_merge_patch_all_or_nothing() {
    let (bench, double) = Bench::with_daemon("");
    let changed = bench.order(
        "PATCH /api/v1/settings",
        r#"{"sound":{"crossfeed":{"feed_db":6},"balance":-0.25}}"#,
    );
    assert_eq!(changed.status, 200);
    let sound = &changed.json()["settings"]["sound"];
    assert_eq!((&sound["crossfeed"]["cut_hz"], &sound["balance"]), (&json!(700.0), &json!(-0.25)));
    assert_eq!(bench.get("/api/v1/settings").json(), changed.json());
    for (body, kind) in [
        (r#"{"sound":{"balance":2}}"#, "out-of-range"),
        (r#"{"sound":{"loud":true}}"#, "not-accepted"),
        (r#"{"equaliser":{"name":"x","text":"Preamp: 0"}}"#, "not-accepted"),
        ("[]", "not-accepted"),
    ] {
        assert_problem(&bench.order("PATCH /api/v1/settings", body), 422, kind);
    }
    // A path that is not in the daemon's list does not reach it.
    let before = double.shared.lock().unwrap().commands.len();
    let foreign = bench.order("PATCH /api/v1/settings", r#"{"filter":"/etc/shadow"}"#);
    assert_problem(&foreign, 404, "no-such-thing");
    let shared = double.shared.lock().unwrap();
    assert_eq!(shared.commands[before..], [Command::Filters]);
    assert_eq!(shared.settings.sound.balance, -0.25);
}

#[test]
fn a_dac_that_is_a_plug_in_of_alsa_lib_is_422_and_does_not_reach_the_daemon() {
    let (bench, double) = Bench::with_daemon("");
    for hostile in [
        "file:'|id > /run/totton-audio/PWNED; cat > /dev/null',raw",
        "file:/etc/passwd",
        "null",
        "tee:hw",
        "hw:{card 0}",
        "hw:0,0'",
        "@args",
        "hw:0,0\n",
        "hw:0,0\0",
        &"hw:0".repeat(5_000),
    ] {
        let body = json!({"dac": hostile}).to_string();
        let refused = bench.order("PATCH /api/v1/settings", &body);
        assert_problem(&refused, 422, "not-accepted");
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with("dac: found") && detail.contains("accepted: "), "{detail}");
        assert!(detail.len() < 1000, "{detail}");
    }
    assert_eq!(double.shared.lock().unwrap().commands, []);
    let taken = bench.order("PATCH /api/v1/settings", r#"{"dac":"hw:CARD=D90,DEV=0"}"#);
    assert_eq!(taken.json()["settings"]["dac"], "hw:D90,0");
    let none = bench.order("PATCH /api/v1/settings", r#"{"dac":null}"#);
    assert_eq!((none.status, &none.json()["settings"]["dac"]), (200, &Value::Null));
}

#[test]
fn a_name_that_hides_what_it_says_is_422() {
    let (bench, _double) = Bench::with_daemon("");
    for name in ["a\u{202e}b", "a\nb", "a\0", " ", &"x".repeat(201)] {
        let body = json!({"name": name}).to_string();
        assert_problem(&bench.order("POST /api/v1/presets", &body), 422, "not-accepted");
        let body = profile(name, 1.0).to_string();
        assert_problem(&bench.order("POST /api/v1/equalisers", &body), 422, "not-accepted");
    }
    assert_eq!(bench.get("/api/v1/presets").json()["presets"], json!([]));
}

#[test]
fn the_side_that_is_heard_is_what_the_daemon_gets() {
    let (bench, double) = Bench::with_daemon("");
    let heard = || {
        let shared = double.shared.lock().unwrap();
        let equaliser = shared.settings.equaliser.clone();
        equaliser.map(|found| (found.name.to_string(), found.text.to_string()))
    };
    assert_eq!(bench.get("/api/v1/equaliser").json()["a"], Value::Null);
    assert_eq!(bench.order("PUT /api/v1/equaliser", &sides("a", false)).status, 200);
    let (name, text) = heard().unwrap();
    assert_eq!(name, "One");
    assert_eq!(text, "Preamp: -3 dB\nFilter 1: ON PK Fc 1000 Hz Gain 3 dB Q 1\n");
    bench.order("PUT /api/v1/equaliser", &sides("b", false));
    assert_eq!(heard().unwrap().0, "Two");
    bench.order("PUT /api/v1/equaliser", &sides("b", true));
    assert_eq!(heard(), None);
    assert_eq!(bench.get("/api/v1/equaliser").json()["bypass"], true);
    // What the daemon refuses is not kept either.
    double.shared.lock().unwrap().refusal =
        Some((totton_protocol::ErrorCode::BadEqualiser, "it rings for 11 s".into()));
    let refused = bench.order("PUT /api/v1/equaliser", &sides("a", false));
    assert_problem(&refused, 422, "not-accepted");
    assert_eq!(bench.get("/api/v1/equaliser").json()["side"], "b");
}

#[test]
fn equaliser_texts_come_in_go_out_and_are_measured() {
    let (bench, _double) = Bench::with_daemon("");
    let text = "Preamp: -6.2 dB\nFilter 1: ON LSC Fc 105 Hz Gain 5.5 dB Q 0.71\n";
    let body = json!({"name": "Mine", "text": text}).to_string();
    let parsed = bench.order("POST /api/v1/equaliser/parse", &body);
    assert_eq!(parsed.json()["bands"][0]["shape"], "low-shelf");
    let back = bench.order("POST /api/v1/equaliser/text", &parsed.json().to_string());
    assert_eq!(back.json()["text"], text);
    let measured = bench.order("POST /api/v1/equaliser/measure", &parsed.json().to_string());
    let points = measured.json()["points"].clone();
    assert!((points[0][1].as_f64().unwrap() + 0.7).abs() < 0.2, "{}", points[0]);
    let wrong = bench.order("POST /api/v1/equaliser/parse", r#"{"name":"x","text":"Loud: yes"}"#);
    assert_problem(&wrong, 422, "not-accepted");
    assert!(wrong.json()["detail"].as_str().unwrap().contains("Loud"));

    let kept = bench.order("POST /api/v1/equalisers", &parsed.json().to_string()).json();
    assert_eq!(kept["id"], "mine");
    assert_eq!(bench.get("/api/v1/equalisers/mine").json()["profile"], parsed.json());
    assert_eq!(bench.get("/api/v1/equalisers").json()["equalisers"][0]["name"], "Mine");
    assert_eq!(bench.order("DELETE /api/v1/equalisers/mine", "{}").status, 200);
    assert_problem(&bench.order("DELETE /api/v1/equalisers/mine", "{}"), 404, "no-such-thing");
    assert_problem(&bench.order("DELETE /api/v1/equalisers/..%2fx", "{}"), 422, "not-accepted");
}

#[test]
fn a_preset_brings_the_sound_back_and_leaves_the_volume() {
    let (bench, double) = Bench::with_daemon("");
    bench.order("PUT /api/v1/equaliser", &sides("a", false));
    bench.order("PATCH /api/v1/settings", r#"{"sound":{"mono":true}}"#);
    let kept = bench.order("POST /api/v1/presets", r#"{"name":"Night ☾"}"#).json();
    assert_eq!(kept["id"], "night");
    bench.order("PUT /api/v1/gain", r#"{"gain_db":-30}"#);
    bench.order("PUT /api/v1/equaliser", &sides("b", true));
    bench.order("PATCH /api/v1/settings", r#"{"sound":{"mono":false}}"#);
    assert_eq!(bench.order("POST /api/v1/presets/night/apply", "{}").status, 200);
    let settings = double.shared.lock().unwrap().settings.clone();
    assert!(settings.sound.mono);
    assert_eq!(settings.sound.gain_db, -30.0);
    assert_eq!(settings.equaliser.unwrap().name.as_str(), "One");
    assert_eq!(bench.get("/api/v1/equaliser").json()["side"], "a");
    assert_eq!(bench.order("DELETE /api/v1/presets/night", "{}").status, 200);
    assert_eq!(bench.get("/api/v1/presets").json()["presets"], json!([]));
}

#[test]
fn a_backup_restores_everything_and_a_bad_one_nothing() {
    let (bench, double) = Bench::with_daemon("");
    bench.order("PUT /api/v1/equaliser", &sides("a", false));
    bench.order("POST /api/v1/presets", r#"{"name":"Day"}"#);
    bench.order("PUT /api/v1/gain", r#"{"gain_db":-20}"#);
    let backup = bench.get("/api/v1/backup");
    assert!(backup.header("content-disposition").unwrap().contains(".json"));

    bench.order("PUT /api/v1/gain", r#"{"gain_db":-1}"#);
    bench.order("DELETE /api/v1/presets/day", "{}");
    bench.order("POST /api/v1/presets", r#"{"name":"Later"}"#);
    let text = String::from_utf8(backup.body.clone()).unwrap();
    let damaged = text.replace("-20", "-21");
    for bad in [damaged.as_str(), &text[..text.len() / 2], "{}", ""] {
        assert_problem(&bench.upload("PUT /api/v1/backup", bad.as_bytes()), 422, "not-a-backup");
    }
    assert_eq!(double.shared.lock().unwrap().settings.sound.gain_db, -1.0);
    assert_eq!(bench.get("/api/v1/presets").json()["presets"][0]["id"], "later");

    let restored = bench.upload("PUT /api/v1/backup", &backup.body);
    assert_eq!((restored.status, &restored.json()["presets"]), (200, &json!(1)));
    assert_eq!(double.shared.lock().unwrap().settings.sound.gain_db, -20.0);
    assert_eq!(bench.get("/api/v1/presets").json()["presets"][0]["id"], "day");
    assert_eq!(bench.get("/api/v1/backup").json()["sha256"], backup.json()["sha256"]);
    // What was there before is a backup, too.
    let before = std::fs::read(bench.folder.path().join("data/before-restore.json")).unwrap();
    assert_eq!(bench.upload("PUT /api/v1/backup", &before).status, 200);
    assert_eq!(bench.get("/api/v1/presets").json()["presets"][0]["id"], "later");
}

#[test]
fn filters_are_listed_plotted_and_uploaded_whole_only() {
    let (bench, double) = Bench::with_daemon("");
    let list = bench.get("/api/v1/filters").json()["filters"].clone();
    let file = list[0]["files"][0]["file"].as_str().unwrap().to_owned();
    assert_eq!(list[0]["uploaded"], false);
    let plot = bench.get(&format!("/api/v1/filters/plot?file={file}")).json();
    assert_eq!((&plot["taps"], &plot["phase"]), (&json!(16_384), &json!("linear")));
    assert!(plot["stopband_db"].as_f64().unwrap() < -100.0);
    assert_problem(&bench.get("/api/v1/filters/plot?file=/etc/passwd"), 404, "no-such-thing");

    let content = std::fs::read(&file).unwrap();
    let cut = bench.upload("POST /api/v1/filters?name=Mine", &content[..content.len() - 9]);
    assert_problem(&cut, 422, "not-a-filter");
    let put = bench.upload("POST /api/v1/filters?name=../Mine%20Long", &content);
    assert_eq!((put.status, &put.json()["file"]), (200, &json!("mine-long-44100-x16.filter")));
    let kept = bench.folder.path().join("data/filters/mine-long-44100-x16.filter");
    assert_eq!(std::fs::read(&kept).unwrap(), content);
    assert!(!bench.folder.path().join("data/upload.part").exists());
    // Only an uploaded filter that is not in use can be deleted.
    let path = list[1]["path"].clone();
    let refused = bench.order("DELETE /api/v1/filters", &json!({"path": path}).to_string());
    assert_problem(&refused, 404, "no-such-thing");
    let mut own = double.shared.lock().unwrap().filters[1].clone();
    own.path = kept.with_file_name("mine-long-{family}-x{ratio}.filter").display().to_string();
    own.files[0].file = kept.display().to_string();
    double.shared.lock().unwrap().filters.push(own.clone());
    let gone = bench.order("DELETE /api/v1/filters", &json!({"path": own.path}).to_string());
    assert_eq!(gone.status, 200);
    assert!(!kept.exists());
}

#[test]
fn headphones_are_searched_offline_and_say_whose_they_are() {
    let (bench, _double) = Bench::with_daemon("");
    assert_problem(&bench.get("/api/v1/headphones"), 409, "no-headphones");
    let sample = "{\"type\":\"vendor\",\"id\":\"v\",\"data\":{\"name\":\"Example Audio\"}}\n\
        {\"type\":\"product\",\"id\":\"v::p\",\"data\":{\"name\":\"One 100\",\"type\":\"headphones\",\
        \"subtype\":\"on_ear\",\"vendor_id\":\"v\"}}\n{\"type\":\"eq\",\"id\":\"v:p::e\",\"data\":{\
        \"author\":\"Somebody\",\"link\":\"javascript:alert(1)\",\"type\":\"parametric_eq\",\
        \"product_id\":\"v::p\",\"parameters\":{\"gain_db\":-2,\"bands\":[{\"type\":\"peak_dip\",\
        \"frequency\":100,\"gain_db\":2,\"q\":1}]}}}\n";
    let bad = bench.upload("PUT /api/v1/headphones/database", b"{\"type\":1}\n");
    assert_problem(&bad, 422, "not-accepted");
    assert!(bad.json()["detail"].as_str().unwrap().contains("line 1"));
    // 64 MiB and one byte: refused for what it announces, before anything is sent.
    let line = "PUT /api/v1/headphones/database HTTP/1.1\r\nConnection: close";
    let large = exchange(
        bench.address,
        format!(
            "{line}\r\nHost: {host}\r\nOrigin: http://{host}\r\n\
             Content-Type: application/octet-stream\r\nContent-Length: 67108865\r\n\r\n",
            host = bench.address
        )
        .as_bytes(),
    );
    assert_problem(&large, 413, "body-too-large");
    assert!(large.json()["detail"].as_str().unwrap().contains("67108864"));
    let put = bench.upload("PUT /api/v1/headphones/database", sample.as_bytes());
    assert_eq!((put.status, &put.json()["curves"]), (200, &json!(1)));
    let found = bench.get("/api/v1/headphones?text=one100").json();
    assert_eq!(found["headphones"][0]["name"], "One 100");
    assert!(found["attribution"].as_str().unwrap().contains("CC BY-SA 4.0"));
    let curves = bench.get("/api/v1/headphones/curves?id=v::p").json();
    let curve = &curves["curves"][0];
    assert_eq!((&curve["author"], &curve["link"]), (&json!("Somebody"), &Value::Null));
    assert!(curve["text"].as_str().unwrap().starts_with("Preamp: -2 dB\nFilter 1: ON PK Fc 100"));
    assert_problem(&bench.get("/api/v1/headphones/curves?id=x"), 404, "no-such-thing");
}

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

#[test]
fn the_description_is_openapi_and_true_of_every_path() {
    let (bench, _double) = Bench::with_daemon("");
    let document = bench.get("/api/v1/openapi.json").json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 30, "{}", paths.len());
    let mut tags = std::collections::BTreeSet::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            let name = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{name} says what it does");
            assert!(
                operation["responses"]["4XX"]["content"]["application/problem+json"].is_object()
            );
            tags.insert(operation["tags"][0].as_str().unwrap().to_owned());
        }
        // The router knows it: a method that nobody has is refused with those that it has.
        let refused = request(
            bench.address,
            &format!("TRACE {}", path.replace("{id}", "x")),
            &["Host: localhost"],
            "",
        );
        assert_problem(&refused, 405, "method-not-allowed");
    }
    let told: std::collections::BTreeSet<_> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(tags, told);
    // Every schema that is named is there.
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
}

#[test]
fn the_spectrum_comes_while_somebody_listens_and_only_then() {
    let (bench, double) = Bench::with_daemon("");
    let asked = || {
        let shared = double.shared.lock().unwrap();
        shared.commands.iter().filter(|command| **command == Command::Spectrum).count()
    };
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(asked(), 0);
    let mut events = Events::open_at(bench.address, "/api/v1/spectrum");
    let spectrum = events.wait_for("spectrum", |_| true);
    assert_eq!(spectrum["output"]["high_hz"], 352_800.0);
    assert_eq!(spectrum["input"]["levels_dbfs"].as_array().unwrap().len(), 256);
    let output = double.shared.lock().unwrap().status.output.take();
    events.wait_for("nothing", |_| true);
    double.shared.lock().unwrap().status.output = output;
    events.wait_for("spectrum", |_| true);
    drop(events);
    let start = Instant::now();
    loop {
        let before = asked();
        std::thread::sleep(Duration::from_millis(400));
        if asked() == before {
            break;
        }
        assert!(start.elapsed() < DEADLINE, "it never ended");
    }
}
