//! The update feed: what the browser hands over, and what the box makes of it.

mod publisher;

use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::assert_problem;
use crate::bench::Bench;
use crate::double::Double;
use crate::http::{DEADLINE, Response};
use crate::updater::{self, End};

const ADDRESS: &str = "https://example.org/totton/";
/// Newer than any version of this program.
const NEW: &str = "900.0.0";

/// A box with a key, a board and a feed.
fn with_feed() -> (Bench, Double) {
    let folder = tempfile::tempdir().unwrap();
    publisher::key(folder.path());
    std::fs::write(folder.path().join("hwrevision"), "qemuarm64 1\n").unwrap();
    let bench = Bench::in_folder(folder, "");
    let double = Double::start(bench.folder.path());
    let chosen = choose(&bench, &json!(ADDRESS), "stable");
    assert_eq!((chosen.status, &chosen.json()["list"]), (200, &Value::Null));
    (bench, double)
}

fn choose(bench: &Bench, address: &Value, channel: &str) -> Response {
    let body = json!({"address": address, "channel": channel}).to_string();
    bench.order("PUT /api/v1/update/feed", &body)
}

fn hand_over(bench: &Bench, serial: u64, releases: &[Value]) -> Response {
    let list = publisher::list(bench.folder.path(), serial, releases);
    bench.upload("POST /api/v1/update/list", &list)
}

fn piece(bench: &Bench, bundle: &[u8], at: usize, to: usize) -> Response {
    let hash = publisher::hash(bundle);
    let line = format!("POST /api/v1/update/bundle?sha256={hash}&at={at}");
    bench.upload(&line, &bundle[at..to])
}

fn install(bench: &Bench, bundle: &[u8], more: &Value) -> Response {
    let mut body = json!({"sha256": publisher::hash(bundle)});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    bench.order("POST /api/v1/update/install", &body.to_string())
}

fn state(bench: &Bench) -> Value {
    bench.get("/api/v1/update/feed").json()
}

fn policy(bench: &Bench) -> String {
    bench.get("/").header("content-security-policy").unwrap().to_owned()
}

#[test]
fn without_a_feed_the_page_asks_nobody_and_with_one_nobody_else() {
    let (bench, _double) = Bench::with_daemon("");
    let feed = state(&bench);
    assert_eq!((&feed["address"], &feed["channel"]), (&Value::Null, &json!("stable")));
    assert!(feed["reason"].as_str().unwrap().contains("hwrevision"), "{feed}");
    assert!(policy(&bench).ends_with("connect-src 'self'"));
    for bad in ["example.org", "https://a;script-src/", "https://*/", "javascript:alert(1)"] {
        let refused = choose(&bench, &json!(bad), "stable");
        assert_problem(&refused, 422, "not-accepted");
        assert!(refused.json()["detail"].as_str().unwrap().contains("accepted: "));
    }
    assert_problem(&choose(&bench, &json!(ADDRESS), "nightly"), 422, "not-accepted");
    assert_eq!(choose(&bench, &json!("https://Example.org/totton"), "beta").status, 200);
    assert_eq!(state(&bench)["address"], ADDRESS);
    assert!(policy(&bench).ends_with(&format!("connect-src 'self' {ADDRESS}")));
    // It is kept over a restart of the service.
    let bench = bench.restarted("");
    assert!(policy(&bench).ends_with(&format!("connect-src 'self' {ADDRESS}")));
    assert_eq!(choose(&bench, &Value::Null, "stable").status, 200);
    assert!(policy(&bench).ends_with("connect-src 'self'"));
}

#[test]
fn a_list_is_taken_when_the_boxs_key_has_signed_it_and_it_is_not_an_old_one() {
    let (bench, _double) = with_feed();
    let bundle = publisher::bundle(NEW);
    let releases = [publisher::release(NEW, "stable", &bundle)];
    let taken = hand_over(&bench, 7, &releases);
    assert_eq!(taken.status, 200, "{}", taken.json());
    let list = taken.json()["list"].clone();
    assert_eq!((&list["serial"], &list["offer"]), (&json!(7), &json!(publisher::hash(&bundle))));
    let one = &list["releases"][0];
    assert_eq!(
        (&one["verdict"], &one["notes"]["ja"]),
        (&json!("newer"), &json!("静かになりました。"))
    );
    // Replayed: what was seen stays.
    let replayed = hand_over(&bench, 6, &[]);
    assert_problem(&replayed, 422, "list-refused");
    assert!(replayed.json()["detail"].as_str().unwrap().contains("number 6, seen 7"));
    assert_eq!(hand_over(&bench, 7, &releases).status, 200);
    // Changed, of another key, not a list at all.
    let good = publisher::list(bench.folder.path(), 8, &[]);
    let mut changed = good.clone();
    *changed.last_mut().unwrap() = b' ';
    let stranger = tempfile::tempdir().unwrap();
    publisher::key(stranger.path());
    let foreign = publisher::list(stranger.path(), 8, &[]);
    for bad in [changed, foreign, b"<!doctype html>\n404".to_vec(), Vec::new()] {
        assert_problem(&bench.upload("POST /api/v1/update/list", &bad), 422, "list-refused");
    }
    let large = vec![b'x'; 300_000];
    assert_problem(&bench.upload("POST /api/v1/update/list", &large), 413, "body-too-large");
    assert_eq!(state(&bench)["list"], list);
    // Another feed has another list; without one there is none.
    choose(&bench, &json!("https://example.org/other/"), "stable");
    assert_eq!(state(&bench)["list"], Value::Null);
    choose(&bench, &Value::Null, "stable");
    assert_problem(&bench.upload("POST /api/v1/update/list", &good), 409, "no-feed");
}

#[test]
fn a_box_with_another_key_than_before_believes_no_list_that_it_has_kept() {
    let (bench, _double) = with_feed();
    hand_over(&bench, 7, &[publisher::release(NEW, "stable", &publisher::bundle(NEW))]);
    publisher::key(bench.folder.path());
    assert_eq!(state(&bench)["list"], Value::Null);
    assert_problem(&hand_over(&bench, 6, &[]), 422, "list-refused");
    assert_eq!(hand_over(&bench, 8, &[]).status, 200);
}

#[test]
fn a_bundle_comes_in_pieces_survives_a_restart_and_is_installed_when_it_is_whole() {
    let (bench, double) = with_feed();
    let bundle = publisher::bundle(NEW);
    hand_over(&bench, 7, &[publisher::release(NEW, "stable", &bundle)]);
    assert_eq!(piece(&bench, &bundle, 0, 1_000_000).json()["have"], 1_000_000);
    assert_problem(&piece(&bench, &bundle, 0, 10), 409, "other-place");
    assert_problem(&piece(&bench, &bundle, 1_000_001, 1_000_010), 409, "other-place");
    assert_problem(&install(&bench, &bundle, &json!({})), 409, "not-whole");
    // A transfer that breaks off in the middle of a piece.
    let hash = publisher::hash(&bundle);
    let mut socket = TcpStream::connect(bench.address).unwrap();
    let host = bench.address;
    let head = format!(
        "POST /api/v1/update/bundle?sha256={hash}&at=1000000 HTTP/1.1\r\nHost: {host}\r\n\
         Origin: http://{host}\r\nContent-Type: application/octet-stream\r\n\
         Content-Length: 2000000\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(&bundle[1_000_000..2_500_000]).unwrap();
    drop(socket);
    let start = Instant::now();
    let have = || state(&bench)["list"]["releases"][0]["have"].as_u64().unwrap();
    while have() <= 1_000_000 || bench.get("/api/v1/update").json()["running"] == true {
        assert!(start.elapsed() < DEADLINE, "nothing of the broken piece was kept");
        std::thread::sleep(Duration::from_millis(20));
    }
    let have = usize::try_from(have()).unwrap();
    drop(double);
    let bench = bench.restarted("");
    let _double = Double::start(bench.folder.path());
    assert_eq!(state(&bench)["list"]["releases"][0]["have"], have);
    assert_eq!(piece(&bench, &bundle, have, bundle.len()).json()["have"], bundle.len());
    assert_problem(
        &piece(&bench, &[bundle.as_slice(), b"x"].concat(), bundle.len(), bundle.len() + 1),
        404,
        "no-such-thing",
    );

    let seen = updater::start(&bench.folder.path().join("updater"), End::Success);
    let done = install(&bench, &bundle, &json!({}));
    assert_eq!((done.status, &done.json()["words"]), (200, &json!("SWUPDATE successful")));
    assert_eq!(seen.lock().unwrap().bundle, bundle);
    assert_eq!(seen.lock().unwrap().dry_run, 2, "RUN_INSTALL");
    let update = bench.get("/api/v1/update").json();
    assert_eq!(
        (&update["outcome"], &update["other_version"]),
        (&json!("waits-for-restart"), &json!(NEW))
    );
    assert_eq!(update["last"]["to_version"], NEW);
    let folder = bench.folder.path().join("data/update");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "the bundle is not kept");
}

#[test]
fn the_updater_sees_nothing_of_a_bundle_that_is_not_the_lists() {
    let (bench, _double) = with_feed();
    let seen = updater::start(&bench.folder.path().join("updater"), End::Success);
    let good = publisher::bundle(NEW);
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    // An older bundle, made as long as the new one.
    let mut older = publisher::bundle("0.0.1");
    older.resize(good.len(), 0);
    hand_over(&bench, 7, &[publisher::release(NEW, "stable", &good)]);
    let hash = publisher::hash(&good);
    for bad in [&changed, &older] {
        let line = format!("POST /api/v1/update/bundle?sha256={hash}&at=0");
        assert_eq!(bench.upload(&line, bad).json()["have"], good.len());
        let refused = install(&bench, &good, &json!({"go_back": true}));
        assert_problem(&refused, 422, "bundle-changed");
        assert!(refused.json()["detail"].as_str().unwrap().contains("SHA-256"));
        assert_eq!(state(&bench)["list"]["releases"][0]["have"], 0, "it is fetched anew");
    }
    // A list that says another version than its bundle.
    hand_over(&bench, 8, &[publisher::release("901.0.0", "stable", &good)]);
    piece(&bench, &good, 0, good.len());
    let refused = install(&bench, &good, &json!({}));
    assert_problem(&refused, 422, "bundle-changed");
    assert!(refused.json()["detail"].as_str().unwrap().contains("901.0.0"));
    assert_eq!(seen.lock().unwrap().bundle, b"");
    assert_eq!(bench.get("/api/v1/update").json()["last"], Value::Null);
}

#[test]
fn what_this_box_may_not_take_is_refused_with_the_reason() {
    let (bench, _double) = with_feed();
    let seen = updater::start(&bench.folder.path().join("updater"), End::Success);
    let [old, beta, far, foreign] =
        ["0.0.1", "900.1.0-beta.1", "901.0.0", "902.0.0"].map(publisher::bundle);
    let mut between = publisher::release("901.0.0", "stable", &far);
    between["from"] = json!("900.0.0");
    let mut board = publisher::release("902.0.0", "stable", &foreign);
    board["board"] = json!("jetson");
    hand_over(
        &bench,
        7,
        &[
            publisher::release("0.0.1", "stable", &old),
            publisher::release("900.1.0-beta.1", "beta", &beta),
            between,
            board,
        ],
    );
    assert_eq!(state(&bench)["list"]["offer"], Value::Null);
    for (bundle, kind) in
        [(&beta, "other-channel"), (&far, "needs-between"), (&foreign, "other-board")]
    {
        for back in [false, true] {
            assert_problem(&install(&bench, bundle, &json!({"go_back": back})), 409, kind);
        }
        assert_problem(&piece(&bench, bundle, 0, 1000), 409, kind);
    }
    // Back only when it is said, and said again with the request that installs.
    assert_eq!(piece(&bench, &old, 0, old.len()).status, 200);
    assert_problem(&install(&bench, &old, &json!({})), 409, "older-version");
    assert_eq!(seen.lock().unwrap().bundle, b"");
    assert_eq!(install(&bench, &old, &json!({"go_back": true})).status, 200);
    assert_eq!(seen.lock().unwrap().bundle, old);
    // The channel is the owner's.
    choose(&bench, &json!(ADDRESS), "beta");
    assert_eq!(state(&bench)["list"]["offer"], publisher::hash(&beta));
    for body in
        [json!({"sha256": "x"}), json!({}), json!({"sha256": publisher::hash(&old), "force": true})]
    {
        let refused = bench.order("POST /api/v1/update/install", &body.to_string());
        assert_problem(&refused, 422, "not-accepted");
    }
}

#[test]
fn an_older_bundle_as_a_file_is_refused_too_unless_it_is_said() {
    let (bench, _double) = with_feed();
    let seen = updater::start(&bench.folder.path().join("updater"), End::Success);
    let old = publisher::bundle("0.0.1");
    assert_problem(&bench.upload("POST /api/v1/update", &old), 409, "older-version");
    assert_eq!(seen.lock().unwrap().bundle, b"", "the updater was not even asked");
    assert_eq!(bench.get("/api/v1/update").json()["outcome"], "failed");
    assert_eq!(bench.upload("POST /api/v1/update?check=true", &old).status, 200);
    assert_eq!(bench.upload("POST /api/v1/update?go_back=true", &old).status, 200);
    assert_eq!(seen.lock().unwrap().bundle, old);
    let new = publisher::bundle(NEW);
    assert_eq!(bench.upload("POST /api/v1/update", &new).status, 200);
    assert_eq!(bench.get("/api/v1/update").json()["last"]["to_version"], NEW);
}

#[test]
fn one_bundle_is_kept_and_it_leaves_room() {
    let (bench, _double) = with_feed();
    let [one, two] = ["900.0.0", "901.0.0"].map(publisher::bundle);
    let releases = [
        publisher::release("900.0.0", "stable", &one),
        publisher::release("901.0.0", "stable", &two),
    ];
    hand_over(&bench, 7, &releases);
    piece(&bench, &one, 0, 2_000_000);
    piece(&bench, &two, 0, 1_000_000);
    let have = |n: usize| state(&bench)["list"]["releases"][n]["have"].clone();
    assert_eq!((have(0), have(1)), (json!(0), json!(1_000_000)));
    assert_eq!(bench.order("DELETE /api/v1/update/bundle", "{}").status, 200);
    assert_eq!(have(1), 0);
    piece(&bench, &two, 0, 1_000_000);
    hand_over(&bench, 8, &releases[..1]);
    let folder = bench.folder.path().join("data/update");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "no list has it any more");
    // Of a bundle that leaves no room not even the first byte is taken.
    let bench = bench.restarted("storage.min_free_bytes = 1099511627776\n");
    assert_problem(&piece(&bench, &one, 0, 1000), 507, "storage-full");
    assert_eq!(state(&bench)["list"]["releases"][0]["have"], 0);
}

#[test]
#[ignore = "waits for a minute"]
fn the_box_restarts_when_nobody_listens() {
    let (bench, double) = with_feed();
    let folder = bench.folder.path().join("power");
    std::fs::create_dir(&folder).unwrap();
    let socket = UnixListener::bind(folder.join("reboot")).unwrap();
    socket.set_nonblocking(true).unwrap();
    updater::start(&bench.folder.path().join("updater"), End::Success);
    let bundle = publisher::bundle(NEW);
    hand_over(&bench, 7, &[publisher::release(NEW, "stable", &bundle)]);
    piece(&bench, &bundle, 0, bundle.len());
    assert_eq!(install(&bench, &bundle, &json!({"restart": "quiet"})).status, 200);
    let waits = || bench.get("/api/v1/update").json()["restart_waits"].clone();
    assert_eq!(waits(), true);
    let order = |when: &str| {
        bench.order("POST /api/v1/update/restart", &json!({"restart": when}).to_string())
    };
    assert_eq!(order("ask").status, 200);
    assert_eq!(waits(), false);
    order("quiet");
    // The double plays.
    std::thread::sleep(Duration::from_secs(3));
    drop(double);
    let start = Instant::now();
    let asked = loop {
        match socket.accept() {
            Ok(_) => break start.elapsed(),
            Err(_) if start.elapsed() > Duration::from_secs(90) => panic!("no restart"),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    };
    assert!(asked > Duration::from_secs(55), "a minute of quiet; it was {asked:?}");
    assert_eq!(waits(), false);
}
