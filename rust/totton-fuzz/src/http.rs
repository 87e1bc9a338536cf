//! Requests to the page's service: the whole application in this process, from its guard to
//! the data folder, with a stand-in for the audio daemon behind it.
//!
//! An input is a request as it is written: the line `METHOD PATH`, header lines, an empty line,
//! the body. The bytes on the connection are the HTTP library's; what it makes of them comes
//! here. Left out: what starts programs (`/system`, `/logs`, `/diagnostics`) and what sets a
//! password, which takes a tenth of a second of purpose.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_http::Request;
use actix_web::body::{BoxBody, to_bytes_limited};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, Uri};
use actix_web::rt::Runtime;
use actix_web::test::{TestRequest, init_service};
use tempfile::TempDir;
use tokio::sync::watch;
use totton_audio_web::app::{Shared, app};
use totton_audio_web::problem::MEDIA_TYPE;
use totton_audio_web::{Overrides, Settings};

use crate::daemon::Daemon;
use crate::file;
use crate::settings::harmless;

/// The largest response.
const LARGEST: usize = 16 << 20;

/// What a request has left undone when it is answered: a file that is still being closed.
const SETTLED: Duration = Duration::from_secs(5);

/// What may lie in the data folder afterwards.
const KEPT: [&str; 8] = [
    "incoming",
    "equalisers",
    "presets",
    "filters",
    "equaliser.json",
    "before-restore.json",
    "headphones.jsonl.gz",
    "update.json",
];

/// Headers that every response has.
const ALWAYS: [&str; 7] = [
    "content-security-policy",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
    "cache-control",
];

type Answer = Pin<Box<dyn Future<Output = Result<ServiceResponse<BoxBody>, actix_web::Error>>>>;

struct Device {
    folder: TempDir,
    daemon: Daemon,
    /// Neither can be dropped when its thread ends: both need what the thread has lost by then.
    runtime: ManuallyDrop<Runtime>,
    ask: ManuallyDrop<Box<dyn Fn(Request) -> Answer>>,
    /// A new address for each request, so that none is refused for its pace.
    from: Cell<u32>,
    _closing: watch::Sender<bool>,
}

thread_local! {
    static DEVICE: Device = Device::new();
}

impl Device {
    fn new() -> Self {
        let folder = file::folder();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let control = format!("ipc://{}", at("control.sock"));
        let text = format!(
            "listen.hosts = [\"127.0.0.1\"]\nstorage.folder = {:?}\nstorage.min_free_bytes = 0\n\
             system.power_sockets = {:?}\nsystem.updater_sockets = {:?}\n\
             daemon.control = {control:?}\ndaemon.telemetry = \"ipc://{}\"\n",
            at("data"),
            at("power"),
            at("updater"),
            at("telemetry.sock"),
        );
        let file = folder.path().join("web.toml");
        std::fs::write(&file, text).expect("a file");
        let settings = Settings::load(&file, &Overrides::default()).expect("settings");
        let daemon = Daemon::start(&control, folder.path());
        let runtime = Runtime::new().expect("a runtime");
        let (closing, closed) = watch::channel(false);
        let ask = runtime.block_on(async {
            let shared = Shared::open(&settings, &closed).expect("the service");
            let service = Rc::new(init_service(app(&shared)).await);
            Box::new(move |request| {
                let service = Rc::clone(&service);
                Box::pin(async move { service.call(request).await }) as Answer
            }) as Box<dyn Fn(Request) -> Answer>
        });
        let (runtime, ask) = (ManuallyDrop::new(runtime), ManuallyDrop::new(ask));
        Self { folder, daemon, runtime, ask, from: Cell::new(1), _closing: closing }
    }

    /// Nothing of the request before is there.
    fn clear(&self) {
        self.daemon.state().settings = totton_protocol::Settings::default();
        for entry in self.kept() {
            let path = entry.path();
            let removed = match path.is_dir() {
                true => std::fs::remove_dir_all(&path),
                false => std::fs::remove_file(&path),
            };
            removed.expect("what a request has left can be removed");
        }
    }

    fn kept(&self) -> Vec<std::fs::DirEntry> {
        let data = std::fs::read_dir(self.folder.path().join("data"));
        data.into_iter().flatten().flatten().collect()
    }

    fn check_folder(&self) {
        for entry in self.kept() {
            let name = entry.file_name();
            assert!(KEPT.iter().any(|kept| name == *kept), "{name:?} in the data folder");
        }
        let incoming = self.folder.path().join("data/incoming");
        let started = Instant::now();
        while std::fs::read_dir(&incoming).is_ok_and(|mut files| files.next().is_some()) {
            assert!(started.elapsed() < SETTLED, "a file is left in incoming/");
            std::thread::yield_now();
        }
    }

    fn send(&self, request: TestRequest, method: &Method) {
        let from = self.from.replace(self.from.get() % 0xff_ffff + 1);
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + from)), 1024);
        let request = request.peer_addr(address).to_request();
        self.runtime.block_on(async {
            let response = (self.ask)(request).await;
            let response = response.unwrap_or_else(|error| panic!("no response: {error}"));
            check_response(response, method).await;
        });
        let not_understood = self.daemon.state().not_understood.take();
        assert_eq!(not_understood, None, "the page has sent what is no request");
        harmless(&self.daemon.state().settings);
    }
}

async fn check_response(response: ServiceResponse<BoxBody>, method: &Method) {
    let (request, response) = response.into_parts();
    let (status, headers) = (response.status(), response.headers().clone());
    let what = format!("{} {}: {status}", request.method(), request.uri());
    // Busy, or full, is a server's error that a request may get.
    assert!(!status.is_server_error() || [503, 507].contains(&status.as_u16()), "{what}");
    for name in ALWAYS {
        assert!(headers.contains_key(name), "{what}, without {name}");
    }
    let kind = headers.get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default());
    let kind = kind.unwrap_or_default().to_owned();
    if kind.starts_with("text/event-stream") {
        return;
    }
    let body = to_bytes_limited(response.into_body(), LARGEST).await;
    let body = body.unwrap_or_else(|_| panic!("{what}, more than {LARGEST} bytes"));
    let body = body.unwrap_or_else(|error| panic!("{what}, a body that breaks off: {error}"));
    if method == Method::HEAD {
        return;
    }
    if status.is_client_error() || status.is_server_error() {
        assert_eq!(kind, MEDIA_TYPE, "{what}");
        let problem: serde_json::Value = serde_json::from_slice(&body).expect("a problem is JSON");
        for member in ["type", "title", "detail", "action"] {
            let text = problem[member].as_str();
            assert!(text.is_some_and(|text| !text.is_empty()), "{what}, no {member} in {problem}");
        }
        assert_eq!(problem["status"], status.as_u16(), "{what}");
    } else if kind.starts_with("application/json") {
        assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok(), "{what}, no JSON");
    }
}

/// A request as it is written; none where the HTTP library would let none through.
fn read(bytes: &[u8]) -> Option<(TestRequest, Method)> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = end.map_or((bytes, &[][..]), |at| (&bytes[..at], &bytes[at + 2..]));
    let mut lines = head.split(|byte| *byte == b'\n');
    let line = std::str::from_utf8(lines.next()?).ok()?;
    let (method, target) = line.split_once(' ')?;
    let method = Method::from_bytes(method.as_bytes()).ok()?;
    let uri: Uri = target.parse().ok()?;
    let path = uri.path().to_ascii_lowercase();
    // Spelled with escapes they are the same.
    let starts = ["system", "logs", "diagnostics", "password", "%"];
    if starts.iter().any(|word| path.contains(word)) && !path.starts_with("/api/v1/equaliser") {
        return None;
    }
    let mut request = TestRequest::default().method(method.clone()).uri(target);
    let (mut has_host, mut has_type) = (false, false);
    for line in lines {
        let at = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..at]).ok()?;
        let value = HeaderValue::from_bytes(line[at + 1..].trim_ascii()).ok()?;
        has_host |= name == header::HOST;
        has_type |= name == header::CONTENT_TYPE;
        request = request.append_header((name, value));
    }
    if !has_host {
        request = request.append_header((header::HOST, "localhost"));
    }
    if !has_type {
        request = request.append_header((header::CONTENT_TYPE, "application/json"));
    }
    Some((request.set_payload(body.to_vec()), method))
}

/// One request to a box with nothing on it.
pub fn request(bytes: &[u8]) {
    let Some((request, method)) = read(bytes) else { return };
    DEVICE.with(|device| {
        device.send(request, &method);
        device.check_folder();
        device.clear();
    });
}

/// Several requests to the same box, one after the other, with a line `---` between them.
pub fn conversation(bytes: &[u8]) {
    let mut rest = bytes;
    DEVICE.with(|device| {
        for _ in 0..8 {
            let end = rest.windows(5).position(|part| part == b"\n---\n");
            let (part, after) = end.map_or((rest, None), |at| (&rest[..at], Some(&rest[at + 5..])));
            if let Some((request, method)) = read(part) {
                device.send(request, &method);
            }
            let Some(after) = after else { break };
            rest = after;
        }
        device.check_folder();
        device.clear();
    });
}
