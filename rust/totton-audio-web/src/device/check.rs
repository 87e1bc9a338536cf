//! The check of the board, by a socket: systemd runs `totton-audio-check` for each connection, with
//! a user and a sandbox of its own, and its report comes back. Nothing is sent: what this service
//! may not read itself it cannot have read either.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use totton_audio_check::{Report, steps};

use crate::problem::Problem;

/// Longest wait for the report: the program's own limit, and its start.
const ANSWER: Duration = steps::ALL.saturating_add(Duration::from_secs(20));

/// The longest report, in bytes.
const LONGEST: u64 = 256 * 1024;

/// Has the board checked, by the socket at `path`. Waits for it.
///
/// # Errors
/// 409 when systemd does not listen, 503 when too many check at once, 500 for a report that is not understood.
pub fn ask(path: &Path) -> Result<Report, Problem> {
    let text = read(path).map_err(|error| {
        Problem::new(
            StatusCode::CONFLICT,
            "check-not-possible",
            "This device cannot be checked from here",
            format!("{}: {error}", path.display()),
            "Enable totton-audio-check.socket, or run totton-audio-check on the device.",
        )
    })?;
    if text.is_empty() {
        return Err(busy());
    }
    serde_json::from_slice(&text)
        .map_err(|error| Problem::failed(format!("the report of totton-audio-check: {error}")))
}

/// Another check runs.
pub fn busy() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "check-busy",
        "The device is being checked already",
        "as many checks as may run at once do",
        "Try again in some seconds.",
    )
    .retry_after(Duration::from_secs(5))
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let end = Instant::now() + ANSWER;
    let mut socket = UnixStream::connect(path)?;
    socket.shutdown(std::net::Shutdown::Write)?;
    let mut text = Vec::new();
    let mut piece = [0; 8192];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        socket.set_read_timeout(Some(left))?;
        match socket.read(&mut piece) {
            Ok(0) => return Ok(text),
            Ok(length) => text.write_all(&piece[..length])?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            // systemd closes a connection that is one too many without a word.
            Err(error)
                if error.kind() == std::io::ErrorKind::ConnectionReset && text.is_empty() =>
            {
                return Ok(text);
            }
            Err(error) => return Err(error),
        }
        if text.len() as u64 > LONGEST {
            return Err(std::io::Error::other(format!("more than {LONGEST} bytes came")));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use actix_web::ResponseError;

    use super::*;

    /// A socket that answers once, and the problem of asking there.
    fn problem(answer: Vec<u8>) -> Problem {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        let listener = UnixListener::bind(&path).unwrap();
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            // The other side may have enough before all is sent.
            let _ = socket.write_all(&answer);
        });
        let problem = ask(&path).unwrap_err();
        server.join().unwrap();
        problem
    }

    #[test]
    fn what_is_no_report_is_refused() {
        assert_eq!(problem(Vec::new()).status_code(), 503);
        for bad in [&b"{}"[..], b"{\"steps\":[]}", b"\xff", b"[]"] {
            assert_eq!(problem(bad.to_vec()).status_code(), 500, "{bad:?}");
        }
        let long = problem(vec![b' '; 2 * LONGEST as usize]);
        assert!(long.detail().contains("more than 262144 bytes"), "{}", long.detail());
        let absent = ask(Path::new("/nonexistent/report")).unwrap_err();
        assert_eq!((absent.kind(), absent.status_code().as_u16()), ("check-not-possible", 409));
    }
}
