//! The services as systemd and /proc show them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::{Look, Services, UNITS};
use crate::platform::Machine;

const PAGE: &str = "totton-audio-web";
/// `TCP_LISTEN` in /proc/net/tcp.
const LISTENS: &str = "0A";

pub struct Systemd {
    proc: PathBuf,
}

impl Systemd {
    pub fn of(machine: &Machine) -> Systemd {
        Systemd { proc: machine.path("/proc") }
    }

    /// Whether a process has a TCP socket that listens.
    fn listens(&self, process: &str) -> bool {
        let sockets: Vec<String> = ["net/tcp", "net/tcp6"]
            .iter()
            .filter_map(|table| fs::read_to_string(self.proc.join(table)).ok())
            .flat_map(|table| listening(&table))
            .collect();
        let Ok(open) = fs::read_dir(self.proc.join(process).join("fd")) else {
            return false;
        };
        open.flatten()
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|target| sockets.iter().any(|socket| target.as_os_str() == socket.as_str()))
    }
}

/// The sockets that listen, of a table of /proc/net, as links of a process name them.
fn listening(table: &str) -> Vec<String> {
    let socket = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let inode = fields.get(9)?;
        (fields[3] == LISTENS).then(|| format!("socket:[{inode}]"))
    };
    table.lines().filter_map(socket).collect()
}

/// A property of a unit; empty if systemd does not tell.
fn property(unit: &str, name: &str) -> String {
    let output = Command::new("systemctl")
        .args(["show", unit, &format!("--property={name}"), "--value"])
        .output();
    match output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => String::new(),
    }
}

impl Services for Systemd {
    fn now(&self) -> Duration {
        let uptime = fs::read_to_string(self.proc.join("uptime")).unwrap_or_default();
        let seconds = uptime.split(' ').next().and_then(|text| text.trim().parse().ok());
        Duration::from_secs_f64(seconds.unwrap_or(0.0))
    }

    fn sleep(&mut self, time: Duration) {
        thread::sleep(time);
    }

    fn look(&mut self) -> Look {
        let mut starts = Vec::new();
        for unit in UNITS {
            let state = property(unit, "ActiveState");
            if state != "active" {
                let state = if state.is_empty() { "unknown" } else { &state };
                return Look::Problem(format!("{unit} is {state}"));
            }
            starts.push(property(unit, "InvocationID"));
        }
        if !self.listens(&property(PAGE, "MainPID")) {
            return Look::Problem(format!("{PAGE} does not listen"));
        }
        Look::Up(starts)
    }

    fn tell(&mut self, line: &str) {
        println!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    fn machine(state: &str) -> (tempfile::TempDir, Systemd) {
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("proc/77/fd");
        fs::create_dir_all(&open).unwrap();
        fs::create_dir_all(folder.path().join("proc/net")).unwrap();
        for (number, target) in [("0", "/dev/null"), ("5", "socket:[4711]")] {
            symlink(Path::new(target), open.join(number)).unwrap();
        }
        fs::write(
            folder.path().join("proc/net/tcp"),
            format!(
                "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:0050 00000000:0000 {state} 00000000:00000000 00:00000000 00000000   990        0 4711 1\n"
            ),
        )
        .unwrap();
        let systemd = Systemd::of(&Machine::at(folder.path(), 0));
        (folder, systemd)
    }

    #[test]
    fn a_page_with_a_socket_that_listens_is_up_and_any_other_is_not() {
        assert!(machine("0A").1.listens("77"));
        assert!(!machine("01").1.listens("77"), "connected, and does not listen");
        let (folder, systemd) = machine("0A");
        assert!(!systemd.listens("78"), "there is no such process");
        fs::remove_file(folder.path().join("proc/77/fd/5")).unwrap();
        assert!(!systemd.listens("77"), "the socket is another process's");
    }

    #[test]
    fn time_is_the_time_since_the_start() {
        let (folder, systemd) = machine("0A");
        fs::write(folder.path().join("proc/uptime"), "350735.47 234388.90\n").unwrap();
        assert_eq!(systemd.now(), Duration::from_secs_f64(350_735.47));
    }
}
