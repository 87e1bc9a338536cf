use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::*;
use crate::{Board, Device, Verdict};

/// Runs openssl in `folder`, as the one who publishes does.
fn openssl(folder: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("these tests need the program openssl");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}");
    output.stdout
}

/// One who publishes.
struct Publisher(tempfile::TempDir);

impl Publisher {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let size = "rsa_keygen_bits:3072";
        openssl(
            folder.path(),
            &["genpkey", "-algorithm", "RSA", "-pkeyopt", size, "-out", "key"],
            b"",
        );
        Self(folder)
    }

    fn key(&self) -> Key {
        let pem = openssl(self.0.path(), &["pkey", "-in", "key", "-pubout"], b"");
        Key::from_pem(std::str::from_utf8(&pem).unwrap()).unwrap()
    }

    fn sign_with(&self, signed: &[u8], salt: &str) -> Vec<u8> {
        let salt = format!("rsa_pss_saltlen:{salt}");
        let padding = "rsa_padding_mode:pss";
        let arguments =
            ["dgst", "-sha256", "-sign", "key", "-sigopt", padding, "-sigopt", salt.as_str()];
        let signature = openssl(self.0.path(), &arguments, signed);
        let mut file = format!("totton-releases-1 {}\n", Base64::encode_string(&signature));
        file.push_str(std::str::from_utf8(signed).unwrap());
        file.into_bytes()
    }

    fn sign(&self, list: &Value) -> Vec<u8> {
        self.sign_with(list.to_string().as_bytes(), "digest")
    }
}

fn release(version: &str, channel: &str) -> Value {
    let digits = version.bytes().map(u64::from).sum::<u64>();
    json!({
        "version": version, "channel": channel, "board": "qemuarm64", "revisions": ["1"],
        "file": format!("totton-{version}.swu"), "bytes": 1000, "sha256": format!("{digits:064x}"),
        "from": "0.1.0", "published": 1_790_000_000, "notes": {"en": "New.\nAll of it.", "ja": "新しい。"},
    })
}

fn list(releases: &[Value]) -> Value {
    json!({"serial": 7, "made": 1_790_000_000, "releases": releases})
}

fn device(version: &str, channel: Channel) -> Device {
    Device::new(version, Board::parse("qemuarm64 1\n").unwrap(), channel).unwrap()
}

#[test]
fn a_list_that_openssl_signed_is_taken_and_every_changed_byte_is_not() {
    let publisher = Publisher::new();
    let key = publisher.key();
    let file = publisher.sign(&list(&[release("0.2.0", "stable")]));
    let index = Index::open(&key, &file).unwrap();
    assert_eq!((index.serial(), index.releases().len()), (7, 1));
    assert_eq!(index.releases()[0].notes.ja.to_string(), "新しい。");
    for place in 0..file.len() {
        let mut changed = file.clone();
        changed[place] ^= 1;
        assert!(Index::open(&key, &changed).is_err(), "byte {place} was changed");
        assert!(Index::open(&key, &file[..place]).is_err(), "cut at {place}");
    }
    let longer = [file.as_slice(), b"\n"].concat();
    assert!(matches!(Index::open(&key, &longer), Err(Refused::Signature)));
    let other = Publisher::new().key();
    assert!(matches!(Index::open(&other, &file), Err(Refused::Signature)));
}

#[test]
fn a_signature_of_another_kind_is_refused() {
    let publisher = Publisher::new();
    let signed = list(&[]).to_string().into_bytes();
    for salt in ["0", "20", "max"] {
        let file = publisher.sign_with(&signed, salt);
        assert!(matches!(Index::open(&publisher.key(), &file), Err(Refused::Signature)), "{salt}");
    }
    // A signed sw-description is not a list, though the key is the right one.
    let description = b"software = { version = \"0.2.0\"; };";
    let file = publisher.sign_with(description, "digest");
    assert!(matches!(Index::open(&publisher.key(), &file), Err(Refused::Content(_))));
}

#[test]
fn what_is_no_list_is_refused_before_anything_is_read() {
    let key = Publisher::new().key();
    let large = vec![b' '; LARGEST + 1];
    assert!(matches!(Index::open(&key, &large), Err(Refused::TooLarge)));
    let long = [b"totton-releases-1 ".as_slice(), &[b'A'; 3000], b"\n{}"].concat();
    for file in [
        b"".as_slice(),
        b"\n",
        b"{}",
        b"<!doctype html>\n<title>404</title>",
        b"totton-releases-2 AAAA\n{}",
        b"totton-releases-1 A\n{}",
        b"totton-releases-1 AA==AA\n{}",
        b"totton-releases-1\n{}",
        b"totton-releases-1 \xff\n{}",
        &long,
    ] {
        assert!(matches!(Index::open(&key, file), Err(Refused::NotAnIndex)), "{file:?}");
    }
    for file in [b"totton-releases-1 \n{}".as_slice(), b"totton-releases-1 AAAA\n{}"] {
        assert!(matches!(Index::open(&key, file), Err(Refused::Signature)), "{file:?}");
    }
}

#[test]
fn a_value_that_is_not_accepted_is_refused_and_named() {
    let good = release("0.2.0", "stable");
    let content = |one: Value| Index::content(list(&[one]).to_string().as_bytes());
    content(good.clone()).unwrap();
    let long = "x".repeat(MOST_NOTES + 1);
    for (field, value, named) in [
        ("file", json!("../etc/shadow.swu"), "a file's name"),
        ("file", json!("http://evil/x.swu"), "a file's name"),
        ("file", json!(".swu"), "a file's name"),
        ("file", json!("x.exe"), "a file's name"),
        ("file", json!("x?y.swu"), "a file's name"),
        ("bytes", json!(0), "2147483648"),
        ("bytes", json!(LARGEST_BUNDLE + 1), "2147483648"),
        ("bytes", json!(-1), "invalid value"),
        ("bytes", json!(1.5), "invalid type"),
        ("bytes", json!("1000"), "invalid type"),
        ("sha256", json!("AB".repeat(32)), "64 lower-case"),
        ("sha256", json!("ab".repeat(31)), "64 lower-case"),
        ("version", json!("1"), "a version"),
        ("version", json!("1.0.0 "), "a version"),
        ("version", json!(format!("1.0.0-{long}")), "a version"),
        ("from", json!("*"), "a version"),
        ("board", json!("a b"), "letters, digits"),
        ("board", json!(""), "letters, digits"),
        ("revisions", json!(["<b>"]), "letters, digits"),
        ("channel", json!("nightly"), "unknown variant"),
        ("published", json!(1_u64 << 53), "2^53"),
        ("notes", json!({"en": "x"}), "missing field `ja`"),
        ("notes", json!({"en": long, "ja": ""}), "4000"),
        ("notes", json!({"en": "\u{202e}gnp.exe", "ja": ""}), "4000"),
        ("notes", json!({"en": "\u{1b}[2J", "ja": ""}), "4000"),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        let reason = content(bad).unwrap_err().to_string();
        assert!(reason.contains(named), "{field}: {reason}");
        assert!(reason.len() < 600, "{field}: {} bytes of reason", reason.len());
    }
    let twice = list(&[good.clone(), good.clone()]).to_string();
    assert!(Index::content(twice.as_bytes()).unwrap_err().to_string().contains("twice"));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    Index::content(deep.as_bytes()).unwrap_err();
    let many: Vec<_> = (0..=MOST_RELEASES).map(|n| release(&format!("0.{n}.0"), "beta")).collect();
    assert!(Index::content(list(&many).to_string().as_bytes()).is_err());
    // A newer publisher may say more.
    let mut newer = good;
    newer["delta"] = json!({"from": "0.1.0"});
    content(newer).unwrap();
}

#[test]
fn a_list_that_was_seen_is_taken_again_and_an_older_one_is_not() {
    let index = Index::content(list(&[]).to_string().as_bytes()).unwrap();
    index.not_before(6).unwrap();
    index.not_before(7).unwrap();
    let replayed = index.not_before(8).unwrap_err();
    assert!(matches!(replayed, Refused::Replayed { found: 7, seen: 8 }));
}

#[test]
fn a_device_is_offered_the_newest_that_it_can_take() {
    let mut far = release("0.9.0", "stable");
    far["from"] = json!("0.3.0");
    let mut board = release("1.0.0", "stable");
    board["board"] = json!("jetson");
    let mut revision = release("1.1.0", "stable");
    revision["revisions"] = json!(["2", "3"]);
    let releases = [
        release("0.1.0", "stable"),
        release("0.2.0", "stable"),
        release("0.10.0-beta.1", "beta"),
        release("0.3.0-beta.1", "beta"),
        far,
        board,
        revision,
    ];
    let index = Index::content(list(&releases).to_string().as_bytes()).unwrap();
    let verdicts = |device: &Device| -> Vec<_> {
        index.releases().iter().map(|release| device.verdict(release)).collect()
    };
    let offered = |device: &Device| device.offer(&index).map(|one| one.version.to_string());
    use Verdict::*;
    let old = device("0.2.0", Channel::Stable);
    assert_eq!(
        verdicts(&old),
        [Older, Same, OtherChannel, OtherChannel, NeedsBetween, OtherBoard, OtherBoard]
    );
    assert_eq!(offered(&old), None, "0.9.0 needs 0.3.0 before");
    let beta = device("0.2.0", Channel::Beta);
    assert_eq!(verdicts(&beta), [Older, Same, Newer, Newer, NeedsBetween, OtherBoard, OtherBoard]);
    assert_eq!(offered(&beta).as_deref(), Some("0.10.0-beta.1"));
    let after = device("0.3.0", Channel::Stable);
    assert_eq!(offered(&after).as_deref(), Some("0.9.0"));
    // Back from a beta to the stable release is going back, and the box says so.
    assert_eq!(verdicts(&device("0.10.0-beta.1", Channel::Stable))[4], Older);
    assert_eq!(verdicts(&device("0.2.0+build.7", Channel::Stable))[1], Same);
    for (verdict, forward, back) in [
        (Newer, true, true),
        (Same, true, true),
        (Older, false, true),
        (NeedsBetween, false, false),
        (OtherChannel, false, false),
        (OtherBoard, false, false),
    ] {
        assert_eq!((verdict.allows(false), verdict.allows(true)), (forward, back), "{verdict:?}");
    }
}

#[test]
fn a_key_or_a_board_that_cannot_be_read_is_said_so() {
    for pem in ["", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", &"x".repeat(20_000)] {
        assert!(matches!(Key::from_pem(pem), Err(Refused::Key(_))), "{pem:.40}");
    }
    for text in ["", "qemuarm64", "qemuarm64 1 2"] {
        assert!(matches!(Board::parse(text), Err(Refused::Board(_))), "{text}");
    }
}
