//! What is not in a file: what programs say and what the audio daemon publishes. Nothing here
//! waits longer than its limit.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use totton_protocol::Telemetry;
use totton_protocol::client::TelemetryListener;

/// Longest run of a program.
const PROGRAM: Duration = Duration::from_secs(8);

/// The daemon publishes twenty times a second.
const TELEMETRY: Duration = Duration::from_secs(3);

/// The most that a program may say.
const MOST: u64 = 1 << 20;

/// What a program left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Whether its exit status was 0.
    pub success: bool,
    pub out: String,
    pub err: String,
}

/// Whom the steps ask. Tests answer instead of the device.
pub trait Answers: Send + Sync {
    /// Runs a program that only reads.
    ///
    /// # Errors
    /// In words: it is not there, cannot be started, or did not end in time.
    fn run(&self, program: &str, arguments: &[&str]) -> Result<Said, Unanswered>;

    /// What the audio daemon publishes.
    ///
    /// # Errors
    /// In words.
    fn telemetry(&self) -> Result<Telemetry, Unanswered>;
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unanswered {
    /// The program is not on this device.
    Absent(String),
    /// Who asks may not.
    Denied(String),
    /// It was asked in vain.
    Failed(String),
}

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Absent(words) | Self::Denied(words) | Self::Failed(words)) = self;
        f.write_str(words)
    }
}

/// The device that this program runs on.
#[derive(Debug, Clone, Copy)]
pub struct ThisDevice;

impl Answers for ThisDevice {
    fn run(&self, program: &str, arguments: &[&str]) -> Result<Said, Unanswered> {
        run(program, arguments, PROGRAM)
    }

    fn telemetry(&self) -> Result<Telemetry, Unanswered> {
        let path = format!(
            "{}/{}",
            totton_protocol::endpoint::FOLDER,
            totton_protocol::endpoint::TELEMETRY_FILE
        );
        // ZeroMQ would wait in silence for a socket that it may not use.
        if let Err(error) = std::os::unix::net::UnixStream::connect(&path) {
            let words = format!("{path}: {error}");
            return Err(match error.kind() {
                std::io::ErrorKind::PermissionDenied => Unanswered::Denied(words),
                _ => Unanswered::Failed(words),
            });
        }
        TelemetryListener::new(TELEMETRY)
            .and_then(|listener| listener.next())
            .map_err(|error| Unanswered::Failed(error.to_string()))
    }
}

/// Runs a program, at most so long.
///
/// # Errors
/// As [`Answers::run`].
pub fn run(program: &str, arguments: &[&str], limit: Duration) -> Result<Said, Unanswered> {
    let mut child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Unanswered::Absent(format!("{program} is not here")),
            std::io::ErrorKind::PermissionDenied => {
                Unanswered::Denied(format!("{program}: {error}"))
            }
            _ => Unanswered::Failed(format!("{program}: {error}")),
        })?;
    let out = text(child.stdout.take());
    let err = text(child.stderr.take());
    let success = wait(&mut child, limit)
        .map_err(|reason| Unanswered::Failed(format!("{program}: {reason}")))?;
    // A grandchild may hold the pipes open: it is not waited for.
    let told = |reader: Reader| reader.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
    Ok(Said { success, out: told(out), err: told(err) })
}

type Reader = std::sync::mpsc::Receiver<String>;

fn text(pipe: Option<impl Read + Send + 'static>) -> Reader {
    let (send, receive) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            // What was read until an error is told.
            let _ = pipe.take(MOST).read_to_end(&mut bytes);
        }
        let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receive
}

fn wait(child: &mut Child, limit: Duration) -> Result<bool, String> {
    let end = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if Instant::now() < end => thread::sleep(Duration::from_millis(5)),
            Ok(None) => {
                let _ = child.kill();
                // Killed, it ends at once, unless the kernel holds it: then it is left.
                thread::sleep(Duration::from_millis(50));
                let _ = child.try_wait();
                return Err(format!("no answer within {} s", limit.as_secs_f64()));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_ended() {
        let begin = Instant::now();
        let error = run("sleep", &["60"], Duration::from_millis(100)).unwrap_err();
        assert_eq!(error, Unanswered::Failed("sleep: no answer within 0.1 s".into()));
        assert!(begin.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_child_that_keeps_the_pipe_open_is_not_waited_for() {
        let begin = Instant::now();
        let said = run("sh", &["-c", "echo early; sleep 30 &"], Duration::from_secs(5)).unwrap();
        assert!(said.success);
        assert!(begin.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn what_a_program_says_comes_with_how_it_ended() {
        let said = run("sh", &["-c", "echo out; echo err >&2; exit 3"], PROGRAM).unwrap();
        assert_eq!(said, Said { success: false, out: "out\n".into(), err: "err\n".into() });
        let absent = run("/nonexistent/program", &[], PROGRAM).unwrap_err();
        assert_eq!(absent, Unanswered::Absent("/nonexistent/program is not here".into()));
    }
}
