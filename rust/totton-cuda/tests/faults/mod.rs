//! A GPU that fails on order, in the middle of a stream: the way to the processor and back.

// Clippy's leave for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use totton_cuda::device::cuda::CudaDevice;
use totton_cuda::device::{Buffer, Description, Device, Place, Plan, Program, Step, Transform};
use totton_cuda::{Error, Failover, Patience};
use totton_dsp::{CpuEngine, Engine, Phase, Precision};

use crate::parity;

const BLOCK: usize = 1024;
const CHANNELS: usize = 2;
const FAULTS: usize = 3;

/// A GPU whose next submission fails when the flag says so.
struct Failing {
    gpu: CudaDevice,
    fail: Arc<AtomicBool>,
}

impl Device for Failing {
    fn description(&self) -> &Description {
        self.gpu.description()
    }

    fn allocate(&mut self, bytes: usize, place: Place) -> Result<Buffer, Error> {
        self.gpu.allocate(bytes, place)
    }

    fn address(&self, buffer: Buffer) -> u64 {
        self.gpu.address(buffer)
    }

    fn write(&mut self, buffer: Buffer, at: usize, bytes: &[u8]) -> Result<(), Error> {
        self.gpu.write(buffer, at, bytes)
    }

    fn staged(&mut self, buffer: Buffer) -> Result<&mut [f64], Error> {
        self.gpu.staged(buffer)
    }

    fn plan(&mut self, transform: Transform) -> Result<Plan, Error> {
        self.gpu.plan(transform)
    }

    fn prepare(&mut self, steps: Vec<Step>) -> Result<Program, Error> {
        self.gpu.prepare(steps)
    }

    fn submit(&mut self, program: Program) -> Result<(), Error> {
        // Once it is under way, as a GPU would: the work goes on while the device is dropped.
        self.gpu.submit(program)?;
        match self.fail.swap(false, SeqCst) {
            true => {
                let reason = "a fault, on order".to_owned();
                Err(Error::Driver { call: "cuGraphLaunch", reason })
            }
            false => Ok(()),
        }
    }

    fn is_done(&mut self) -> Result<bool, Error> {
        self.gpu.is_done()
    }
}

/// A stream in which the GPU fails and comes back; panics at a block that is not exact.
/// Tells how many blocks the GPU rendered before, and the processor during the faults.
pub fn take_over_and_back() -> (u64, u64) {
    let filter = Arc::new(parity::designed(16, 640_000, Phase::Minimum));
    let fail = Arc::new(AtomicBool::new(false));
    let order = Arc::clone(&fail);
    let open = Box::new(move || {
        let gpu = CudaDevice::open(0, Precision::F64)?;
        Ok(Failing { gpu, fail: Arc::clone(&order) })
    });
    let period = Duration::from_secs_f64(BLOCK as f64 / 44_100.0);
    let patience = Patience::new(period, period, filter.taps().len());
    let mut engine =
        Failover::start(open, &filter, CHANNELS, BLOCK, Precision::F64, patience).unwrap();
    let mut cpu = CpuEngine::new(&filter, CHANNELS, BLOCK, Precision::F64).unwrap();
    let health = engine.watch().unwrap();

    let mut wanted = vec![vec![0.0; BLOCK * filter.ratio()]; CHANNELS];
    let mut found = wanted.clone();
    let mut number = 0;
    // Whether the GPU rendered it.
    let mut block = || {
        number += 1;
        let input: Vec<_> =
            (0..CHANNELS).map(|c| parity::noise(number * 8 + c as u64, BLOCK)).collect();
        let before = health.report().gpu_blocks;
        parity::process(&mut cpu, &input, &mut wanted);
        parity::process(&mut engine, &input, &mut found);
        for (found, wanted) in found.iter().flatten().zip(wanted.iter().flatten()) {
            assert!((found - wanted).abs() < 1e-12, "block {number}: {found} for {wanted}");
        }
        health.report().gpu_blocks > before
    };
    let mut until = |by_gpu: bool| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while block() != by_gpu {
            assert!(Instant::now() < deadline, "{:?}", health.report());
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    until(true);
    (0..100).for_each(|_| until(true));
    let before = health.report();
    for _ in 0..FAULTS {
        fail.store(true, SeqCst);
        until(false);
        until(true);
        (0..10).for_each(|_| until(true));
    }
    let after = health.report();
    assert_eq!(after.gpu_faults - before.gpu_faults, FAULTS as u64, "{after:?}");
    (before.gpu_blocks, after.cpu_blocks - before.cpu_blocks)
}
