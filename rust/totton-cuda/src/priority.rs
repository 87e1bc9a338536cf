//! The GPU's thread takes the priority of the thread that waits for it, while it
//! serves that one; it never computes spectra at such a priority.

/// The SCHED_FIFO priority of the calling thread; 0: normal scheduling.
pub fn of_this_thread() -> i32 {
    let (mut policy, mut parameters) = (0, libc::sched_param { sched_priority: 0 });
    // SAFETY: the calling thread's own handle is valid, and so are the places for the answer.
    let found = unsafe {
        libc::pthread_getschedparam(libc::pthread_self(), &raw mut policy, &raw mut parameters)
    };
    if found == 0 && policy == libc::SCHED_FIFO { parameters.sched_priority } else { 0 }
}

/// Gives the calling thread the SCHED_FIFO priority `priority`, or normal scheduling
/// for 0. Where the system refuses it the thread goes on as it was: the one that it
/// serves has then been refused as well, and has said so.
pub fn set_this_thread(priority: i32) {
    let policy = if priority > 0 { libc::SCHED_FIFO } else { libc::SCHED_OTHER };
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: the calling thread's own handle is valid, and `parameters` outlives the call.
    unsafe { libc::pthread_setschedparam(libc::pthread_self(), policy, &raw const parameters) };
}
