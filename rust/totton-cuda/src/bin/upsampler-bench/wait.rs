//! Waiting for the device.

use std::time::{Duration, Instant};

use totton_cuda::Error;

/// A device that takes longer has stopped.
pub const LIMIT: Duration = Duration::from_secs(10);

/// Waits without sleeping: what is timed is the device.
pub fn wait(mut is_done: impl FnMut() -> Result<bool, Error>) -> Result<(), Error> {
    let started = Instant::now();
    while !is_done()? {
        if started.elapsed() > LIMIT {
            return Err(Error::Hung { waited: LIMIT });
        }
        std::hint::spin_loop();
    }
    Ok(())
}
