//! The socket on which the page asks. systemd listens and starts this program.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::clock::Clock;
use crate::error::Error;
use crate::order::{LENGTH, Orders, Outcome, PACE};
use crate::unix_ms;

/// How long a caller may take for its order, and for our answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The program ends when nobody has asked for so long: longer than the pace, which it
/// remembers only while it runs.
const IDLE: Duration = Duration::from_secs(PACE.as_secs() + 30);

/// Answers until nobody asks any more.
///
/// # Errors
/// When the socket cannot be used, or the kernel refuses.
pub fn serve<C: Clock>(listener: &UnixListener, orders: &mut Orders<C>) -> Result<(), Error> {
    serve_until(listener, orders, IDLE)
}

fn serve_until<C: Clock>(
    listener: &UnixListener,
    orders: &mut Orders<C>,
    idle: Duration,
) -> Result<(), Error> {
    let failed = |source| Error::Socket { source };
    let idle = PollTimeout::try_from(idle).unwrap_or(PollTimeout::MAX);
    while waits(listener, idle).map_err(failed)? {
        let (caller, _) = listener.accept().map_err(failed)?;
        let text = match read(&caller) {
            Ok(text) => text,
            Err(error) => {
                eprintln!("<4>an order did not come: {error}");
                continue;
            }
        };
        let outcome = orders.carry_out(&text)?;
        tell(&outcome);
        // Who does not wait for the answer goes without.
        let _ = (&caller).write_all(outcome.line().as_bytes());
    }
    Ok(())
}

fn waits(listener: &UnixListener, idle: PollTimeout) -> std::io::Result<bool> {
    let mut sockets = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    loop {
        match poll(&mut sockets, idle) {
            Err(nix::Error::EINTR) => {}
            told => return Ok(told? > 0),
        }
    }
}

/// Reads to the line feed, or as much as an order may have and one byte more.
fn read(mut caller: &UnixStream) -> std::io::Result<Vec<u8>> {
    let end = Instant::now() + PATIENCE;
    caller.set_write_timeout(Some(PATIENCE))?;
    let mut text = Vec::new();
    let mut byte = [0];
    while text.len() <= LENGTH && !text.ends_with(b"\n") {
        let left = end.saturating_duration_since(Instant::now());
        // No time left would mean to wait for ever.
        caller.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        if left.is_zero() {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        if caller.read(&mut byte)? == 0 {
            break;
        }
        text.push(byte[0]);
    }
    Ok(text)
}

/// The journal reads the priority in front.
fn tell(outcome: &Outcome) {
    match outcome {
        Outcome::Set { before, after } => eprintln!(
            "<5>the clock was set from {} to {}, in Unix milliseconds, as the page asked",
            unix_ms(*before),
            unix_ms(*after)
        ),
        Outcome::Right => eprintln!("<6>the clock is right to a minute: not set"),
        Outcome::Soon { wait } => {
            eprintln!("<4>not set: it was set a moment ago; again in {} s", wait.as_secs() + 1);
        }
        Outcome::Refused { reason } => eprintln!("<4>not set: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::simulated::Simulated;
    use crate::range::Range;
    use std::net::Shutdown;
    use std::time::UNIX_EPOCH;

    const BUILT: u64 = 1_790_000_000;

    /// What each order is answered with, by a program that ends when no more come.
    fn answers(orders: &[&[u8]]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        std::thread::scope(|scope| {
            let served = scope.spawn(|| {
                let range = Range::beginning(UNIX_EPOCH + Duration::from_secs(BUILT));
                let mut orders = Orders::new(Simulated::at(BUILT), range);
                serve_until(&listener, &mut orders, Duration::from_millis(300))
            });
            let told = orders.iter().map(|order| {
                let mut stream = UnixStream::connect(&path).unwrap();
                // It may have answered, and hung up, before all was sent.
                let _ = stream.write_all(order);
                let _ = stream.shutdown(Shutdown::Write);
                let mut answer = String::new();
                let _ = stream.read_to_string(&mut answer);
                answer
            });
            let told: Vec<_> = told.collect();
            served.join().unwrap().unwrap();
            told
        })
    }

    #[test]
    fn orders_are_answered_one_after_the_other_until_nobody_asks() {
        let good = format!("{}\n", (BUILT + 86_400) * 1000);
        let told = answers(&[b"0\n", good.as_bytes(), good.as_bytes(), b"", b"what?\n"]);
        let firsts: Vec<_> =
            told.iter().map(|line| line.split_whitespace().next().unwrap()).collect();
        assert_eq!(firsts, ["refused", "set", "right", "refused", "refused"], "{told:?}");
    }

    #[test]
    fn no_more_is_read_than_an_order_may_have() {
        let flood = vec![b'1'; 1 << 20];
        let told = answers(&[&flood]);
        // The rest was not read, so the answer may be lost with it.
        assert!(told[0].is_empty() || told[0].starts_with("refused"), "{told:?}");
    }

    #[test]
    fn who_says_nothing_holds_nobody_up_for_long() {
        let (silent, ours) = UnixStream::pair().unwrap();
        let start = Instant::now();
        assert!(read(&ours).is_err());
        assert!(start.elapsed() < 2 * PATIENCE);
        drop(silent);
    }
}
