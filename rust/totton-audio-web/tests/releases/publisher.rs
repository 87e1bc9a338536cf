//! One who publishes: a key of its own, bundles and lists, as publish-update makes them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

pub const KEY: &str = "private-key.pem";

/// Runs openssl in `folder`.
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

/// Makes a key in `folder`; its public half is update-key.pem.
pub fn key(folder: &Path) {
    let size = "rsa_keygen_bits:2048";
    openssl(folder, &["genpkey", "-algorithm", "RSA", "-pkeyopt", size, "-out", KEY], b"");
    openssl(folder, &["pkey", "-in", KEY, "-pubout", "-out", "update-key.pem"], b"");
}

/// A list that the key in `folder` has signed.
pub fn list(folder: &Path, serial: u64, releases: &[Value]) -> Vec<u8> {
    let content =
        json!({"serial": serial, "made": 1_790_000_000, "releases": releases}).to_string();
    let (padding, salt) = ("rsa_padding_mode:pss", "rsa_pss_saltlen:digest");
    let sign = ["dgst", "-sha256", "-sign", KEY, "-sigopt", padding, "-sigopt", salt];
    let signature = openssl(folder, &sign, content.as_bytes());
    let base64 = openssl(folder, &["base64", "-A"], &signature);
    [b"totton-releases-1 ".as_slice(), &base64, b"\n", content.as_bytes()].concat()
}

/// A bundle's bytes: its head is a bundle's, what follows is not.
pub fn bundle(version: &str) -> Vec<u8> {
    let description = format!("software =\n{{\n    version = \"{version}\";\n}};\n");
    let name = "sw-description\0";
    let mut bytes = format!(
        "070702{}{:08x}{}{:08x}{:08x}{name}",
        "0".repeat(48),
        description.len(),
        "0".repeat(32),
        name.len(),
        0
    )
    .into_bytes();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend_from_slice(description.as_bytes());
    bytes.extend((0..3_000_000_u32).map(|n| (n % 251) as u8));
    bytes
}

/// The SHA-256 of these bytes.
pub fn hash(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A release of the list.
pub fn release(version: &str, channel: &str, bundle: &[u8]) -> Value {
    json!({
        "version": version, "channel": channel, "board": "qemuarm64", "revisions": ["1"],
        "file": format!("totton-update-qemuarm64-{version}.swu"), "bytes": bundle.len(),
        "sha256": hash(bundle), "from": "0.0.0", "published": 1_790_000_000,
        "notes": {"en": "Quieter.", "ja": "静かになりました。"},
    })
}
