//! The importer and the search, on headphones that do not exist.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use totton_headphones::{Database, Error, file, limits, repository};

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sample")
}

fn imported() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("headphones.jsonl.gz");
    file::save(&repository::read(&sample()).unwrap(), &path).unwrap();
    (folder, path)
}

fn names(database: &Database, text: &str) -> Vec<String> {
    let (found, _) = database.search(text, 10);
    found.iter().map(|product| format!("{} {}", product.vendor, product.name)).collect()
}

#[test]
fn a_checkout_becomes_a_database_that_is_found_in() {
    let (_folder, path) = imported();
    let database = Database::load(&path).unwrap();
    assert_eq!((database.products().len(), database.curves()), (2, 3));
    for text in ["one 100", "ONE100", "example one", "100", "exam audio", "e audio one"] {
        assert_eq!(names(&database, text), ["Example Audio One 100"], "{text}");
    }
    assert_eq!(names(&database, "ear2 été"), ["Sample Works Ear-2 «Été»"]);
    assert_eq!(names(&database, "").len(), 2, "nothing typed shows all");
    assert_eq!(names(&database, "nothing like it"), Vec::<String>::new());
    assert_eq!(database.search("", 1).1, 2, "the total is told beside what is shown");
}

#[test]
fn a_curve_is_said_as_equalizer_apo_says_it_with_its_author_at_hand() {
    let (_folder, path) = imported();
    let database = Database::load(&path).unwrap();
    let (product, curve) = database.curve("example_audio:one_100::totton_flat").unwrap();
    assert_eq!((product.name.as_str(), curve.author.as_str()), ("One 100", "Totton Audio tests"));
    assert_eq!(curve.link.as_deref(), Some("https://example.org/one"));
    assert_eq!(
        curve.text().unwrap(),
        "Preamp: -4.5 dB\nFilter 1: ON LSC Fc 105 Hz Gain 4.5 dB Q 0.71\n\
         Filter 2: ON PK Fc 3200 Hz Gain -3 dB Q 2\n\
         Filter 3: ON HSC Fc 10000 Hz Gain 1.5 dB Q 0.71\n"
    );
    // A Butterworth of the fourth order: qualities 0.5412 and 1.3066.
    let (_, steep) = database.curve("example_audio:one_100::totton_steep").unwrap();
    let text = steep.text().unwrap();
    assert!(text.contains("HPQ Fc 20 Hz Q 0.5411961") && text.contains("Q 1.306562"), "{text}");
    assert!(text.contains("LPQ Fc 18000 Hz Q 0.7071067"), "{text}");
    let (_, odd) = database.curve("sample_works:ear_2::odd").unwrap();
    assert!(odd.text().unwrap_err().contains("18 dB"));
}

#[test]
fn opras_own_file_is_read_plain_with_all_that_we_do_not_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("database_v1.jsonl");
    std::fs::write(
        &path,
        r#"{"type":"vendor","id":"v","data":{"name":"V","logo":"assets/1.png","blurb":"b"}}
{"type":"product","id":"v::p","data":{"name":"P","type":"headphones","subtype":"on_ear","vendor_id":"v","line_art_svg":"a.svg"}}

{"type":"eq","id":"v:p::e","data":{"author":"A","type":"parametric_eq","product_id":"v::p","parameters":{"gain_db":0,"bands":[]}}}
{"type":"eq","id":"v:p::g","data":{"author":"A","type":"graphic_eq","product_id":"v::p","parameters":{"gain_db":0,"bands":[]}}}
{"type":"eq","id":"v:q::e","data":{"author":"A","type":"parametric_eq","product_id":"v::q","parameters":{"gain_db":0,"bands":[]}}}
"#,
    )
    .unwrap();
    let database = Database::load(&path).unwrap();
    assert_eq!((database.products().len(), database.curves()), (1, 1));
}

#[test]
fn what_is_no_database_is_refused_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for (content, part) in [
        (&b"{}\n"[..], "line 1"),
        (b"\n{\"type\":\"vendor\",\"id\":\"v\",\"data\":{\"name\":1}}\n", "line 2"),
        (b"", "no equaliser"),
        (b"\x1f\x8bnot gzip", "cannot read"),
        (b"\xff\xfe\n", "line 1"),
    ] {
        std::fs::write(&path, content).unwrap();
        let text = Database::load(&path).unwrap_err().to_string();
        assert!(text.contains(part), "{text}");
    }
    let error = repository::read(folder.path()).unwrap_err();
    assert!(matches!(error, Error::NotARepository { .. }), "{error}");
}

/// A line with an equaliser.
fn curve(id: usize, author: &str, bands: usize) -> String {
    curve_of("v::p", id, author, bands)
}

fn curve_of(product: &str, id: usize, author: &str, bands: usize) -> String {
    let bands = vec![r#"{"type":"peak_dip","frequency":1,"q":1}"#; bands].join(",");
    format!(
        "{{\"type\":\"eq\",\"id\":\"v:p::{id}\",\"data\":{{\"author\":\"{author}\",\
         \"type\":\"parametric_eq\",\"product_id\":\"{product}\",\
         \"parameters\":{{\"gain_db\":0,\"bands\":[{bands}]}}}}}}\n"
    )
}

const HEAD: &str = "{\"type\":\"vendor\",\"id\":\"v\",\"data\":{\"name\":\"V\"}}\n\
    {\"type\":\"product\",\"id\":\"v::p\",\"data\":{\"name\":\"P\",\"vendor_id\":\"v\"}}\n";

#[test]
fn what_exceeds_a_limit_is_refused_with_the_line() {
    let read = |text: String| Database::read(text.as_bytes(), Path::new("x"));
    let at_most = curve(1, &"a".repeat(limits::NAME_BYTES), limits::BANDS);
    assert_eq!(read(format!("{HEAD}{at_most}")).unwrap().curves(), 1);
    let vendor =
        |n: usize| format!("{{\"type\":\"vendor\",\"id\":\"{n}\",\"data\":{{\"name\":\"\"}}}}\n");
    for (text, said) in [
        (curve(1, &"a".repeat(limits::NAME_BYTES + 1), 1), "line 3: its author has 513 bytes"),
        (
            curve(1, "a", 1).repeat(limits::CURVES_OF_ONE + 1),
            "line 203: there are more than 200 equalisers of one headphone",
        ),
        (curve(1, "a", limits::BANDS + 1), "line 3: there are more than 100 bands"),
        (" ".repeat(limits::LINE_BYTES) + "\n", "line 3: it is longer than 65536 bytes"),
        (
            (0..=limits::VENDORS).map(vendor).collect(),
            "line 10002: there are more than 10000 vendors",
        ),
        (
            " \n".repeat(limits::PLAIN_BYTES as usize / 2 + 1),
            "more than 67108864 bytes when unpacked",
        ),
    ] {
        let error = read(format!("{HEAD}{text}")).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn what_takes_too_much_memory_is_refused_before_it_does() {
    // Of as many headphones as it needs, and far too long: what is refused is not read to its end.
    let endless = (0..10_000_000_usize)
        .flat_map(|n| curve_of(&format!("v::{}", n / 100), n, "a", limits::BANDS).into_bytes());
    struct Bytes<I>(I);
    impl<I: Iterator<Item = u8>> std::io::Read for Bytes<I> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let mut count = 0;
            for (place, byte) in buffer.iter_mut().zip(&mut self.0) {
                (*place, count) = (byte, count + 1);
            }
            Ok(count)
        }
    }
    let error = Database::read(Bytes(endless), Path::new("x")).unwrap_err().to_string();
    assert!(error.contains("the database takes more than 50331648 bytes"), "{error}");
}
