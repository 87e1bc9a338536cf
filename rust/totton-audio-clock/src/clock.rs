//! The kernel's clocks, and what stands for them in tests.

use std::io;
use std::time::{Duration, SystemTime};

use nix::time::{ClockId, clock_gettime, clock_settime};

use crate::error::Error;

/// The clock that is set, and the one that only counts.
pub trait Clock {
    /// The time of day.
    fn now(&self) -> SystemTime;

    /// Since some moment at the start of the machine.
    ///
    /// # Errors
    /// [`Error::Clock`] when the kernel does not tell.
    fn counting(&self) -> Result<Duration, Error>;

    /// Sets the time of day.
    ///
    /// # Errors
    /// [`Error::Clock`] when the kernel refuses.
    fn set(&mut self, time: SystemTime) -> Result<(), Error>;

    /// Has the kernel take the time of day for right, and write it to the board's clock.
    ///
    /// # Errors
    /// [`Error::Clock`] when the kernel refuses.
    fn trust(&mut self) -> Result<(), Error>;
}

/// The machine's.
#[derive(Debug)]
pub struct Kernel;

/// How wrong the time of a listener's computer may be, for the kernel's bookkeeping, in
/// microseconds.
const ERROR_US: libc::c_long = 2_000_000;

impl Clock for Kernel {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn counting(&self) -> Result<Duration, Error> {
        let counted = clock_gettime(ClockId::CLOCK_MONOTONIC);
        counted.map(Into::into).map_err(|errno| Error::Clock { what: "read", source: errno.into() })
    }

    fn set(&mut self, time: SystemTime) -> Result<(), Error> {
        let failed = |source| Error::Clock { what: "set", source };
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        let since = since.map_err(|error| failed(io::Error::other(error)))?;
        clock_settime(ClockId::CLOCK_REALTIME, since.into()).map_err(|errno| failed(errno.into()))
    }

    // The kernel writes its time to the board's clock as long as it takes it for right
    // (RTC_SYSTOHC, kernel/time/ntp.c): hours, with this error. So nobody here opens /dev/rtc.
    fn trust(&mut self) -> Result<(), Error> {
        // SAFETY: `timex` is plain numbers, for which zero is a value.
        let mut timex: libc::timex = unsafe { std::mem::zeroed() };
        timex.modes = libc::ADJ_STATUS | libc::ADJ_MAXERROR | libc::ADJ_ESTERROR;
        timex.status = 0;
        timex.maxerror = ERROR_US;
        timex.esterror = ERROR_US;
        // SAFETY: the pointer is to a `timex` that lives for the call; the kernel reads and
        // writes no more than that.
        if unsafe { libc::adjtimex(&raw mut timex) } < 0 {
            return Err(Error::Clock { what: "trusted", source: io::Error::last_os_error() });
        }
        Ok(())
    }
}

#[cfg(test)]
pub mod simulated {
    use super::*;

    /// A machine that was started some time ago.
    #[derive(Debug)]
    pub struct Simulated {
        pub now: SystemTime,
        pub counting: Duration,
        pub trusted: bool,
    }

    impl Simulated {
        /// So many seconds after 1970, a minute after the machine's start.
        pub fn at(seconds: u64) -> Self {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            Self { now, counting: Duration::from_secs(60), trusted: false }
        }

        pub fn passes(&mut self, seconds: u64) {
            self.now += Duration::from_secs(seconds);
            self.counting += Duration::from_secs(seconds);
        }
    }

    impl Clock for Simulated {
        fn now(&self) -> SystemTime {
            self.now
        }

        fn counting(&self) -> Result<Duration, Error> {
            Ok(self.counting)
        }

        fn set(&mut self, time: SystemTime) -> Result<(), Error> {
            (self.now, self.trusted) = (time, false);
            Ok(())
        }

        fn trust(&mut self) -> Result<(), Error> {
            self.trusted = true;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_counts_on() {
        let (before, after) = (Kernel.counting().unwrap(), Kernel.counting().unwrap());
        assert!(Duration::ZERO < before && before <= after);
    }
}
