//! The GPU against the CPU engine in every shape: with a GPU it prints what it found,
//! without one why it did nothing.
//!
//! `cargo test -p totton-cuda --test gpu`

// A measurement that cannot be made has nothing better to do than to stop.
#![allow(clippy::unwrap_used)]

mod faults;
mod parity;

use totton_cuda::device::cuda::{CudaDevice, library};
use totton_dsp::{Phase, Precision};

const BLOCKS: [usize; 11] = [64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];

fn main() {
    match library::find() {
        Err(reason) => println!("SKIPPED: the GPU against the CPU engine: {reason}"),
        Ok(found) => {
            println!("{found}");
            run();
            println!("the GPU gives what the CPU engine gives in every shape");
            let (before, during) = faults::take_over_and_back();
            println!(
                "three faults on order, each in the middle of a stream: the CPU rendered {during} \
                 blocks, the GPU {before} and the ones after; every block was exact"
            );
        }
    }
}

fn run() {
    let open = |precision| CudaDevice::open(0, precision);
    println!("taps block ratio channels bits chunks | error, dBFS");
    let print = |shape: &totton_cuda::Shape, error: f64| {
        let taps = shape.partitions * shape.block * shape.branches;
        println!(
            "{taps:>9} {:>5} {:>2} {} {} {:>3} | {error:.1}",
            shape.block,
            shape.branches,
            shape.channels,
            shape.precision.bits(),
            shape.chunks
        );
    };
    parity::every_shape(open, &BLOCKS, print).unwrap();
    let check = |filter: &totton_dsp::Filter, block, precision| {
        let blocks = filter.taps().len() / filter.ratio() / block + 4;
        let device = open(precision).unwrap();
        let (error, shape) =
            parity::error_at_the_end(device, filter, 2, block, precision, blocks, 4).unwrap();
        print(&shape, error);
        assert!(error <= parity::bound(precision), "block {block}: {error:.1}");
    };
    // The filters that the product is for, and the longest ones; of the latter one whose
    // every tap matters.
    for (taps, phase) in
        [(640_000, Phase::Minimum), (640_000, Phase::Linear), (2_000_000, Phase::Minimum)]
    {
        let filter = parity::designed(16, taps, phase);
        for block in [64, 1024, 16_384] {
            check(&filter, block, Precision::F32);
            check(&filter, block, Precision::F64);
        }
    }
    for filter in [parity::designed(16, 16_000_000, Phase::Linear), parity::flat(16, 16_000_000)] {
        for block in [1024, 16_384] {
            check(&filter, block, Precision::F32);
            check(&filter, block, Precision::F64);
        }
    }
}
