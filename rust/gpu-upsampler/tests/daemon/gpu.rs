//! A GPU that fails while the daemon streams, with the device of tests in its place.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use gpu_upsampler::supervisor::EngineBuilder;
use totton_cuda::device::host::{HostDevice, Orders};
use totton_cuda::{Failover, Patience};
use totton_dsp::{Engine, Precision};
use totton_protocol::{State, Status};

use crate::double::Machine;
use crate::running::{BLOCK, Running, Setup, until};

fn patience() -> Patience {
    Patience {
        // The device of tests need not keep up with the sound.
        period: Duration::from_secs(5),
        block: Duration::from_millis(200),
        hung: Duration::from_millis(400),
        start: Duration::from_secs(60),
        back_off: Duration::from_millis(300),
        longest_back_off: Duration::from_millis(600),
    }
}

/// A daemon whose engine is on a device that misbehaves on order, and all that its
/// systemd has heard.
struct Daemon {
    running: Running,
    heard: Vec<String>,
}

impl Daemon {
    fn new(orders: &Arc<Orders>) -> Self {
        let orders = Arc::clone(orders);
        let build_engine: EngineBuilder = Arc::new(move |config, filter, channels| {
            let orders = Arc::clone(&orders);
            let open = Box::new(move || HostDevice::new(8, Arc::clone(&orders)));
            let precision = Precision::F64;
            let engine =
                Failover::start(open, filter, channels, config.block_frames, precision, patience());
            Ok(Box::new(engine.unwrap()) as Box<dyn Engine>)
        });
        let watchdog = Some(Duration::from_millis(200));
        let setup = Setup { build_engine, watchdog, ..Setup::default() };
        Self { running: Running::start(Machine::new(), setup), heard: vec![] }
    }

    /// Waits for a status that `is` so. Listens all the while: the socket holds few messages.
    fn until(&mut self, what: &str, is: impl Fn(&Status) -> bool) -> Status {
        until(what, || {
            self.heard.extend(self.running.heard());
            Some(self.running.status()).filter(&is)
        })
    }

    fn has_heard(&self, words: &[&str]) -> usize {
        let has = |text: &&String| words.iter().all(|words| text.contains(words));
        self.heard.iter().filter(has).count()
    }
}

fn engine(status: &Status) -> totton_protocol::Engine {
    status.engine.clone().unwrap_or_default()
}

#[test]
fn the_stream_goes_on_when_the_gpu_fails_and_everybody_is_told() {
    let orders = Arc::new(Orders::default());
    let mut daemon = Daemon::new(&orders);
    let before = daemon.until("the GPU renders", |status| {
        status.state == State::Streaming && engine(status).backend == "cuda"
    });
    assert!(engine(&before).backend_reason.unwrap().contains("in a GPU's place"));
    daemon.until("blocks of the GPU are counted", |s| s.counters.gpu_blocks > 20);
    for round in 1..=2 {
        orders.failures.store(1, SeqCst);
        let fallen =
            daemon.until("the processor has taken over", |status| engine(status).backend == "cpu");
        assert_eq!(fallen.state, State::Streaming);
        let told = daemon.until("why", |status| {
            let reason = engine(status).backend_reason.unwrap_or_default();
            reason.contains("on order; it is tried again in") && status.message.contains(&reason)
        });
        assert!(told.message.contains("; on the processor: "), "{}", told.message);
        assert_eq!(told.counters.gpu_faults, round);
        daemon.until("the GPU is back", |status| {
            engine(status).backend == "cuda" && status.message.contains("; on the GPU: ")
        });
    }
    let pings = daemon.has_heard(&["WATCHDOG=1"]);
    let after = daemon.until("systemd has heard it all", |status| {
        status.counters.output_frames > before.counters.output_frames + 20 * BLOCK as u64
    });
    assert!(daemon.has_heard(&["STATUS=", "; on the GPU: "]) > 0, "{:?}", daemon.heard);
    assert!(daemon.has_heard(&["STATUS=", "; on the processor: "]) > 0, "{:?}", daemon.heard);
    assert!(pings > 2, "{:?}", daemon.heard);
    // The stream is the one that was opened first, and no sound was lost on its way.
    assert_eq!(after.counters.stream_starts, 1);
    assert_eq!(after.counters.capture_xruns, before.counters.capture_xruns);
}

#[test]
fn a_gpu_that_hangs_does_not_hold_the_stream() {
    let orders = Arc::new(Orders::default());
    let mut daemon = Daemon::new(&orders);
    daemon.until("the GPU renders", |status| status.counters.gpu_blocks > 20);
    orders.hangs.store(1, SeqCst);
    let fallen = daemon.until("the fault is counted", |s| s.counters.gpu_faults > 0);
    let now = fallen.counters.output_frames;
    daemon.until("sound goes on", |s| s.counters.output_frames > now + 50 * BLOCK as u64);
    let blocks = fallen.counters.gpu_blocks;
    let after = daemon.until("the GPU is back", |s| s.counters.gpu_blocks > blocks + 20);
    assert_eq!(after.counters.stream_starts, 1);
}
