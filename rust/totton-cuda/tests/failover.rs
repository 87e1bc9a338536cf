//! The change from GPU to CPU and back, on the device of tests.

// Clippy's leave for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod parity;

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use parity::{flat, noise, process};
use totton_cuda::device::host::{HostDevice, Orders};
use totton_cuda::{Failover, Patience};
use totton_dsp::engine::{Backend, Watch};
use totton_dsp::{CpuEngine, Engine, Filter, Precision};

const BLOCK: usize = 64;
const CHANNELS: usize = 2;

fn patience() -> Patience {
    Patience {
        period: Duration::from_secs(5),
        block: Duration::from_secs(5),
        hung: Duration::from_millis(300),
        start: Duration::from_secs(60),
        back_off: Duration::from_millis(20),
        longest_back_off: Duration::from_millis(80),
    }
}

struct Bench {
    engine: Failover,
    /// An engine that never had a GPU.
    cpu: CpuEngine,
    health: Arc<dyn Watch>,
    orders: Arc<Orders>,
    number: u64,
}

/// What became of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    /// To the bit what the CPU engine gives.
    Cpu,
    /// What the CPU engine gives but for rounding.
    Gpu,
}

impl Bench {
    fn new(filter: Filter, patience: Patience, orders: Arc<Orders>) -> Self {
        let filter = Arc::new(filter);
        let device = Arc::clone(&orders);
        let open = Box::new(move || HostDevice::new(8, Arc::clone(&device)));
        let precision = Precision::F64;
        let engine = Failover::start(open, &filter, CHANNELS, BLOCK, precision, patience).unwrap();
        let cpu = CpuEngine::new(&filter, CHANNELS, BLOCK, precision).unwrap();
        Self { health: engine.watch().unwrap(), engine, cpu, orders, number: 0 }
    }

    /// One block; panics unless it is exact, and it must be said rightly whose it is.
    fn block(&mut self) -> Block {
        self.number += 1;
        let input: Vec<_> =
            (0..CHANNELS).map(|c| noise(self.number * 8 + c as u64, BLOCK)).collect();
        let mut wanted = vec![vec![0.0; BLOCK * self.engine.ratio()]; CHANNELS];
        let mut found = wanted.clone();
        let before = self.health.report();
        process(&mut self.cpu, &input, &mut wanted);
        process(&mut self.engine, &input, &mut found);
        for (found, wanted) in found.iter().flatten().zip(wanted.iter().flatten()) {
            assert!((found - wanted).abs() < 1e-13, "block {}: {found} for {wanted}", self.number);
        }
        let after = self.health.report();
        let counted = (after.gpu_blocks - before.gpu_blocks, after.cpu_blocks - before.cpu_blocks);
        match counted {
            (1, 0) => {
                assert_ne!(found, wanted, "not one bit differs: that was no other device");
                Block::Gpu
            }
            (0, 1) => {
                assert_eq!(
                    found, wanted,
                    "the CPU's block is not that of an engine that always ran"
                );
                Block::Cpu
            }
            other => panic!("counted {other:?}"),
        }
    }

    /// One block of silence, as exact; tells whether all of the output is zero.
    fn silence(&mut self) -> bool {
        self.number += 1;
        let input = vec![vec![0.0; BLOCK]; CHANNELS];
        let mut wanted = vec![vec![0.0; BLOCK * self.engine.ratio()]; CHANNELS];
        let mut found = wanted.clone();
        process(&mut self.cpu, &input, &mut wanted);
        process(&mut self.engine, &input, &mut found);
        for (found, wanted) in found.iter().flatten().zip(wanted.iter().flatten()) {
            assert!((found - wanted).abs() < 1e-13, "block {}: {found} for {wanted}", self.number);
        }
        found.iter().flatten().all(|sample| *sample == 0.0)
    }

    fn reset(&mut self) {
        self.engine.reset();
        self.cpu.reset();
    }

    /// Blocks until one is `wanted`; tells how many came before.
    fn until(&mut self, wanted: Block) -> usize {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut others = 0;
        while self.block() != wanted {
            others += 1;
            assert!(Instant::now() < deadline, "{:?}", self.health.report());
            std::thread::sleep(Duration::from_millis(2));
        }
        others
    }
}

#[test]
fn a_fault_makes_that_block_the_cpus_and_the_gpu_takes_over_again() {
    // Long enough for partitions of several lengths in the CPU engine.
    let mut bench = Bench::new(flat(4, 40_000), patience(), Arc::default());
    assert_eq!((0..50).map(|_| bench.block()).collect::<Vec<_>>(), [Block::Gpu; 50]);
    assert_eq!(bench.health.report().backend, Backend::Cuda);
    assert!(bench.health.report().reason.contains("in a GPU's place"));
    for round in 1..=3 {
        bench.orders.failures.store(1, SeqCst);
        assert_eq!(bench.block(), Block::Cpu);
        let report = bench.health.report();
        assert_eq!(report.backend, Backend::Cpu);
        let others = bench.until(Block::Gpu);
        // It has to hear 10,000 taps a branch first: 157 partitions.
        assert!(others >= 157, "it took over after {others} blocks");
        let report = bench.health.report();
        assert_eq!((report.backend, report.gpu_faults), (Backend::Cuda, round));
    }
}

#[test]
fn in_silence_the_gpu_rests_and_the_first_sound_is_exact() {
    let (ratio, taps) = (4, 40_000);
    let mut bench = Bench::new(flat(ratio, taps), patience(), Arc::default());
    let memory = taps / ratio as usize / BLOCK;
    for round in 0..3 {
        assert_eq!((0..20).map(|_| bench.block()).collect::<Vec<_>>(), [Block::Gpu; 20]);
        // The filter rings out: as much work as for sound.
        let before = bench.orders.submissions.load(SeqCst);
        for _ in 0..memory {
            bench.silence();
        }
        let worked = bench.orders.submissions.load(SeqCst) - before;
        assert_eq!(worked, memory as u64, "round {round}");
        // What else the processor's longest partitions remember.
        let mut late = 0;
        while bench.orders.submissions.load(SeqCst) == before + worked + late {
            bench.silence();
            late += 1;
            assert!(late < 4 * memory as u64, "it never rests");
        }
        let before = bench.orders.submissions.load(SeqCst);
        assert!((0..800).all(|_| bench.silence()), "round {round}: silence is zero");
        let worked = bench.orders.submissions.load(SeqCst) - before;
        assert!((90..=110).contains(&worked), "one in eight of 800: {worked}");
        let report = bench.health.report();
        assert_eq!((report.backend, report.gpu_blocks), (Backend::Cuda, bench.number));
    }
    // A GPU that dies in silence is noticed, and the next sound is the processor's.
    bench.orders.failures.store(1, SeqCst);
    let deadline = Instant::now() + Duration::from_secs(60);
    while bench.health.report().gpu_faults == 0 {
        assert!(bench.silence() && Instant::now() < deadline, "{:?}", bench.health.report());
        std::thread::sleep(Duration::from_millis(1));
    }
    bench.block();
}

#[test]
fn while_the_gpu_is_away_the_reason_is_told() {
    let mut bench = Bench::new(flat(2, 500), patience(), Arc::default());
    bench.block();
    bench.orders.refusals.store(4, SeqCst);
    bench.orders.failures.store(1, SeqCst);
    assert_eq!(bench.block(), Block::Cpu);
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut reasons = vec![];
    while bench.block() == Block::Cpu {
        let reason = bench.health.report().reason;
        if reasons.last() != Some(&reason) {
            reasons.push(reason);
        }
        assert!(Instant::now() < deadline, "{reasons:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
    let told = |words: &str| reasons.iter().any(|reason| reason.contains(words));
    assert!(told("a submission fails, on order") || told("cannot be made"), "{reasons:?}");
    assert!(told("cannot be made, on order; it is tried again in 80ms"), "{reasons:?}");
    assert!(told("hears the input"), "{reasons:?}");
    assert_eq!(bench.orders.refusals.load(SeqCst), 0);
}

#[test]
fn a_hung_gpu_keeps_nobody_waiting_and_is_made_anew() {
    let (block, hung) = (Duration::from_millis(30), Duration::from_secs(4));
    let patience = Patience { block, hung, ..patience() };
    let mut bench = Bench::new(flat(2, 3000), patience, Arc::default());
    bench.until(Block::Gpu);
    bench.orders.hangs.store(1, SeqCst);
    let started = Instant::now();
    assert_eq!(bench.block(), Block::Cpu);
    let waited = started.elapsed();
    assert!(waited >= block, "{waited:?}");
    // Far from the time after which the device counts as dead.
    assert!(waited < hung / 2, "{waited:?}");
    assert!(bench.health.report().reason.contains("did not finish a block in time"));
    // While it hangs, no block waits for it.
    let started = Instant::now();
    for _ in 0..10 {
        assert_eq!(bench.block(), Block::Cpu);
    }
    assert!(started.elapsed() < hung / 2, "{:?}", started.elapsed());
    bench.until(Block::Gpu);
    assert!(bench.health.report().gpu_faults >= 2, "late, then dead: {:?}", bench.health.report());
}

#[test]
fn a_gpu_that_is_late_now_and_then_is_given_a_rest() {
    let patience = Patience { block: Duration::from_millis(20), ..patience() };
    let mut bench = Bench::new(flat(2, 3000), patience, Arc::default());
    bench.until(Block::Gpu);
    let before = bench.health.report().gpu_faults;
    bench.orders.slowness.store(50_000, SeqCst);
    bench.until(Block::Cpu);
    assert!(bench.health.report().gpu_faults > before);
    bench.orders.slowness.store(0, SeqCst);
    bench.until(Block::Gpu);
}

#[test]
fn without_a_gpu_at_the_start_the_cpu_begins_and_the_gpu_joins() {
    let orders = Arc::new(Orders::default());
    orders.refusals.store(3, SeqCst);
    let mut bench = Bench::new(flat(2, 3000), patience(), orders);
    assert_eq!(bench.health.report().backend, Backend::Cpu);
    assert_eq!(bench.block(), Block::Cpu);
    bench.until(Block::Gpu);
}

#[test]
fn a_gpu_that_is_too_slow_is_refused() {
    let patience = Patience { period: Duration::from_micros(1400), ..patience() };
    let orders = Arc::new(Orders::default());
    orders.slowness.store(2000, SeqCst);
    let mut bench = Bench::new(flat(2, 300), patience, orders);
    assert_eq!(bench.block(), Block::Cpu);
    let reason = bench.health.report().reason;
    assert!(reason.contains("too slow for this filter"), "{reason}");
}

#[test]
fn reset_forgets_everything_on_both_sides() {
    let mut bench = Bench::new(flat(4, 40_000), patience(), Arc::default());
    for _ in 0..20 {
        assert_eq!(bench.block(), Block::Gpu);
    }
    bench.reset();
    assert_eq!(bench.block(), Block::Gpu);
    // While the CPU renders, a reset lets the GPU take over at once: both are new.
    bench.orders.failures.store(1, SeqCst);
    assert_eq!(bench.block(), Block::Cpu);
    // No block comes in between until the GPU is there again.
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        std::thread::sleep(Duration::from_millis(50));
        bench.reset();
        if bench.health.report().backend == Backend::Cuda {
            break;
        }
        assert!(Instant::now() < deadline, "{:?}", bench.health.report());
    }
    assert_eq!(bench.block(), Block::Gpu);
}

#[test]
fn an_engine_that_is_dropped_ends_its_thread() {
    let orders = Arc::new(Orders::default());
    let mut bench = Bench::new(flat(2, 300), patience(), Arc::clone(&orders));
    bench.block();
    drop(bench);
    // The thread's own hold on the orders is gone with it.
    assert_eq!(Arc::strong_count(&orders), 1);
}
