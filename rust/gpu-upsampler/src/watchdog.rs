//! When the daemon may say that it is alive.
//!
//! A ping means: since the last one, sound has moved and whoever renders, GPU or
//! processor, has finished blocks, or the daemon has looked
//! again for what it waits for; and the threads of both sockets have turned. A thread that merely
//! still runs proves nothing, so there is no thread for this: the supervisor asks at each of its
//! turns.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use totton_dsp::engine::Backend;

use crate::audio::flow::Flow;

/// What ought to move just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// A stream is open: its threads must move frames.
    Streaming,
    /// Something is missing: so many times it has been looked for.
    Waiting { attempts: u64 },
    /// A thread is stuck in a device; only a new process can help.
    Stuck,
}

/// How far everything was at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Marks {
    capture_turns: u64,
    input_frames: u64,
    output_frames: u64,
    /// Blocks finished by the one that renders now; `None`: it is not known, the
    /// output's frames must do.
    rendered: Option<(Backend, u64)>,
    attempts: u64,
    control_turns: u64,
    telemetry_turns: u64,
}

/// Decides about pings.
#[derive(Debug)]
pub struct Watchdog {
    interval: Duration,
    due: Instant,
    last: Option<Marks>,
    attempts: u64,
}

impl Watchdog {
    /// Pings every `interval`, from `now` on.
    pub fn new(interval: Duration, now: Instant) -> Self {
        Self { interval, due: now, last: None, attempts: 0 }
    }

    /// Whether a ping is due at `now` and deserved.
    pub fn may_ping(&mut self, now: Instant, duty: Duty, flow: &Flow) -> bool {
        if let Duty::Waiting { attempts } = duty {
            self.attempts = attempts;
        }
        if now < self.due {
            return false;
        }
        let marks = Marks {
            capture_turns: flow.capture_turns.load(Relaxed),
            input_frames: flow.input_frames.load(Relaxed),
            output_frames: flow.output_frames.load(Relaxed),
            rendered: flow.engine_report().map(|report| match report.backend {
                Backend::Cuda => (Backend::Cuda, report.gpu_blocks),
                Backend::Cpu => (Backend::Cpu, report.cpu_blocks),
            }),
            attempts: self.attempts,
            control_turns: flow.control_turns.load(Relaxed),
            telemetry_turns: flow.telemetry_turns.load(Relaxed),
        };
        let others_live = self.last.is_none_or(|last| {
            marks.control_turns > last.control_turns && marks.telemetry_turns > last.telemetry_turns
        });
        let deserved = match (self.last, duty) {
            (_, Duty::Stuck) => false,
            (None, _) => true,
            (Some(last), Duty::Waiting { .. }) => marks.attempts > last.attempts,
            (Some(last), Duty::Streaming) => {
                // The engine is between the two: if it hangs, no output moves.
                let input_moves = marks.input_frames > last.input_frames
                    || (flow.input_idle.load(Relaxed) && marks.capture_turns > last.capture_turns);
                // A GPU that only seems to live renders nothing; one that has failed has
                // handed over to the processor, whose blocks then count.
                let renders = marks.rendered.is_none() || marks.rendered != last.rendered;
                input_moves && marks.output_frames > last.output_frames && renders
            }
        };
        let deserved = deserved && others_live;
        if deserved {
            self.last = Some(marks);
            self.due = now + self.interval;
        }
        deserved
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use totton_dsp::engine::{Report, Watch};

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);

    /// Asks while both sockets are served.
    fn may_ping(watchdog: &mut Watchdog, now: Instant, duty: Duty, flow: &Flow) -> bool {
        flow.control_turns.fetch_add(1, Relaxed);
        flow.telemetry_turns.fetch_add(1, Relaxed);
        watchdog.may_ping(now, duty, flow)
    }

    fn watchdog() -> (Watchdog, Instant, Flow) {
        let now = Instant::now();
        let flow = Flow::default();
        let mut watchdog = Watchdog::new(INTERVAL, now);
        assert!(may_ping(&mut watchdog, now, Duty::Waiting { attempts: 0 }, &flow));
        (watchdog, now + INTERVAL, flow)
    }

    #[test]
    fn sound_that_moves_earns_a_ping_once_an_interval() {
        let (mut watchdog, now, flow) = watchdog();
        flow.input_frames.fetch_add(1, Relaxed);
        flow.output_frames.fetch_add(1, Relaxed);
        assert!(!may_ping(&mut watchdog, now - Duration::from_millis(1), Duty::Streaming, &flow));
        assert!(may_ping(&mut watchdog, now, Duty::Streaming, &flow));
        assert!(!may_ping(&mut watchdog, now + INTERVAL / 2, Duty::Streaming, &flow));
    }

    #[test]
    fn input_alone_or_output_alone_earns_nothing() {
        let (mut watchdog, now, flow) = watchdog();
        flow.input_frames.fetch_add(1, Relaxed);
        flow.capture_turns.fetch_add(1, Relaxed);
        assert!(!may_ping(&mut watchdog, now, Duty::Streaming, &flow));
        let (mut watchdog, now, flow) = self::watchdog();
        flow.output_frames.fetch_add(1, Relaxed);
        assert!(!may_ping(&mut watchdog, now, Duty::Streaming, &flow));
    }

    #[test]
    fn a_silent_host_is_no_fault_while_capture_turns_and_silence_plays() {
        let (mut watchdog, now, flow) = watchdog();
        flow.input_idle.store(true, Relaxed);
        flow.output_frames.fetch_add(1, Relaxed);
        assert!(!may_ping(&mut watchdog, now, Duty::Streaming, &flow));
        flow.capture_turns.fetch_add(1, Relaxed);
        assert!(may_ping(&mut watchdog, now, Duty::Streaming, &flow));
    }

    #[test]
    fn waiting_earns_a_ping_only_by_looking_again() {
        let (mut watchdog, now, flow) = watchdog();
        assert!(!may_ping(&mut watchdog, now, Duty::Waiting { attempts: 0 }, &flow));
        assert!(may_ping(&mut watchdog, now, Duty::Waiting { attempts: 1 }, &flow));
    }

    /// An engine of which a test says who renders, and how much.
    #[derive(Default)]
    struct Engine(Mutex<(bool, u64, u64)>);

    impl Watch for Engine {
        fn report(&self) -> Report {
            let (gpu, gpu_blocks, cpu_blocks) = *self.0.lock().unwrap();
            let backend = if gpu { Backend::Cuda } else { Backend::Cpu };
            Report { backend, reason: String::new(), gpu_blocks, cpu_blocks, gpu_faults: 0 }
        }
    }

    #[test]
    fn a_gpu_must_finish_blocks_or_leave_them_to_the_processor() {
        let (mut watchdog, mut now, flow) = watchdog();
        let engine = Arc::new(Engine::default());
        *engine.0.lock().unwrap() = (true, 10, 0);
        flow.observe(Some(engine.clone()));
        let mut pings = |state, watchdog: &mut Watchdog| {
            *engine.0.lock().unwrap() = state;
            // Frames move all the while: there are rings between the engine and the DAC.
            flow.input_frames.fetch_add(1, Relaxed);
            flow.output_frames.fetch_add(1, Relaxed);
            now += INTERVAL;
            may_ping(watchdog, now, Duty::Streaming, &flow)
        };
        assert!(pings((true, 11, 0), &mut watchdog));
        assert!(!pings((true, 11, 0), &mut watchdog), "no block was finished");
        assert!(!pings((true, 11, 5), &mut watchdog), "the wrong one has finished blocks");
        assert!(pings((true, 12, 5), &mut watchdog));
        assert!(pings((false, 12, 6), &mut watchdog), "the processor has taken over");
        assert!(!pings((false, 13, 6), &mut watchdog));
        assert!(pings((false, 13, 7), &mut watchdog));
    }

    #[test]
    fn a_deaf_or_a_dumb_daemon_earns_nothing() {
        for deaf in [true, false] {
            let (mut watchdog, now, flow) = watchdog();
            let turns = if deaf { &flow.telemetry_turns } else { &flow.control_turns };
            turns.fetch_add(1, Relaxed);
            assert!(!watchdog.may_ping(now, Duty::Waiting { attempts: 1 }, &flow), "{deaf}");
            assert!(may_ping(&mut watchdog, now, Duty::Waiting { attempts: 1 }, &flow), "{deaf}");
        }
    }

    #[test]
    fn a_stuck_device_earns_nothing() {
        let (mut watchdog, now, flow) = watchdog();
        flow.input_frames.fetch_add(1, Relaxed);
        flow.output_frames.fetch_add(1, Relaxed);
        assert!(!may_ping(&mut watchdog, now, Duty::Stuck, &flow));
    }
}
