//! Priority and locked memory for the audio threads.
//!
//! Both are asked for, not insisted on: a kernel with real-time group
//! scheduling refuses SCHED_FIFO in a service's cgroup, and a developer's
//! account may have neither right. The daemon then says so once and goes on.

use std::io;
use std::sync::{Mutex, PoisonError};

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, getrlimit, setpriority_process};
use rustix::thread::{CpuSet, sched_setaffinity};
use totton_protocol::RealTime;

use crate::config;

/// The nice value of what may be late.
const BEHIND: i32 = 10;

/// What the system has granted so far, for the status. Written when a thread
/// starts or memory is locked, never while sound flows.
static GRANTED: Mutex<Option<RealTime>> = Mutex::new(None);

/// What the system has granted.
pub fn granted() -> RealTime {
    GRANTED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
        .unwrap_or_else(|| RealTime { scheduling: "normal".to_owned(), ..RealTime::default() })
}

fn note(change: impl FnOnce(&mut RealTime)) {
    let mut granted_now = granted();
    change(&mut granted_now);
    *GRANTED.lock().unwrap_or_else(PoisonError::into_inner) = Some(granted_now);
}

/// Notes and logs a refusal, the same one only once.
fn refused(message: String) {
    note(|granted| {
        if !granted.refused.contains(&message) {
            log::warn!("{message}");
            granted.refused.push(message);
        }
    });
}

/// How an audio thread is favoured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Favour {
    /// SCHED_FIFO priority; 0: normal scheduling.
    pub priority: i32,
    /// Processors that it is bound to; empty: any.
    pub cpus: Vec<usize>,
}

impl Favour {
    /// What the configuration asks for.
    pub fn of(config: &config::Realtime) -> Self {
        Self { priority: config.priority, cpus: config.cpus.clone() }
    }

    /// One step below, at least normal scheduling.
    #[must_use]
    pub fn lower(&self) -> Self {
        Self { priority: (self.priority - 1).max(0), ..self.clone() }
    }

    /// Favours the calling thread.
    pub fn this_thread(&self) {
        self.bind();
        self.schedule();
    }

    fn schedule(&self) {
        let priority = self.priority;
        if priority == 0 {
            return note(|granted| {
                (granted.scheduling, granted.priority) = ("normal".to_owned(), 0);
            });
        }
        // Neither rustix nor nix has this call.
        let parameters = libc::sched_param { sched_priority: priority };
        // SAFETY: the calling thread's own handle is valid, and `parameters` outlives the call.
        let result = unsafe {
            libc::pthread_setschedparam(
                libc::pthread_self(),
                libc::SCHED_FIFO,
                &raw const parameters,
            )
        };
        if result == 0 {
            return note(|granted| {
                granted.priority = granted.priority.max(priority);
                granted.scheduling = "fifo".to_owned();
            });
        }
        let error = io::Error::from_raw_os_error(result);
        refused(format!(
            "no real-time priority for the audio threads ({error}); they run at normal priority. \
             The service needs LimitRTPRIO= or CAP_SYS_NICE, and a kernel that allows SCHED_FIFO \
             in its cgroup"
        ));
    }

    fn bind(&self) {
        if self.cpus.is_empty() {
            return note(|granted| granted.cpus.clear());
        }
        let mut set = CpuSet::new();
        // The configuration has checked that the numbers are below `CpuSet::MAX_CPU`.
        self.cpus.iter().for_each(|cpu| set.set(*cpu));
        // None: the calling thread.
        match sched_setaffinity(None, &set) {
            Ok(()) => {
                let cpus = self.cpus.iter().map(|cpu| *cpu as u32).collect();
                note(|granted| granted.cpus = cpus);
            }
            Err(error) => refused(format!(
                "the audio threads are not bound to the processors {:?}: {error}; see realtime.cpus",
                self.cpus
            )),
        }
    }
}

/// Puts the calling thread behind all others of the process, for work that may be late. The audio
/// threads may themselves be at normal priority, and the service is at a higher one than others.
pub fn stand_back() {
    // None: the calling thread (setpriority(2): a thread is a process there).
    if let Err(error) = setpriority_process(None, BEHIND) {
        log::debug!("a thread does not stand back: {error}");
    }
}

/// Keeps the process in memory, so that no page of the filter is ever fetched from a disk.
pub fn lock_memory() {
    // Under a finite limit the lock itself may succeed, and a later allocation then fail.
    if getrlimit(Resource::Memlock).current.is_some() {
        return refused(
            "memory is not locked: the limit is finite; the service needs LimitMEMLOCK=infinity"
                .to_owned(),
        );
    }
    // ONFAULT: pages are locked when first used; otherwise every thread's whole stack would be.
    match mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT) {
        Ok(()) => note(|granted| granted.memory_locked = true),
        Err(error) => refused(format!("memory is not locked: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_bound_to_the_processors_it_is_given_and_an_absent_one_is_told() {
        let bound = |cpus: Vec<usize>| {
            std::thread::spawn(move || {
                Favour { priority: 0, cpus }.this_thread();
                std::fs::read_to_string("/proc/thread-self/status").unwrap()
            })
            .join()
            .unwrap()
        };
        let allowed = |status: &str| {
            let line = status.lines().find(|line| line.starts_with("Cpus_allowed_list:"));
            line.unwrap().split_whitespace().nth(1).unwrap().to_owned()
        };
        let first: String =
            allowed(&bound(vec![])).chars().take_while(char::is_ascii_digit).collect();
        let status = bound(vec![first.parse().unwrap()]);
        assert_eq!(allowed(&status), first);
        bound(vec![1023]);
        let told = granted().refused;
        assert!(told.iter().any(|message| message.contains("[1023]")), "{told:?}");
    }
}
