//! What the page does beside the stream: settings, equaliser, presets, backup,
//! filters, headphones; [`device`]: journal, power, check, clock, updates.

mod device;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use totton_protocol::Command;

use crate::assert_problem;
use crate::bench::Bench;
use crate::http::{DEADLINE, Events, exchange, request};

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
