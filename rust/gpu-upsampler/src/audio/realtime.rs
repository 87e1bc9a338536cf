//! Priority and locked memory for the audio threads.
//!
//! Both are asked for, not insisted on: a kernel with real-time group
//! scheduling refuses SCHED_FIFO in a service's cgroup, and a developer's
//! account may have neither right. The daemon then says so once and goes on.

use std::io;
use std::sync::Once;

static REFUSED: Once = Once::new();

/// Gives the calling thread the SCHED_FIFO priority `priority`; 0 leaves it as it is.
pub fn favour_this_thread(priority: i32) {
    if priority == 0 {
        return;
    }
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: the calling thread's own handle is valid, and `parameters` outlives the call.
    let result = unsafe {
        libc::pthread_setschedparam(libc::pthread_self(), libc::SCHED_FIFO, &raw const parameters)
    };
    if result != 0 {
        let error = io::Error::from_raw_os_error(result);
        REFUSED.call_once(|| {
            log::warn!(
                "no real-time priority {priority} for the audio threads ({error}); they run at \
                 normal priority. The service needs LimitRTPRIO= or CAP_SYS_NICE, and a kernel \
                 that allows SCHED_FIFO in its cgroup"
            );
        });
    }
}

/// Keeps the process in memory, so that no page of the filter is ever fetched from a disk.
pub fn lock_memory() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the answer.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) } == 0;
    // Under a finite limit the lock itself may succeed, and a later allocation then fail.
    if !known || limit.rlim_cur != libc::RLIM_INFINITY {
        log::warn!(
            "memory is not locked: the limit is finite; the service needs LimitMEMLOCK=infinity"
        );
        return;
    }
    // ONFAULT: pages are locked when first used; otherwise every thread's whole stack would be.
    let flags = libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT;
    // SAFETY: no memory of ours is touched by this call.
    if unsafe { libc::mlockall(flags) } != 0 {
        log::warn!("memory is not locked: {}", io::Error::last_os_error());
    }
}
