//! A backup may be a stranger's file: checked part by part, shown before, restored as far as it
//! can be.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::assert_problem;
use crate::bench::Bench;
use crate::http::Response;
use crate::storage::{filter, large_profile, order, other_filter};

/// The box's backup with a changed content, and the checksum that fits it: it is no secret.
fn forged(bench: &Bench, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut backup = bench.get("/api/v1/backup").json();
    change(&mut backup["content"]);
    sealed(backup)
}

fn sealed(mut backup: Value) -> Vec<u8> {
    let digest = Sha256::digest(backup["content"].to_string().as_bytes());
    backup["sha256"] = digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
    backup.to_string().into_bytes()
}

fn restore(bench: &Bench, backup: &[u8]) -> Value {
    let answer = bench.upload("PUT /api/v1/backup", backup);
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

/// What was left out: part, name, why.
fn left_out(report: &Value) -> BTreeSet<(String, String, String)> {
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    let list = report["left_out"].as_array().unwrap().iter();
    list.map(|one| (text(one, "part"), text(one, "name"), text(one, "why"))).collect()
}

fn expected(list: &[(&str, &str, &str)]) -> BTreeSet<(String, String, String)> {
    list.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
}

fn names(bench: &Bench, kind: &str) -> Vec<String> {
    let list = bench.get(&format!("/api/v1/{kind}")).json()[kind].clone();
    list.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

fn keep(bench: &Bench, equaliser: &str, preset: &str) {
    assert_eq!(bench.order("POST /api/v1/equalisers", &large_profile(equaliser, 3)).status, 200);
    let name = json!({"name": preset}).to_string();
    assert_eq!(bench.order("POST /api/v1/presets", &name).status, 200);
}

#[test]
fn on_a_fresh_box_all_is_restored_but_the_filter_that_is_not_there() {
    let (bench, double) = Bench::with_daemon("");
    keep(&bench, "Mine", "Night");
    let gone = "/opt/totton_audio/data/filters/mine-{family}-x{ratio}.filter";
    let backup = forged(&bench, |content| {
        content["settings"]["filter"] = gone.into();
        content["settings"]["sound"]["mono"] = true.into();
        content["presets"]["night"]["filter"] = gone.into();
    });
    let (fresh, other) = Bench::with_daemon("");
    let report = restore(&fresh, &backup);
    assert_eq!((&report["presets"], &report["equalisers"]), (&json!(1), &json!(1)));
    let missing =
        [("settings", "filter", "filter-not-there"), ("presets", "Night", "filter-not-there")];
    assert_eq!(left_out(&report), expected(&missing));
    assert_eq!(
        (names(&fresh, "presets"), names(&fresh, "equalisers")),
        (vec!["night".into()], vec!["mine".into()])
    );
    let settings = other.shared.lock().unwrap().settings.clone();
    assert_eq!((settings.filter, settings.sound.mono), (None, true));
    drop(double);
}

#[test]
fn a_look_tells_what_would_change_and_changes_nothing() {
    let (bench, double) = Bench::with_daemon("");
    keep(&bench, "Mine", "Night");
    let backup = forged(&bench, |content| {
        content["settings"]["sound"]["mono"] = true.into();
        content["settings"]["dac"] = "hw:Loopback".into();
    });
    bench.order("DELETE /api/v1/presets/night", "{}");
    keep(&bench, "Other", "Day");
    let before = double.shared.lock().unwrap().settings.clone();
    let look = bench.upload("PUT /api/v1/backup?check=true", &backup).json();
    assert_eq!((&look["checked_only"], &look["presets"]), (&json!(true), &json!(1)));
    assert_eq!(
        look["changes"],
        json!([
            {"key": "dac", "from": null, "to": "hw:Loopback,0"},
            {"key": "sound.mono", "from": false, "to": true},
        ])
    );
    assert_eq!(
        look["removed"],
        json!([{"part": "equalisers", "name": "Other"}, {"part": "presets", "name": "Day"}])
    );
    assert_eq!(double.shared.lock().unwrap().settings, before);
    assert_eq!(
        (names(&bench, "presets"), names(&bench, "equalisers").len()),
        (vec!["day".into()], 2)
    );
    assert!(!bench.folder.path().join("data/before-restore.json").exists());
    // What is done then is what was told.
    let mut done = restore(&bench, &backup);
    done["checked_only"] = true.into();
    assert_eq!(done, look);
    assert_eq!(names(&bench, "presets"), ["night"]);
}

#[test]
fn a_restored_backup_is_not_louder_than_the_box_is_now() {
    let (bench, double) = Bench::with_daemon("");
    let backup = forged(&bench, |content| {
        content["settings"]["sound"]["gain_db"] = 0.into();
        content["settings"]["sound"]["host_volume"] = false.into();
    });
    bench.order("PUT /api/v1/gain", r#"{"gain_db":-40}"#);
    bench.order("PUT /api/v1/mute", r#"{"mute":true}"#);
    let report = restore(&bench, &backup);
    let why = "louder-than-now";
    let louder = [
        ("settings", "sound.gain_db", why),
        ("settings", "sound.mute", why),
        ("settings", "sound.host_volume", why),
    ];
    assert_eq!(left_out(&report), expected(&louder));
    let sound = double.shared.lock().unwrap().settings.sound;
    assert_eq!((sound.gain_db, sound.mute, sound.host_volume), (-40.0, true, true));
    // Softer is taken.
    let softer = forged(&bench, |content| content["settings"]["sound"]["gain_db"] = (-60).into());
    assert_eq!(left_out(&restore(&bench, &softer)), BTreeSet::new());
    assert_eq!(double.shared.lock().unwrap().settings.sound.gain_db, -60.0);
}

#[test]
fn one_bad_part_does_not_lose_the_good_ones() {
    let (bench, double) = Bench::with_daemon("");
    keep(&bench, "Mine", "Night");
    keep(&bench, "Bad", "Worse");
    let backup = forged(&bench, |content| {
        content["settings"]["sound"] = json!({"gain_db": 3});
        content["settings"]["equaliser"] = json!({"name": "x", "text": "y", "more": 1});
        content["settings"]["loud"] = true.into();
        content["settings"]["dac"] = "hw:Loopback".into();
        content["equalisers"]["bad"]["preamp_db"] = 1000.into();
        content["equalisers"]["../x"] = content["equalisers"]["mine"].clone();
        content["presets"]["worse"]["form"] = 7.into();
        content["presets"]["new"] = content["presets"]["night"].clone();
        content["firmware"] = "x".into();
    });
    let report = restore(&bench, &backup);
    let bad = [
        ("settings", "sound", "not-accepted"),
        ("settings", "equaliser", "not-accepted"),
        ("settings", "loud", "unknown"),
        ("equalisers", "bad", "not-accepted"),
        ("equalisers", "../x", "not-accepted"),
        ("presets", "worse", "not-accepted"),
        ("other", "firmware", "unknown"),
    ];
    assert_eq!(left_out(&report), expected(&bad));
    // What the box has under the name of something bad stays.
    assert_eq!(names(&bench, "equalisers"), ["bad", "mine"]);
    assert_eq!(names(&bench, "presets"), ["new", "night", "worse"]);
    assert_eq!(
        double.shared.lock().unwrap().settings.dac.as_ref().map(ToString::to_string),
        Some("hw:Loopback,0".into())
    );
    assert!(!bench.folder.path().join("x.json").exists());
}

#[test]
fn a_backup_cannot_choose_a_dac_or_a_filter_that_a_listener_cannot() {
    let (bench, double) = Bench::with_daemon("");
    for dac in ["file:'|id > /run/totton-audio/PWNED2; cat > /dev/null',raw", "null", "hw:0,0'"] {
        let backup = forged(&bench, |content| {
            content["settings"]["dac"] = dac.into();
            content["settings"]["filter"] = "/etc/shadow".into();
        });
        let refused = [("settings", "dac", "not-accepted"), ("settings", "filter", "not-accepted")];
        for path in ["PUT /api/v1/backup?check=true", "PUT /api/v1/backup"] {
            assert_eq!(left_out(&bench.upload(path, &backup).json()), expected(&refused), "{dac}");
        }
        let settings = double.shared.lock().unwrap().settings.clone();
        assert_eq!((settings.dac, settings.filter), (None, None));
    }
}

#[test]
fn what_is_there_twice_counts_once_and_a_part_of_no_use_changes_nothing() {
    let (bench, _double) = Bench::with_daemon("");
    keep(&bench, "Mine", "Night");
    let content = bench.get("/api/v1/backup").json()["content"].clone();
    let profile = content["equalisers"]["mine"].to_string();
    let text = format!(
        "{{\"settings\":7,\"equaliser\":null,\"equalisers\":{{\"a\":{profile},\"a\":{profile}}},\
         \"equalisers\":{{}},\"presets\":[]}}"
    );
    let digest: String = Sha256::digest(&text).iter().map(|b| format!("{b:02x}")).collect();
    let backup = format!(
        "{{\"format\":\"totton-audio-backup\",\"form\":1,\"made_by\":\"x\",\
         \"sha256\":\"{digest}\",\"content\":{text}}}"
    );
    let report = restore(&bench, backup.as_bytes());
    let bad = [
        ("settings", "settings", "not-accepted"),
        ("equaliser", "equaliser", "not-accepted"),
        ("equalisers", "a", "duplicate"),
        ("other", "equalisers", "duplicate"),
        ("presets", "presets", "not-accepted"),
    ];
    assert_eq!(left_out(&report), expected(&bad));
    assert_eq!(
        (names(&bench, "equalisers"), names(&bench, "presets")),
        (vec!["a".into()], vec!["night".into()])
    );
}

#[test]
fn what_the_daemon_refuses_stays_and_the_rest_is_restored() {
    let (bench, double) = Bench::with_daemon("");
    keep(&bench, "Mine", "Night");
    let backup = forged(&bench, |content| {
        // The double wants a text that begins with Preamp:.
        content["settings"]["equaliser"] = json!({"name": "x", "text": "Loud: yes"});
        content["settings"]["sound"]["mono"] = true.into();
    });
    let report = restore(&bench, &backup);
    assert_eq!(left_out(&report), expected(&[("settings", "equaliser", "refused")]));
    let settings = double.shared.lock().unwrap().settings.clone();
    assert!(settings.sound.mono && settings.equaliser.is_none());
    // It refuses everything: the documents are restored all the same.
    bench.order("DELETE /api/v1/presets/night", "{}");
    double.shared.lock().unwrap().refuse_settings = true;
    let report = restore(
        &bench,
        &forged_from(&backup, |content| {
            content["settings"]["sound"]["mono"] = false.into();
            content["settings"]["equaliser"] = Value::Null;
        }),
    );
    assert_eq!(left_out(&report), expected(&[("settings", "settings", "refused")]));
    assert_eq!(names(&bench, "presets"), ["night"]);
}

fn forged_from(backup: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut backup: Value = serde_json::from_slice(backup).unwrap();
    change(&mut backup["content"]);
    sealed(backup)
}

#[test]
fn a_box_that_is_full_to_its_limits_can_be_restored_on_an_empty_one() {
    let limits = "storage.max_documents = 12\nstorage.max_document_bytes = 262144";
    let (bench, _double) = Bench::with_daemon(limits);
    let mut kept = 0;
    // As large as they can be, then smaller, until nothing fits any more.
    for points in [1000, 500, 100, 20, 1] {
        for number in 0..14 {
            let profile = large_profile(&format!("{points} {number} {}", "名".repeat(50)), points);
            kept += usize::from(order(&bench, "POST /api/v1/equalisers", &profile).status == 200);
        }
    }
    let sides: Value = serde_json::from_str(&large_profile("Side", 800)).unwrap();
    let sides = json!({"side": "a", "bypass": false, "a": sides, "b": sides}).to_string();
    assert_eq!(order(&bench, "PUT /api/v1/equaliser", &sides).status, 200);
    let presets = (0..20)
        .filter(|n| {
            let name = format!(r#"{{"name":"preset {n}"}}"#);
            order(&bench, "POST /api/v1/presets", &name).status == 200
        })
        .count();
    assert!(kept >= 10 && presets >= 5, "{kept} {presets}");
    let backup = bench.get("/api/v1/backup");
    let (fresh, _other) = Bench::with_daemon(limits);
    let report = restore(&fresh, &backup.body);
    assert_eq!(left_out(&report), BTreeSet::new());
    assert_eq!((&report["equalisers"], &report["presets"]), (&json!(kept), &json!(presets)));
    assert_eq!(
        fresh.get("/api/v1/backup").json()["content"]["equalisers"],
        backup.json()["content"]["equalisers"]
    );
    // A smaller box takes what it may keep, and tells what it does not.
    let (small, _third) = Bench::with_daemon("storage.max_documents = 3");
    let report = restore(&small, &backup.body);
    assert_eq!((&report["equalisers"], &report["presets"]), (&json!(3), &json!(3)));
    assert_eq!(left_out(&report).len(), kept - 3 + presets - 3);
    assert!(report["left_out"][0]["why"] == "no-room");
}

/// A tar file.
struct Tar(tar::Builder<Vec<u8>>);

impl Tar {
    fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    fn with(self, name: &str, content: &[u8]) -> Self {
        self.entry(name, tar::EntryType::Regular, content)
    }

    fn entry(mut self, name: &str, kind: tar::EntryType, content: &[u8]) -> Self {
        let mut header = tar::Header::new_ustar();
        // The library refuses names with `..`; a stranger does not.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_entry_type(kind);
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

#[test]
fn a_backup_with_filters_brings_them_to_a_fresh_box_and_they_are_chosen() {
    let (bench, double) = Bench::with_daemon("");
    let content = filter(&bench);
    assert_eq!(bench.upload("POST /api/v1/filters?name=mine", &content).status, 200);
    keep(&bench, "Mine", "Night");
    let template = bench.folder.path().join("data/filters/mine-{family}-x{ratio}.filter");
    double.shared.lock().unwrap().settings.filter =
        serde_json::from_value(json!(template.display().to_string())).unwrap();
    let archive: Response = bench.get("/api/v1/backup?filters=true");
    assert_eq!(archive.header("content-type"), Some("application/x-tar"));
    let length = archive.header("content-length").unwrap().parse::<usize>().unwrap();
    assert_eq!(length, archive.body.len());

    // The same data folder's path on the other box.
    let (fresh, other) = Bench::with_daemon("");
    let from = bench.folder.path().display().to_string();
    let to = fresh.folder.path().display().to_string();
    let mut entries = tar::Archive::new(archive.body.as_slice());
    let mut moved = Tar::new();
    for entry in entries.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        if name == "backup.json" {
            let text = String::from_utf8(bytes).unwrap().replace(&from, &to);
            bytes = sealed(serde_json::from_str(&text).unwrap());
        }
        moved = moved.with(&name, &bytes);
    }
    let moved = moved.bytes();
    let look = fresh.upload("PUT /api/v1/backup?check=true", &moved).json();
    assert_eq!((&look["filters"], left_out(&look)), (&json!(1), BTreeSet::new()));
    let kept = fresh.folder.path().join("data/filters/mine-44100-x16.filter");
    assert!(!kept.exists());
    let report = restore(&fresh, &moved);
    assert_eq!((&report["filters"], left_out(&report)), (&json!(1), BTreeSet::new()));
    assert_eq!(std::fs::read(&kept).unwrap(), content);
    let filter =
        serde_json::to_value(&other.shared.lock().unwrap().settings).unwrap()["filter"].clone();
    assert_eq!(
        filter.as_str().unwrap(),
        fresh
            .folder
            .path()
            .join("data/filters/mine-{family}-x{ratio}.filter")
            .display()
            .to_string()
    );
    // Once more: it is there already. With other taps: that one stays.
    assert_eq!(restore(&fresh, &moved)["filters"], 0);
    let document = bench.get("/api/v1/backup").body;
    let changed = Tar::new()
        .with("backup.json", &document)
        .with("filters/mine-44100-x16.filter", &other_filter(&bench))
        .bytes();
    let report = restore(&fresh, &changed);
    assert!(left_out(&report).contains(&(
        "filters".into(),
        "mine-44100-x16.filter".into(),
        "other-filter".into()
    )));
    assert_eq!(std::fs::read(&kept).unwrap(), content);
}

#[test]
fn a_hostile_archive_writes_nothing_but_good_filters() {
    let (bench, _double) = Bench::with_daemon("storage.max_filters = 2");
    let good = filter(&bench);
    let mut damaged = good.clone();
    damaged[1000] ^= 1;
    let document = bench.get("/api/v1/backup").body;
    let hostile = Tar::new()
        .entry("filters", tar::EntryType::Directory, b"")
        .entry("filters/link-44100-x16.filter", tar::EntryType::Symlink, b"")
        // A long name of GNU tar, which a reader would hold in memory.
        .entry("././@LongLink", tar::EntryType::GNULongName, &vec![b'x'; 30_000_000])
        .with("../../up-44100-x16.filter", &good)
        .with("/etc/abs-44100-x16.filter", &good)
        .with("filters/../up-44100-x16.filter", &good)
        .with("filters/damaged-44100-x16.filter", &damaged)
        .with("filters/text-44100-x16.filter", b"text")
        .with("filters/wrong-48000-x16.filter", &good)
        .with("filters/a-44100-x16.filter", &good)
        .with("filters/a-44100-x16.filter", &other_filter(&bench))
        .with("backup.json", &document)
        .with("backup.json", b"{}")
        .with("filters/b-44100-x16.filter", &good)
        .with("filters/c-44100-x16.filter", &good)
        .bytes();
    let before = bench.peak_memory();
    let look = bench.upload("PUT /api/v1/backup?check=true", &hostile).json();
    let report = restore(&bench, &hostile);
    assert!(bench.peak_memory() - before < 16 << 20);
    let bad = [
        ("other", "filters", "unknown"),
        ("other", "filters/link-44100-x16.filter", "unknown"),
        ("other", "././@LongLink", "unknown"),
        ("other", "../../up-44100-x16.filter", "unknown"),
        ("other", "/etc/abs-44100-x16.filter", "unknown"),
        ("other", "filters/../up-44100-x16.filter", "unknown"),
        ("filters", "damaged-44100-x16.filter", "not-accepted"),
        ("filters", "text-44100-x16.filter", "not-accepted"),
        ("filters", "wrong-48000-x16.filter", "not-accepted"),
        ("filters", "a-44100-x16.filter", "duplicate"),
        ("other", "backup.json", "duplicate"),
        ("filters", "c-44100-x16.filter", "no-room"),
    ];
    assert_eq!(left_out(&report), expected(&bad));
    assert_eq!((left_out(&look), &look["filters"]), (left_out(&report), &report["filters"]));
    let mut kept: Vec<_> = std::fs::read_dir(bench.folder.path().join("data/filters"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    kept.sort();
    assert_eq!(kept, ["a-44100-x16.filter", "b-44100-x16.filter"]);
    assert_eq!(std::fs::read_dir(bench.folder.path().join("data/incoming")).unwrap().count(), 0);
    assert!(!bench.folder.path().join("up-44100-x16.filter").exists());
}

#[test]
fn an_archive_that_was_cut_short_changes_nothing_wherever_it_was_cut() {
    let (bench, _double) = Bench::with_daemon("");
    let document = bench.get("/api/v1/backup").body;
    let whole = Tar::new()
        .with("backup.json", &document)
        .with("filters/a-44100-x16.filter", &filter(&bench))
        .with("filters/b-44100-x16.filter", &filter(&bench))
        .bytes();
    let first_filter = 512 + document.len().next_multiple_of(512);
    let second_filter = first_filter + 512 + filter(&bench).len().next_multiple_of(512);
    for end in
        [0, 100, 512, 700, first_filter, first_filter + 512, second_filter, second_filter + 9999]
    {
        let refused = bench.upload("PUT /api/v1/backup", &whole[..end]);
        assert_problem(&refused, 422, "not-a-backup");
    }
    assert!(!bench.folder.path().join("data/filters").exists());
    let unnamed = Tar::new().with("filters/a-44100-x16.filter", &filter(&bench)).bytes();
    assert_problem(&bench.upload("PUT /api/v1/backup", &unnamed), 422, "not-a-backup");
    assert_eq!(restore(&bench, &whole)["filters"], 2);
}
