//! Which networks the page is served on: the program between two neighbours, in network
//! namespaces of their own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};

use crate::bench::write_settings;
use crate::http::DEADLINE;

/// The box's addresses on its two networks, and the neighbours' there.
const USB: [&str; 2] = ["192.168.55.1", "192.168.55.100"];
const OTHER: [&str; 2] = ["10.55.0.1", "10.55.0.2"];
const PORT: u16 = 80;

/// Runs `test` on a thread with a network of its own: loopback, and nothing else. What the
/// thread starts is there, too. Only root may: elsewhere than in the builder, whoever is not
/// is told that the test was skipped.
fn with_own_network(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(|| {
        if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
            assert!(std::env::var_os("TOTTON_BUILDER").is_none(), "no network namespace: {error}");
            // Not by println!, which a test that passes keeps for itself.
            let text = format!("SKIPPED: interfaces: no network namespace of its own: {error}\n");
            std::io::stdout().write_all(text.as_bytes()).unwrap();
            return;
        }
        ip("link set lo up");
        test();
    });
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("ip (iproute2)");
    assert!(output.status.success(), "ip {arguments}: {output:?}");
}

type Job = Box<dyn FnOnce() + Send>;

/// Somebody at the other end of a cable: a thread with a network of its own.
struct Neighbour {
    jobs: mpsc::Sender<Job>,
    namespace: String,
}

impl Neighbour {
    fn new() -> Self {
        let (jobs, work) = mpsc::channel::<Job>();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            tell.send(nix::unistd::gettid()).unwrap();
            work.iter().for_each(|job| job());
        });
        let thread = told.recv().unwrap();
        let namespace = format!("/proc/{}/task/{thread}/ns/net", std::process::id());
        Self { jobs, namespace }
    }

    /// What `work` returns, done there.
    fn does<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = mpsc::channel();
        self.jobs.send(Box::new(move || drop(tell.send(work())))).unwrap();
        told.recv().expect("the neighbour's work panicked")
    }

    /// Makes the cable: the box's end has the name and the first address of the two.
    fn plug_in(&self, name: &str, [here, there]: [&'static str; 2]) {
        ip(&format!("link add {name} type veth peer name cable netns {}", self.namespace));
        ip(&format!("address add {here}/24 dev {name}"));
        ip(&format!("link set {name} up"));
        self.does(move || {
            ip("link set cable up");
            ip(&format!("address add {there}/24 dev cable"));
            // As one who forges frames does: what is for any address goes to the box.
            ip(&format!("route add default via {here}"));
        });
    }

    /// The status line's code for a request, or why there is none.
    fn asks(&self, address: &str, line: &str, headers: &[&str], body: &str) -> Result<u16, String> {
        let address = SocketAddr::new(address.parse::<IpAddr>().unwrap(), PORT);
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let text = format!(
            "{line} HTTP/1.1\r\nConnection: close\r\nContent-Type: application/json\r\n{headers}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.does(move || {
            let told = |error: std::io::Error| error.kind().to_string();
            let mut connection = TcpStream::connect_timeout(&address, DEADLINE).map_err(told)?;
            connection.set_read_timeout(Some(DEADLINE)).unwrap();
            connection.write_all(text.as_bytes()).map_err(told)?;
            let mut answer = String::new();
            connection.read_to_string(&mut answer).map_err(told)?;
            Ok(answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status"))
        })
    }

    /// The same for a GET of the session, which is open to everybody.
    fn gets(&self, address: &str, host: &str) -> Result<u16, String> {
        self.asks(address, "GET /api/v1/session", &[&format!("Host: {host}")], "")
    }

    #[track_caller]
    fn is_served_in_the_end(&self, address: &str) {
        let start = Instant::now();
        while self.gets(address, address) != Ok(200) {
            assert!(start.elapsed() < DEADLINE, "{:?}", self.gets(address, address));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The program with the sockets that the product has; killed when dropped.
struct Program {
    folder: tempfile::TempDir,
    process: Child,
    lines: mpsc::Receiver<String>,
}

/// The settings of a product whose `[listen]` says more.
fn settings(folder: &tempfile::TempDir, listen: &str) -> std::path::PathBuf {
    let path = write_settings(folder.path(), "");
    let text = std::fs::read_to_string(&path).unwrap();
    let own = "listen.hosts = [\"127.0.0.1\"]\n";
    assert!(text.contains(own));
    std::fs::write(&path, text.replace(own, listen)).unwrap();
    path
}

fn command(folder: &tempfile::TempDir, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_totton-audio-web"));
    command
        .arg("--config")
        .arg(settings(folder, listen))
        .env_remove("TOTTON_AUDIO_WEB_HOST")
        .env_remove("TOTTON_AUDIO_WEB_PORT")
        .env_remove("JOURNAL_STREAM");
    command
}

impl Program {
    fn start(listen: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), listen)
    }

    fn start_in(folder: tempfile::TempDir, listen: &str) -> Self {
        let mut process = command(&folder, listen).stderr(Stdio::piped()).spawn().unwrap();
        let (tell, lines) = mpsc::channel();
        let told = BufReader::new(process.stderr.take().unwrap()).lines();
        std::thread::spawn(move || told.for_each(|line| drop(tell.send(line.unwrap_or_default()))));
        Self { folder, process, lines }
    }

    /// Waits for a line of its log that has this in it.
    #[track_caller]
    fn says(&self, wanted: &str) {
        let end = Instant::now() + DEADLINE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("it never said {wanted:?}"));
            println!("{line}");
            if line.contains(wanted) {
                return;
            }
        }
    }

    /// Sockets that the program has open.
    fn sockets(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.process.id());
        let links = std::fs::read_dir(folder)
            .unwrap()
            .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
        links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
    }

    fn stop(mut self) -> tempfile::TempDir {
        let _ = self.process.kill();
        let _ = self.process.wait();
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_neighbour_on_another_network_finds_nothing_at_the_usb_address() {
    with_own_network(|| {
        let (pc, stranger) = (Neighbour::new(), Neighbour::new());
        pc.plug_in("usb0", USB);
        stranger.plug_in("cable0", OTHER);
        let program = Program::start("");
        program.says("listening on http://127.0.0.1:80 http://192.168.55.1:80");
        assert_eq!(pc.gets(USB[0], "totton-audio.local"), Ok(200));
        // The frames arrive: it is the kernel that refuses.
        for address in [USB[0], OTHER[0]] {
            let told = stranger.gets(address, "totton-audio.local");
            assert!(told.as_ref().is_err_and(|why| why.contains("refused")), "{told:?}");
        }
        // An address that is meant for every interface is meant for two.
        drop(program);
        let program = Program::start("listen.hosts = [\"0.0.0.0\"]\n");
        program.says("listening on http://0.0.0.0:80 http://0.0.0.0:80");
        assert_eq!(pc.gets(USB[0], USB[0]), Ok(200));
        assert!(stranger.gets(OTHER[0], OTHER[0]).unwrap_err().contains("refused"));
    });
}

#[test]
fn the_page_comes_and_goes_with_the_interface() {
    with_own_network(|| {
        let pc = Neighbour::new();
        let program = Program::start("");
        // Loopback does not wait for it.
        program.says("listening on http://127.0.0.1:80");
        program.says("the network interface usb0 is not there");
        let mut sockets = Vec::new();
        for _ in 0..3 {
            pc.plug_in("usb0", USB);
            pc.is_served_in_the_end(USB[0]);
            // A page that shows live state hangs on to the old interface.
            let stream = pc.does(|| {
                let mut stream = TcpStream::connect((USB[0], PORT)).unwrap();
                let text = "GET /api/v1/events HTTP/1.1\r\nHost: 192.168.55.1\r\n\r\n";
                stream.write_all(text.as_bytes()).unwrap();
                let mut first = [0; 12];
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                stream.read_exact(&mut first).unwrap();
                assert_eq!(&first, b"HTTP/1.1 200");
                stream
            });
            ip("link del usb0");
            program.says("the network interface usb0 is gone");
            program.says("the network interface usb0 is not there");
            drop(stream);
            let start = Instant::now();
            // Listening sockets and connections of the interface that went are closed.
            while sockets.last().is_some_and(|before| program.sockets() > *before) {
                assert!(start.elapsed() < DEADLINE, "{sockets:?}, now {}", program.sockets());
                std::thread::sleep(Duration::from_millis(50));
            }
            sockets.push(program.sockets());
        }
    });
}

#[test]
fn another_network_is_not_served_without_a_password() {
    with_own_network(|| {
        let (pc, stranger) = (Neighbour::new(), Neighbour::new());
        pc.plug_in("usb0", USB);
        stranger.plug_in("cable0", OTHER);
        let program = Program::start("listen.other_interfaces = [\"cable0\"]\n");
        program.says("not served on cable0 (listen.other_interfaces): no password is set");
        let refused = Err("connection refused".to_owned());
        assert_eq!(stranger.gets(OTHER[0], OTHER[0]), refused);
        // The USB network is: a password is set there, also the one after a reset.
        pc.is_served_in_the_end(USB[0]);
        let set = r#"{"current":null,"new":"correct horse"}"#;
        let host = format!("Host: {}", USB[0]);
        assert_eq!(pc.asks(USB[0], "PUT /api/v1/password", &[&host], set), Ok(200));
        stranger.is_served_in_the_end(OTHER[0]);
    });
}

#[test]
fn another_network_that_is_named_is_served_behind_the_password_which_must_stay() {
    with_own_network(|| {
        let (pc, stranger) = (Neighbour::new(), Neighbour::new());
        pc.plug_in("usb0", USB);
        stranger.plug_in("cable0", OTHER);
        let program = Program::start("");
        program.says("listening on");
        let set = r#"{"current":null,"new":"correct horse"}"#;
        let host = format!("Host: {}", USB[0]);
        assert_eq!(pc.asks(USB[0], "PUT /api/v1/password", &[&host], set), Ok(200));
        let folder = program.stop();

        let program = Program::start_in(folder, "listen.other_interfaces = [\"cable0\"]\n");
        program.says("listening on http://0.0.0.0:80 http://127.0.0.1:80 http://192.168.55.1:80");
        // By the address that the connection arrived at, and by the box's names.
        for (host, status) in [
            (OTHER[0], 200),
            ("10.55.0.1:80", 200),
            ("totton-audio.local", 200),
            ("10.55.0.7", 421),
            ("evil.example", 421),
        ] {
            assert_eq!(stranger.gets(OTHER[0], host), Ok(status), "{host}");
        }
        // An address of the box that is not the one of this connection.
        assert_eq!(pc.gets(USB[0], OTHER[0]), Ok(421));
        let (there, status) = (format!("Host: {}", OTHER[0]), "GET /api/v1/status");
        assert_eq!(stranger.asks(OTHER[0], status, &[&there], ""), Ok(401));
        // It would stand open. The session that removes it may come from anywhere.
        let remove = r#"{"current":"correct horse","new":null}"#;
        let cookie = pc.does(|| {
            let address = SocketAddr::new(USB[0].parse().unwrap(), PORT);
            let headers = ["Host: 192.168.55.1", "Content-Type: application/json"];
            let body = r#"{"password":"correct horse"}"#;
            let opened = crate::http::request(address, "POST /api/v1/session", &headers, body);
            opened.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
        });
        let cookie = format!("Cookie: {cookie}");
        for (asker, address) in [(&pc, USB[0]), (&stranger, OTHER[0])] {
            let headers = [&*format!("Host: {address}"), &cookie];
            assert_eq!(asker.asks(address, status, &headers, ""), Ok(503));
            assert_eq!(asker.asks(address, "PUT /api/v1/password", &headers, remove), Ok(409));
        }
        assert_eq!(stranger.asks(OTHER[0], status, &[&there], ""), Ok(401));
    });
}
