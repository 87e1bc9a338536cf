//! `upsampler-bench`: what the GPU engine does on this machine's GPU.
//!
//! - `copy`: the bandwidth that the device reaches when it only copies
//! - `measure`: times of blocks, and what they come down to
//! - `table`: the measurements in a table

// A measurement that cannot be made has nothing better to do than to stop.
#![allow(clippy::expect_used)]

mod copy;
mod measure;
mod table;
mod wait;

use clap::Parser;
use totton_cuda::device::Device;
use totton_cuda::device::cuda::{CudaDevice, library};
use totton_dsp::Precision;

use crate::measure::{Job, measure};
use crate::table::Table;

/// Measures the GPU engine: time of each block, times real time, and the part of the
/// device's copy bandwidth that the multiply-accumulate kernel reaches; beside it plain
/// overlap-save at the output rate, and what the figures come down to on a Jetson.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// Taps of the filter, at the output rate.
    #[arg(long, value_delimiter = ',', default_values_t = [640_000, 2_000_000, 16_000_000])]
    taps: Vec<usize>,
    /// Input frames of a block.
    #[arg(long, value_delimiter = ',', default_values_t = [64, 256, 1024, 4096, 16_384])]
    blocks: Vec<usize>,
    /// Bits of the arithmetic.
    #[arg(long, value_delimiter = ',', default_values_t = [32, 64])]
    bits: Vec<u32>,
    /// Output frames for each input frame.
    #[arg(long, default_value_t = 16)]
    ratio: u32,
    /// Rate of the input in Hz.
    #[arg(long, default_value_t = 44_100)]
    rate: u32,
    /// Blocks that are timed, for each line.
    #[arg(long, default_value_t = 10_000)]
    count: usize,
    /// Blocks ahead of those that are timed: clocks rise, the filter fills.
    #[arg(long, default_value_t = 200)]
    warm_up: usize,
    /// Blocks of the baseline that are timed; 0 leaves it out.
    #[arg(long, default_value_t = 200)]
    baseline: usize,
    /// The GPU's number.
    #[arg(long, default_value_t = 0)]
    device: usize,
    /// Memory bandwidth in GB/s of the board that the figures are carried over to; the
    /// Jetson Orin Nano's 68, or 102 in Super mode.
    #[arg(long, default_value_t = 68.0)]
    carry_to: f64,
    /// Its GFLOP/s in 64 bits, which bound it there; the Orin Nano's 20 are 1/64 of those
    /// in 32 bits.
    #[arg(long, default_value_t = 20.0)]
    carry_to_f64: f64,
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    let found = match library::find() {
        Ok(found) => found,
        Err(reason) => {
            eprintln!("upsampler-bench: nothing was measured: {reason}");
            return std::process::ExitCode::FAILURE;
        }
    };
    match run(&arguments, found) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("upsampler-bench: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, found: library::Found) -> Result<(), totton_cuda::Error> {
    let device = CudaDevice::open(arguments.device, Precision::F32)?;
    let description = device.description().clone();
    drop(device);
    println!("{}, {} multiprocessors, {found}", description.name, description.processors);
    let bandwidth = copy::bandwidth(arguments.device)?;
    println!(
        "copy bandwidth, read and written bytes together: {:.1} GB/s; stereo, {} Hz x {}",
        bandwidth * 1e-9,
        arguments.rate,
        arguments.ratio
    );
    let table = Table::new(bandwidth, arguments.carry_to * 1e9, arguments.carry_to_f64 * 1e9);
    table.head();
    for &taps in &arguments.taps {
        let filter = measure::filter(taps, arguments.ratio, arguments.rate);
        for &bits in &arguments.bits {
            let precision = if bits == 64 { Precision::F64 } else { Precision::F32 };
            for &block in &arguments.blocks {
                let job = Job {
                    device: arguments.device,
                    filter: &filter,
                    block,
                    precision,
                    rate: arguments.rate,
                    count: arguments.count,
                    warm_up: arguments.warm_up,
                    baseline: arguments.baseline,
                };
                table.line(&job, &measure(&job)?);
            }
        }
    }
    table.foot();
    Ok(())
}
