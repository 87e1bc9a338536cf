//! The real-time contract: no engine allocates or frees while it runs.

// Clippy's leave for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use totton_dsp::simd::Isa;
use totton_dsp::{
    CpuEngine, CpuOptions, Crossfade, DesignSpec, Engine, Filter, Partitioning, Precision, Reblock,
    design,
};

/// Counts what the guarded thread asks of the allocator.
struct Guard;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

fn note() {
    if GUARDED.get() {
        CALLS.set(CALLS.get() + 1);
    }
}

// SAFETY: everything is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Guard {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note();
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Guard = Guard;

/// Calls of the allocator that `work` makes.
fn allocator_calls(work: impl FnOnce()) -> usize {
    CALLS.set(0);
    GUARDED.set(true);
    work();
    GUARDED.set(false);
    CALLS.get()
}

fn filter(ratio: u32) -> Filter {
    let spec = DesignSpec { taps: 40_000, ratio, ..DesignSpec::default() };
    design(&spec, &mut |_, _| {}).unwrap()
}

/// Enough blocks for every deferred partition to be begun and finished.
const BLOCKS: usize = 300;

#[test]
fn the_guard_sees_an_allocation() {
    assert_eq!(allocator_calls(|| drop(std::hint::black_box(vec![1u8; 100]))), 2);
}

#[test]
fn engines_never_allocate_while_they_run() {
    for ratio in [1, 4, 16] {
        let filter = filter(ratio);
        for &isa in Isa::available() {
            for precision in [Precision::F32, Precision::F64] {
                for partitioning in [Partitioning::Uniform, Partitioning::Growing] {
                    let options = CpuOptions { isa, partitioning };
                    let engine = CpuEngine::with_options(&filter, 3, 32, precision, options);
                    let mut engine = engine.unwrap();
                    let input = vec![0.25; 32];
                    let mut output = vec![vec![0.0; 32 * engine.ratio()]; 3];
                    let [a, b, c] = &mut output[..] else { unreachable!() };
                    let calls = allocator_calls(|| {
                        for _ in 0..BLOCKS {
                            engine.process(&[&input, &input, &input], &mut [a, b, c]);
                        }
                        engine.reset();
                    });
                    assert_eq!(calls, 0, "{ratio} {isa} {precision:?} {partitioning:?}");
                }
            }
        }
    }
}

#[test]
fn reblocking_never_allocates() {
    let mut stream = Reblock::new(CpuEngine::new(&filter(4), 2, 64, Precision::F32).unwrap());
    let input = vec![0.25; 999];
    let mut sum = 0.0;
    let calls = allocator_calls(|| {
        for end in [0, 1, 63, 64, 65, 500, 999] {
            stream.process(&[&input[..end], &input[..end]], |blocks| sum += blocks[1][3]);
        }
        stream.finish(|blocks| sum += blocks[0][0]);
        stream.reset();
    });
    assert_eq!(calls, 0);
    assert!(sum.is_finite());
}

#[test]
fn changing_the_filter_never_allocates_or_frees() {
    let filter = filter(8);
    let engine =
        || -> Box<dyn Engine> { Box::new(CpuEngine::new(&filter, 1, 64, Precision::F64).unwrap()) };
    let mut fade = Crossfade::new(engine());
    let (mut prepared, mut arriving) = rtrb::RingBuffer::new(1);
    let (mut leaving, mut used) = rtrb::RingBuffer::new(1);
    assert!(prepared.push(engine()).is_ok());
    let wrong: Box<dyn Engine> = Box::new(CpuEngine::new(&filter, 2, 64, Precision::F64).unwrap());
    let input = vec![0.25; 64];
    let mut output = vec![0.0; 64 * 8];
    let mut refused = None;
    let calls = allocator_calls(|| {
        refused = fade.switch_to(wrong, 0, 0).err();
        for _ in 0..BLOCKS {
            if fade.is_ready()
                && let Ok(engine) = arriving.pop()
                && let Err(other) = fade.switch_to(engine, 5000, 1000)
            {
                refused = Some(other);
            }
            fade.process(&[&input], &mut [&mut output]);
            if !leaving.is_full()
                && let Some(old) = fade.take_retired()
            {
                assert!(leaving.push(old).is_ok());
            }
        }
    });
    assert_eq!(calls, 0);
    assert_eq!(refused.map(|refused| refused.engine.channels()), Some(2));
    assert!(!fade.is_switching() && used.pop().is_ok());
}
