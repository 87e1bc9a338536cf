//! What is kept, and what a stranger's files do: uploads at the same time, limits, the floor of
//! free space, compressed input, names, diagnostics.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::assert_problem;
use crate::bench::Bench;
use crate::http::{DEADLINE, Response, connect};

/// A filter file of the double's.
pub fn filter(bench: &Bench) -> Vec<u8> {
    std::fs::read(bench.folder.path().join("filters/44100-x16-linear.filter")).unwrap()
}

/// Another one.
pub fn other_filter(bench: &Bench) -> Vec<u8> {
    std::fs::read(bench.folder.path().join("filters/44100-x16-minimum.filter")).unwrap()
}

/// A profile of about `points` times 25 bytes.
pub fn large_profile(name: &str, points: usize) -> String {
    let points: Vec<_> =
        (0..points).map(|n| [20.0 + n as f64, -(n as f64) * 0.012_345_678_9]).collect();
    json!({"name": name, "preamp_db": 0.0, "bands": [], "curves": [{"points": points}]}).to_string()
}

/// Sends a command again while the box asks to wait.
pub fn order(bench: &Bench, line: &str, body: &str) -> Response {
    let start = Instant::now();
    loop {
        let answer = bench.order(line, body);
        if answer.status != 429 {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "{line} is never taken");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_upload_does_not_touch_what_another_has_kept() {
    let (bench, _double) = Bench::with_daemon("");
    let good = filter(&bench);
    // Another tab begins an upload, and is slow.
    let mut slow = connect(bench.address);
    let host = bench.address;
    write!(
        slow,
        "PUT /api/v1/headphones/database HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: 3000000\r\n\r\n"
    )
    .unwrap();
    // More than is gathered before it is written.
    slow.write_all(&vec![b'A'; 1_500_000]).unwrap();
    let kept = bench.upload("POST /api/v1/filters?name=good", &good);
    assert_eq!(kept.status, 200, "{}", String::from_utf8_lossy(&kept.body));
    let path = bench.folder.path().join("data/filters/good-44100-x16.filter");
    assert_eq!(std::fs::read(&path).unwrap(), good);
    // It goes on to its end, and is refused for what it is.
    slow.write_all(&vec![b'B'; 1_500_000]).unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 422"), "{answer}");
    assert_eq!(std::fs::read(&path).unwrap(), good);
    // Nothing of either is left.
    let left = std::fs::read_dir(bench.folder.path().join("data/incoming")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn documents_are_counted_whatever_they_are_called_and_their_bytes_too() {
    let (bench, _double) =
        Bench::with_daemon("storage.max_documents = 5\nstorage.max_document_bytes = 262144");
    let keep =
        |name: &str, points| bench.order("POST /api/v1/equalisers", &large_profile(name, points));
    for number in 0..5 {
        assert_eq!(keep(&format!("n{number}"), 10).status, 200);
    }
    assert_problem(&keep("another", 10), 409, "too-many");
    for number in 0..5 {
        let name = format!(r#"{{"name":"p{number}"}}"#);
        assert_eq!(bench.order("POST /api/v1/presets", &name).status, 200);
    }
    assert_problem(&bench.order("POST /api/v1/presets", r#"{"name":"x"}"#), 409, "too-many");
    // 24 kB each: not one more of the large ones than fit.
    for id in ["n0", "n1", "n2", "n3", "n4"] {
        let put = bench.order(&format!("PUT /api/v1/equalisers/{id}"), &large_profile(id, 1000));
        assert_eq!(put.status, 200);
    }
    bench.order("DELETE /api/v1/equalisers/n0", "{}");
    let four_curves = {
        let mut profile: Value = serde_json::from_str(&large_profile("big", 1000)).unwrap();
        profile["curves"] = vec![profile["curves"][0].clone(); 4].into();
        profile.to_string()
    };
    let statuses: Vec<_> = ["n1", "n2", "n3", "n4"]
        .iter()
        .map(|id| bench.order(&format!("PUT /api/v1/equalisers/{id}"), &four_curves))
        .collect();
    let last = statuses.last().unwrap();
    assert_problem(last, 507, "storage-full");
    assert!(last.json()["action"].as_str().unwrap().contains("Delete"), "{}", last.json());
}

#[test]
fn a_list_has_names_and_sizes_and_one_document_is_asked_for_by_its_id() {
    let (bench, _double) = Bench::with_daemon("");
    for number in 0..20 {
        let kept = bench
            .order("POST /api/v1/equalisers", &large_profile(&format!("Profile {number}"), 1000));
        assert_eq!(kept.status, 200);
    }
    let list = bench.get("/api/v1/equalisers");
    assert!(list.body.len() < 20 * 200, "{} bytes", list.body.len());
    let first = &list.json()["equalisers"][0];
    assert_eq!((&first["id"], &first["name"]), (&json!("profile-0"), &json!("Profile 0")));
    assert!(first["bytes"].as_u64().unwrap() > 20_000);
    let one = bench.get("/api/v1/equalisers/profile-0").json();
    assert_eq!(one["profile"]["curves"][0]["points"].as_array().unwrap().len(), 1000);
    assert_problem(&bench.get("/api/v1/equalisers/none"), 404, "no-such-thing");

    bench.order("POST /api/v1/presets", r#"{"name":"Night"}"#);
    let list = bench.get("/api/v1/presets").json();
    assert_eq!(
        (&list["presets"][0]["id"], &list["presets"][0]["name"]),
        (&json!("night"), &json!("Night"))
    );
    assert!(list["presets"][0]["preset"].is_null());
    assert_eq!(bench.get("/api/v1/presets/night").json()["preset"]["name"], "Night");
    assert_problem(&bench.get("/api/v1/presets/none"), 404, "no-such-thing");
}

#[test]
fn a_document_on_the_disk_is_checked_as_if_it_came_from_outside() {
    let (bench, double) = Bench::with_daemon("");
    bench.order("POST /api/v1/presets", r#"{"name":"Night"}"#);
    bench.order("POST /api/v1/equalisers", &large_profile("One", 2));
    let change = |file: &str, pointer: &str, value: Value| {
        let path = bench.folder.path().join("data").join(file);
        let mut document: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        *document.pointer_mut(pointer).unwrap() = value;
        std::fs::write(&path, document.to_string()).unwrap();
    };
    change("equalisers/one.json", "/preamp_db", json!(1000));
    assert_problem(&bench.get("/api/v1/equalisers/one"), 422, "not-accepted");
    // A filter that is not in the daemon's list does not reach it.
    change("presets/night.json", "/filter", json!("/opt/totton_audio/filters/none.filter"));
    assert_problem(&bench.order("POST /api/v1/presets/night/apply", "{}"), 404, "no-such-thing");
    // What no type takes is no preset at all.
    change("presets/night.json", "/filter", json!("/etc/shadow"));
    assert_problem(&bench.order("POST /api/v1/presets/night/apply", "{}"), 500, "device-failed");
    change("presets/night.json", "/filter", Value::Null);
    change("presets/night.json", "/sound/headroom_db", json!(-60));
    let refused = bench.order("POST /api/v1/presets/night/apply", "{}");
    assert!(matches!(refused.status, 422 | 500), "{refused:?}");
    let shared = double.shared.lock().unwrap();
    assert!(!shared.commands.iter().any(|command| command.name() == "change-settings"));
}

#[test]
fn the_floor_of_free_space_stops_uploads_and_not_the_settings() {
    let (bench, _double) = Bench::with_daemon("storage.min_free_bytes = 1099511627776");
    let content = filter(&bench);
    for (line, content) in
        [("POST /api/v1/filters?name=x", &content[..]), ("PUT /api/v1/headphones/database", b"{}")]
    {
        let refused = bench.upload(line, content);
        assert_problem(&refused, 507, "storage-full");
        assert!(refused.json()["detail"].as_str().unwrap().contains("1099511627776"));
    }
    for (line, body) in [
        ("POST /api/v1/equalisers", large_profile("x", 2)),
        ("POST /api/v1/presets", r#"{"name":"x"}"#.to_owned()),
    ] {
        assert_problem(&bench.order(line, &body), 507, "storage-full");
    }
    let sides = json!({"side": "a", "bypass": false, "a": null, "b": null}).to_string();
    assert_eq!(bench.order("PUT /api/v1/equaliser", &sides).status, 200);
}

#[test]
fn a_filter_never_takes_the_place_of_another_without_a_word() {
    let (bench, _double) = Bench::with_daemon("");
    let (one, other) = (filter(&bench), other_filter(&bench));
    let put = |name: &str, content: &[u8]| {
        bench.upload(&format!("POST /api/v1/filters?name={name}"), content)
    };
    // 高音質 and 低遅延.
    let [high, low] = ["%E9%AB%98%E9%9F%B3%E8%B3%AA", "%E4%BD%8E%E9%81%85%E5%BB%B6"];
    let (first, second) = (put(high, &one).json(), put(low, &other).json());
    assert_ne!(first["file"], second["file"]);
    let kept = |answer: &Value| {
        let file = answer["file"].as_str().unwrap();
        std::fs::read(bench.folder.path().join("data/filters").join(file)).unwrap()
    };
    assert_eq!((kept(&first), kept(&second)), (one.clone(), other.clone()));
    // The same again is no conflict.
    assert_eq!(put(high, &one).json(), first);
    assert_problem(&put(high, &other), 409, "filter-exists");
    let plain = put("A", &one).json();
    assert_problem(&put("a", &other), 409, "filter-exists");
    assert_eq!(kept(&plain), one);
    let replaced = put("a&replace=true", &other);
    assert_eq!((replaced.status, kept(&plain)), (200, other));
}

#[test]
fn filters_are_limited_in_number_and_bytes() {
    let (bench, _double) = Bench::with_daemon("storage.max_filters = 2");
    let content = filter(&bench);
    let put = |bench: &Bench, name: &str| {
        bench.upload(&format!("POST /api/v1/filters?name={name}"), &content)
    };
    assert_eq!((put(&bench, "a").status, put(&bench, "b").status), (200, 200));
    assert_problem(&put(&bench, "c"), 409, "too-many");
    let (bench, _double) = Bench::with_daemon("storage.max_filter_bytes = 1048576");
    // 131 kB each: seven fit.
    let statuses: Vec<_> = (0..9).map(|n| put(&bench, &format!("f{n}")).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 7, "{statuses:?}");
    assert_problem(&put(&bench, "more"), 507, "storage-full");
}

fn gzipped(write: impl Fn(&mut dyn Write)) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    write(&mut packed);
    packed.finish().unwrap()
}

#[test]
fn a_small_file_that_unpacks_to_much_takes_little_memory_and_is_not_kept() {
    let (bench, _double) = Bench::with_daemon("");
    let before = bench.peak_memory();
    let bands = vec![r#"{"type":"peak_dip","frequency":1,"q":1}"#; 50].join(",");
    let curve = |product: usize| {
        format!(
            "{{\"type\":\"eq\",\"id\":\"v:p::e\",\"data\":{{\"author\":\"A\",\"type\":\"parametric_eq\",\
         \"product_id\":\"v::{product}\",\"parameters\":{{\"gain_db\":0,\"bands\":[{bands}]}}}}}}\n"
        )
    };
    let head = "{\"type\":\"vendor\",\"id\":\"v\",\"data\":{\"name\":\"V\"}}\n\
        {\"type\":\"product\",\"id\":\"v::p\",\"data\":{\"name\":\"P\",\"vendor_id\":\"v\"}}\n";
    let many = gzipped(|to| {
        to.write_all(head.as_bytes()).unwrap();
        for number in 0..40_000 {
            to.write_all(curve(number / 100).as_bytes()).unwrap();
        }
    });
    let one_line = gzipped(|to| (0..2000).for_each(|_| to.write_all(&[b' '; 100_000]).unwrap()));
    for (bomb, said) in [(many, "takes more than"), (one_line, "line 1")] {
        assert!(bomb.len() < 2_000_000, "{}", bomb.len());
        let refused = bench.upload("PUT /api/v1/headphones/database", &bomb);
        assert_problem(&refused, 422, "not-accepted");
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(said), "{detail}");
    }
    let grown = bench.peak_memory() - before;
    println!("the peak grew by {} MiB", grown >> 20);
    assert!(grown < 100 << 20, "{} MiB", grown >> 20);
    assert_problem(&bench.get("/api/v1/headphones"), 409, "no-headphones");
}

#[test]
fn a_large_filter_is_checked_in_little_memory() {
    let (bench, _double) = Bench::with_daemon("");
    let before = bench.peak_memory();
    let origin = totton_dsp::Origin::Imported { source: "zeros".into() };
    let taps = vec![0.0; 4_000_000];
    let large = totton_dsp::Filter::new(44_100, 16, totton_dsp::Phase::Unknown, origin, taps);
    let path = bench.folder.path().join("large.filter");
    large.unwrap().save(&path).unwrap();
    let put = bench.upload("POST /api/v1/filters?name=large", &std::fs::read(path).unwrap());
    assert_eq!((put.status, &put.json()["taps"]), (200, &json!(4_000_000)));
    let grown = bench.peak_memory() - before;
    assert!(grown < 16 << 20, "{} MiB for a file of 32 MB", grown >> 20);
}

#[test]
fn a_plot_fits_into_the_memory_of_the_service_whatever_filter_is_there() {
    let (bench, double) = Bench::with_daemon("");
    let plot = |name: &str, taps: usize| {
        let origin = totton_dsp::Origin::Imported { source: "impulse".into() };
        let mut impulse = vec![0.0; taps];
        impulse[taps / 2] = 16.0;
        let filter =
            totton_dsp::Filter::new(44_100, 16, totton_dsp::Phase::Linear, origin, impulse);
        let path = bench.folder.path().join(name);
        filter.unwrap().save(&path).unwrap();
        double.shared.lock().unwrap().filters[1].files[0].file = path.display().to_string();
        let before = bench.peak_memory();
        let answer = bench.get(&format!("/api/v1/filters/plot?file={}", path.display()));
        (answer, (bench.peak_memory() - before) >> 20)
    };
    let (refused, grown) = plot("long.filter", (1 << 22) + 1);
    assert_problem(&refused, 422, "not-accepted");
    assert!(grown < 8, "{grown} MiB for a filter that is not plotted");
    let (plotted, grown) = plot("longest.filter", 1 << 22);
    assert_eq!(plotted.status, 200);
    println!("the plot took {grown} MiB");
    // The unit has MemoryMax=512M.
    assert!(grown < 360, "{grown} MiB");
}

#[test]
fn diagnostics_have_no_serial_number() {
    let (bench, double) = Bench::with_daemon("");
    let name = "usb:1234:abcd:SN0042X9";
    {
        let mut shared = double.shared.lock().unwrap();
        shared.dacs[0].name = name.to_owned();
        shared.status.message = format!("streaming to {name}");
    }
    assert_eq!(
        bench.order("PATCH /api/v1/settings", &json!({"dac": name}).to_string()).status,
        200
    );
    let packed = bench.get("/api/v1/diagnostics").body;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed.as_slice()));
    let (mut seen, mut recorded) = (0, 0);
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let file = entry.path().unwrap().display().to_string();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert!(!text.contains("SN0042X9"), "{file}: {text}");
        seen += usize::from(text.contains("usb:1234:abcd:[removed]"));
        recorded += usize::from(
            file.contains("/flight-recorder") && text.starts_with("uptime_ms,state\n100,1\n"),
        );
    }
    // The list of DACs, the settings, the status and the journal.
    assert!(seen >= 4, "{seen}");
    // The last minutes, and those before an abort.
    assert_eq!(recorded, 2);
}
