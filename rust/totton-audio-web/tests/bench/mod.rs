//! The real program on a free loopback port, beside a folder for the daemon double.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::double::{Double, endpoints};
use crate::http::{DEADLINE, Response, exchange, request};

/// The program under test; killed when dropped.
pub struct Bench {
    pub folder: tempfile::TempDir,
    pub address: SocketAddr,
    process: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Bench {
    /// Starts the program; the daemon is away. `more` is added to its settings.
    pub fn without_daemon(more: &str) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), more)
    }

    /// The same in a folder that has a data folder already.
    pub fn in_folder(folder: tempfile::TempDir, more: &str) -> Self {
        let config = write_settings(folder.path(), more);
        let mut process = Command::new(env!("CARGO_BIN_EXE_totton-audio-web"))
            .arg("--config")
            .arg(config)
            .env_remove("TOTTON_AUDIO_WEB_HOST")
            .env_remove("JOURNAL_STREAM")
            .env("PATH", with_programs(folder.path()))
            .env("TOTTON_AUDIO_WEB_PORT", "0")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| line.split_once("listening on http://")?.1.parse().ok())
            .expect("the program ended before it listened");
        // The pipe must not fill up.
        let log = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&log);
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| {
                println!("{line}");
                told.lock().unwrap().push(line);
            });
        });
        Self { folder, address, process, log }
    }

    /// Starts the program and a double that it has heard already.
    pub fn with_daemon(more: &str) -> (Self, Double) {
        let bench = Self::without_daemon(more);
        let double = Double::start(bench.folder.path());
        let start = Instant::now();
        while bench.get("/api/v1/health").json()["daemon"] != true {
            assert!(start.elapsed() < DEADLINE, "the double was never heard");
            std::thread::sleep(Duration::from_millis(20));
        }
        (bench, double)
    }

    /// The program anew on the same data, with `more` in its settings.
    pub fn restarted(mut self, more: &str) -> Self {
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        drop(self);
        Self::in_folder(folder, more)
    }

    pub fn get(&self, path: &str) -> Response {
        request(self.address, &format!("GET {path}"), &["Host: localhost"], "")
    }

    /// Sends a command as the page does.
    pub fn order(&self, line: &str, body: &str) -> Response {
        let host = self.address;
        let headers = [
            &format!("Host: {host}"),
            &format!("Origin: http://{host}"),
            "Sec-Fetch-Site: same-origin",
            "Content-Type: application/json",
        ];
        request(self.address, line, &headers, body)
    }

    /// Uploads a file as the page does.
    pub fn upload(&self, line: &str, content: &[u8]) -> Response {
        let host = self.address;
        let mut text = format!(
            "{line} HTTP/1.1\r\nConnection: close\r\nHost: {host}\r\nOrigin: http://{host}\r\n\
             Content-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
            content.len()
        )
        .into_bytes();
        text.extend_from_slice(content);
        exchange(self.address, &text)
    }

    /// What the program has logged since it listens.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// The program's memory that is resident, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The most memory that the program had so far, in bytes.
    pub fn peak_memory(&self) -> usize {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// Sends SIGTERM; how the program ended and after how long.
    pub fn terminate(&mut self) -> (ExitStatus, Duration) {
        let process = nix::unistd::Pid::from_raw(self.process.id().try_into().unwrap());
        let start = Instant::now();
        nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM).unwrap();
        while start.elapsed() < DEADLINE {
            if let Some(status) = self.process.try_wait().unwrap() {
                return (status, start.elapsed());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the program did not end within {DEADLINE:?} of SIGTERM");
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What stands for systemctl and journalctl, before the real ones on the path. The
/// second writes its arguments to a file.
fn with_programs(folder: &Path) -> std::ffi::OsString {
    use std::os::unix::fs::PermissionsExt;
    let programs = folder.join("programs");
    std::fs::create_dir_all(&programs).unwrap();
    let entry = |number: u32, priority: u32, message: &str| {
        format!(
            r#"{{"MESSAGE":"{message}","PRIORITY":"{priority}","SYSLOG_IDENTIFIER":"gpu-upsampler","__REALTIME_TIMESTAMP":"170000000{number}000000"}}"#
        )
    };
    let journalctl = format!(
        "#!/bin/sh\necho \"$*\" >> {arguments}\ncase \"$*\" in\n\
         *short-iso*) echo '2026-01-01 box gpu-upsampler: started'; \
         echo '2026-01-01 box gpu-upsampler: usb:1234:abcd:SN0042X9 is open';;\n\
         *--follow*) sleep 0.3; echo '{third}'; sleep 60;;\n\
         *) echo '{first}'; echo '{second}';;\nesac\n",
        arguments = folder.join("journalctl-arguments").display(),
        first = entry(1, 6, "the DAC is open"),
        second = entry(2, 3, "the DAC is gone"),
        third = entry(3, 6, "the DAC is back"),
    );
    let systemctl = "#!/bin/sh\ncase \"$*\" in\n*.service*) printf 'Id=gpu-upsampler.service\\n\
        ActiveState=active\\nSubState=running\\nResult=success\\nNRestarts=1\\n\
        ActiveEnterTimestampMonotonic=9000000\\n';;\n*) echo UserspaceTimestampMonotonic=3000000;;\n\
        esac\n";
    for (name, text) in [("journalctl", journalctl.as_str()), ("systemctl", systemctl)] {
        let path = programs.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let mut path = programs.into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}

/// Writes settings for loopback and the double's sockets.
pub fn write_settings(folder: &Path, more: &str) -> std::path::PathBuf {
    let (control, telemetry) = endpoints(folder);
    let path = folder.join("web.toml");
    let [data, power, updater, check, key, board] =
        ["data", "power", "updater", "check", "update-key.pem", "hwrevision"]
            .map(|name| folder.join(name));
    let text = format!(
        "listen.hosts = [\"127.0.0.1\"]\nstorage.folder = {data:?}\n\
         system.power_sockets = {power:?}\nsystem.updater_sockets = {updater:?}\n\
         system.check_socket = {check:?}\nsystem.update_key = {key:?}\n\
         system.hardware_revision = {board:?}\n{more}\n[daemon]\ncontrol = {control:?}\n\
         telemetry = {telemetry:?}\nanswer_seconds = 0.5\nslow_answer_seconds = 5\n\
         silence_seconds = 0.5\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}
