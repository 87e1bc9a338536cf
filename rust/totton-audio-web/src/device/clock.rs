//! The system's clock: what it shows, and how systemd is asked to have it set.
//!
//! This service may not set it. On a socket of systemd's it sends one number, the time of day at
//! which the counting clock stood at zero, so that it does not matter how long the other side
//! takes to start. `totton-audio-clock` checks the number, and trusts nothing of it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::http::StatusCode;
use nix::time::{ClockId, clock_gettime};

use crate::problem::Problem;

/// The name of the socket in the folder of the power's.
const SOCKET: &str = "set-clock";

/// The answer comes from a program that has to be started first.
const PATIENCE: Duration = Duration::from_secs(20);

/// The longest answer that is read, in bytes.
const ANSWER: u64 = 512;

/// The time of day, Unix milliseconds.
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A time of day that was told at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    unix_ms: u64,
    counting: Duration,
}

impl Told {
    /// It is told now.
    ///
    /// # Errors
    /// 500 when the kernel does not tell how long it has counted.
    pub fn now(unix_ms: u64) -> Result<Self, Problem> {
        let counting = clock_gettime(ClockId::CLOCK_MONOTONIC)
            .map_err(|errno| Problem::failed(format!("the counting clock: {errno}")))?;
        Ok(Self { unix_ms, counting: counting.into() })
    }

    /// The time of day at which the counting clock stood at zero, Unix milliseconds.
    fn zero(self) -> Option<u64> {
        self.unix_ms.checked_sub(u64::try_from(self.counting.as_millis()).ok()?)
    }
}

/// Asks for the time to be set, by the socket in `folder`; whether it was. A clock that is right
/// to a minute is not.
///
/// # Errors
/// 409 when systemd does not listen, 422 for a time that the box does not believe, 429 when the
/// clock was set a moment ago.
pub fn set(folder: &Path, told: Told) -> Result<bool, Problem> {
    let path = folder.join(SOCKET);
    let zero = told.zero().ok_or_else(|| not_believed("it is before the box was started"))?;
    let answer = exchange(&path, zero).map_err(|error| {
        Problem::new(
            StatusCode::CONFLICT,
            "clock-not-possible",
            "The clock cannot be set from here",
            format!("{}: {error}", path.display()),
            "Enable totton-audio-clock.socket; its log is `journalctl -u totton-audio-clock`.",
        )
    })?;
    match answer.trim_end().split_once(' ').unwrap_or((answer.trim_end(), "")) {
        ("set", _) => Ok(true),
        ("right", _) => Ok(false),
        ("soon", seconds) => {
            let wait = Duration::from_secs(seconds.parse().unwrap_or(60));
            Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "clock-set-just-now",
                "The clock was set a moment ago",
                format!("it can be set again in {} s", wait.as_secs()),
                "Wait; where two computers disagree, set the clock of one of them.",
            )
            .retry_after(wait))
        }
        ("refused", reason) => Err(not_believed(reason)),
        _ => Err(Problem::failed(format!("totton-audio-clock answered {answer:?}"))),
    }
}

fn exchange(path: &Path, zero: u64) -> std::io::Result<String> {
    let mut socket = UnixStream::connect(path)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.write_all(format!("{zero}\n").as_bytes())?;
    let mut answer = String::new();
    socket.take(ANSWER).read_to_string(&mut answer)?;
    if answer.is_empty() {
        return Err(std::io::Error::other("no answer came"));
    }
    Ok(answer)
}

fn not_believed(reason: &str) -> Problem {
    Problem::not_accepted(
        format!("the box does not believe this time: {reason}"),
        "Set the clock of this computer; the box takes no time from before its own software.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn what_is_sent_stays_true_however_late_it_is_read() {
        let told = Told { unix_ms: 1_790_000_090_500, counting: Duration::from_millis(90_499) };
        assert_eq!(told.zero(), Some(1_790_000_000_001));
        let now = Told::now(unix_ms()).unwrap();
        let later = Told::now(unix_ms()).unwrap();
        assert!(now.zero().unwrap().abs_diff(later.zero().unwrap()) <= 100);
        assert_eq!(Told { unix_ms: 5, counting: Duration::from_secs(60) }.zero(), None);
    }

    /// What is made of an answer, and what was sent.
    fn answered(answer: &'static str) -> (Result<bool, Problem>, String) {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let served = std::thread::spawn(move || {
            let (mut caller, _) = listener.accept().unwrap();
            let mut text = [0; 14];
            caller.read_exact(&mut text).unwrap();
            caller.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(text.to_vec()).unwrap()
        });
        let told = Told { unix_ms: 1_790_000_060_000, counting: Duration::from_secs(60) };
        (set(folder.path(), told), served.join().unwrap())
    }

    #[test]
    fn every_answer_of_the_other_side_is_told() {
        assert!(matches!(answered("set\n"), (Ok(true), sent) if sent == "1790000000000\n"));
        assert!(matches!(answered("right\n").0, Ok(false)));
        let soon = answered("soon 40\n").0.unwrap_err();
        assert!(soon.kind() == "clock-set-just-now" && soon.detail().contains("40 s"));
        let refused = answered("refused it is before 1790\n").0.unwrap_err();
        assert!(refused.kind() == "not-accepted" && refused.detail().contains("before 1790"));
        assert_eq!(answered("what?\n").0.unwrap_err().kind(), "device-failed");
        assert_eq!(answered("").0.unwrap_err().kind(), "clock-not-possible");
        let folder = tempfile::tempdir().unwrap();
        let away = set(folder.path(), Told::now(unix_ms()).unwrap()).unwrap_err();
        assert_eq!(away.kind(), "clock-not-possible");
    }
}
