//! What other versions have kept on the data partition: see `rust/samples/README.md`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::assert_problem;
use crate::bench::Bench;
use crate::http::request;

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// The program on the data of a sample.
fn on(sample: &Path) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    copy(sample, &folder.path().join("data"));
    Bench::in_folder(folder, "")
}

/// Versions that have been, by the folders of their samples.
fn released() -> Vec<PathBuf> {
    let found: Vec<_> =
        fs::read_dir(samples()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let is_version = |path: &PathBuf| path.is_dir() && !path.ends_with("newer");
    let found: Vec<_> = found.into_iter().filter(is_version).collect();
    assert!(!found.is_empty());
    found
}

/// All that an owner had is there.
fn assert_whole(bench: &Bench, cookie: &str) {
    let get = |path: &str| {
        let headers = ["Host: localhost", &format!("Cookie: {cookie}")];
        let response = request(bench.address, &format!("GET {path}"), &headers, "");
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(response.status, 200, "{path}: {text}");
        response.json()
    };
    let sides = get("/api/v1/equaliser");
    assert_eq!((&sides["side"], &sides["a"]), (&json!("b"), &Value::Null));
    let profile = &sides["b"];
    assert_eq!((&profile["name"], &profile["credit"]), (&json!("Harman 夜"), &json!("AutoEQ")));
    assert_eq!(profile["bands"].as_array().unwrap().len(), 2);
    assert_eq!(profile["curves"][0]["points"][1], json!([1000.0, -6.0]));
    let kept = get("/api/v1/equalisers")["equalisers"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(get(&format!("/api/v1/equalisers/{kept}"))["profile"], *profile);
    let presets = get("/api/v1/presets");
    let preset = &presets["presets"][0];
    assert_eq!(
        (&preset["id"], &preset["name"]),
        (&json!("evening"), &json!("Evening")),
        "{preset}"
    );
    assert_eq!(get("/api/v1/update")["last"]["from_version"], "0.1.0");
}

#[test]
fn what_every_version_so_far_has_kept_is_there() {
    for sample in released() {
        let bench = on(&sample);
        let log_in = |password: &str| {
            bench.order("POST /api/v1/session", &json!({ "password": password }).to_string())
        };
        assert_problem(&log_in("wrong horse"), 401, "wrong-password");
        let opened = log_in("correct horse");
        assert_eq!(opened.status, 200, "{}", sample.display());
        let cookie = opened.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        assert_whole(&bench, &cookie);
    }
}

#[test]
fn what_a_newer_version_has_kept_is_there_after_a_fall_back() {
    let newer = samples().join("newer");
    let bench = on(&newer);
    assert_whole(&bench, "");
    let feed = request(bench.address, "GET /api/v1/update/feed", &["Host: localhost"], "").json();
    assert_eq!(feed["address"], "https://example.org/totton/");
    // Nobody has changed anything: neither have we.
    for name in [
        "equaliser.json",
        "presets/evening.json",
        "equalisers/harman.json",
        "update.json",
        "update-feed.json",
    ] {
        let now = fs::read(bench.folder.path().join("data").join(name)).unwrap();
        assert_eq!(now, fs::read(newer.join(name)).unwrap(), "{name}");
    }
}

/// The names of all fields in a document.
fn names(value: &Value) -> std::collections::BTreeSet<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| std::iter::once(name.clone()).chain(names(value)))
            .collect(),
        Value::Array(values) => values.iter().flat_map(names).collect(),
        _ => std::collections::BTreeSet::new(),
    }
}

#[test]
fn the_password_is_written_as_every_version_can_read_it() {
    let bench = Bench::without_daemon("");
    let set = r#"{"current":null,"new":"correct horse"}"#;
    assert_eq!(bench.order("PUT /api/v1/password", set).status, 200);
    let read =
        |path: PathBuf| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let now = read(bench.folder.path().join("data/password.json"));
    for sample in released() {
        assert_eq!(names(&now), names(&read(sample.join("password.json"))), "{}", sample.display());
    }
}
