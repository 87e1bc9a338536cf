//! Threads without which the daemon is not whole.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};

use crate::error::Error;

/// Starts a thread that works until `told_to_end` says that it may end. When it ends before, by a
/// panic or otherwise, `died` hears its name: the daemon then ends as a whole, and systemd starts
/// it again, rather than going on with a part that is missing.
///
/// # Errors
/// [`Error::Thread`].
pub(crate) fn vital(
    name: &'static str,
    died: impl FnOnce(&'static str) + Send + 'static,
    told_to_end: impl Fn() -> bool + Send + 'static,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, Error> {
    let run = move || {
        // What it said has been printed already.
        let _ = catch_unwind(AssertUnwindSafe(work));
        if !told_to_end() {
            died(name);
        }
    };
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|source| Error::Thread { name, source })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_end_that_nobody_asked_for_is_told() {
        let (tell, heard) = mpsc::channel();
        let died = |told: bool, work: fn()| {
            let tell = tell.clone();
            let died = move |name| tell.send(name).unwrap();
            vital("test", died, move || told, work).unwrap().join().unwrap();
            heard.recv_timeout(Duration::from_millis(10)) == Ok("test")
        };
        assert!(died(false, || panic!("on purpose")));
        assert!(died(false, || {}));
        assert!(!died(true, || {}));
    }
}
