//! The kernels' source and the layouts around it, on the processor: the same steps in
//! the same order, with rustfft in cuFFT's place.

// Clippy's leave for tests does not reach their helper functions.
#![allow(clippy::unwrap_used)]

mod parity;

use std::sync::Arc;

use parity::{LIMIT, bound, designed, error_dbfs, flat, noise, process};
use totton_cuda::baseline::Baseline;
use totton_cuda::device::Device;
use totton_cuda::device::host::HostDevice;
use totton_cuda::{Convolver, Error};
use totton_dsp::{CpuEngine, Engine, Filter, Phase, Precision};

/// Devices small and large: the number of chunks depends on it.
fn open(processors: usize) -> Result<HostDevice, Error> {
    HostDevice::new(processors, Arc::default())
}

fn convolver(filter: &Filter, channels: usize, block: usize) -> Convolver<HostDevice> {
    Convolver::new(open(8).unwrap(), filter, channels, block, Precision::F64).unwrap()
}

fn run(convolver: &mut Convolver<HostDevice>, input: &[Vec<f64>], output: &mut [Vec<f64>]) {
    convolver.submit(input).unwrap();
    convolver.wait(LIMIT).unwrap();
    convolver.collect(output).unwrap();
}

#[test]
fn every_block_ratio_and_precision_gives_what_the_cpu_engine_gives() {
    let mut shapes = 0;
    let sizes = [64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384];
    parity::every_shape(|_| open(8), &sizes, |_, _| shapes += 1).unwrap();
    assert_eq!(shapes, 9 * 5 * 2);
}

#[test]
fn any_number_of_channels_and_of_chunks_gives_what_the_cpu_engine_gives() {
    for channels in [1, 2, 3, 5, 8] {
        for processors in [1, 8, 132] {
            for (taps, block) in [(5 * 64, 64), (300 * 64, 64), (700 * 64, 64), (9 * 256 + 1, 256)]
            {
                let filter = flat(4, taps * 4);
                let blocks = taps / block + 2;
                for precision in [Precision::F32, Precision::F64] {
                    let device = open(processors).unwrap();
                    let (error, shape) =
                        error_dbfs(device, &filter, channels, block, precision, blocks).unwrap();
                    assert!(error <= bound(precision), "{error:.1} dBFS, {shape:?}");
                }
            }
        }
    }
}

#[test]
fn the_filters_of_the_product_are_as_exact_as_on_the_cpu() {
    for phase in [Phase::Minimum, Phase::Linear] {
        let filter = designed(16, 160_000, phase);
        for block in [64, 256] {
            for precision in [Precision::F32, Precision::F64] {
                let (error, _) =
                    error_dbfs(open(8).unwrap(), &filter, 2, block, precision, 180).unwrap();
                assert!(
                    error <= bound(precision),
                    "{phase} {block} {precision:?}: {error:.1} dBFS"
                );
            }
        }
    }
}

#[test]
fn the_first_output_frame_is_the_first_tap_and_reset_forgets_everything() {
    let filter = flat(4, 1500);
    let mut convolver = convolver(&filter, 1, 64);
    let mut impulse = vec![vec![0.0; 64]];
    impulse[0][0] = 1.0;
    let mut output = vec![vec![0.0; 256]];
    for _ in 0..2 {
        run(&mut convolver, &impulse, &mut output);
        for (found, tap) in output[0].iter().zip(filter.taps()) {
            assert!((found - tap).abs() < 1e-14, "{found} for {tap}");
        }
        convolver.reset(LIMIT).unwrap();
    }
}

#[test]
fn bad_samples_count_as_silence_and_huge_ones_are_limited() {
    let filter = flat(2, 300);
    let mut cpu = CpuEngine::new(&filter, 2, 64, Precision::F64).unwrap();
    let mut convolver = convolver(&filter, 2, 64);
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -1e300, 1e-200] {
        let mut input = vec![noise(1, 64), noise(2, 64)];
        input[1][9] = bad;
        let (mut wanted, mut found) = (vec![vec![0.0; 128]; 2], vec![vec![0.0; 128]; 2]);
        process(&mut cpu, &input, &mut wanted);
        run(&mut convolver, &input, &mut found);
        let largest = wanted.iter().flatten().fold(1.0f64, |m, x| m.max(x.abs()));
        for (found, wanted) in found.iter().flatten().zip(wanted.iter().flatten()) {
            assert!((found - wanted).abs() < 1e-13 * largest, "{found} for {wanted} after {bad}");
        }
        cpu.reset();
        convolver.reset(LIMIT).unwrap();
    }
}

#[test]
fn the_gain_ramps_within_a_block_and_then_stands() {
    let filter = flat(2, 300);
    let (mut plain, mut turned) = (convolver(&filter, 2, 64), convolver(&filter, 2, 64));
    let (mut wanted, mut found) = (vec![vec![0.0; 128]; 2], vec![vec![0.0; 128]; 2]);
    for (number, gain) in [1.0, 0.25, 0.25, 0.0, 0.0, 1.0].into_iter().enumerate() {
        let input = vec![noise(number as u64, 64), noise(number as u64 + 99, 64)];
        let before = [1.0, 1.0, 0.25, 0.25, 0.0, 0.0][number];
        turned.set_gain(gain);
        run(&mut plain, &input, &mut wanted);
        run(&mut turned, &input, &mut found);
        for (found, wanted) in found.iter().zip(&wanted) {
            for (frame, (found, wanted)) in found.iter().zip(wanted).enumerate() {
                let gain = before + (gain - before) * (frame + 1) as f64 / 128.0;
                assert!((found - wanted * gain).abs() < 1e-15, "{number} {frame}");
            }
            assert_eq!(found[127], wanted[127] * gain);
        }
    }
}

#[test]
fn shapes_that_the_kernels_do_not_have_are_refused() {
    let filter = flat(2, 300);
    for (channels, block) in [(0, 64), (65, 64), (2, 32), (2, 100), (2, 1 << 17)] {
        let made = Convolver::new(open(8).unwrap(), &filter, channels, block, Precision::F32);
        let Err(Error::Shape { name, accepted, .. }) = made else { panic!("{channels} {block}") };
        assert!(accepted.contains("accept"), "{name}");
    }
}

#[test]
fn the_baseline_gives_what_the_cpu_engine_gives() {
    for (ratio, taps, block) in [(16, 20_000, 64), (1, 900, 128), (4, 5000, 1024)] {
        let filter = flat(ratio, taps);
        for precision in [Precision::F32, Precision::F64] {
            let mut cpu = CpuEngine::new(&filter, 2, block, Precision::F64).unwrap();
            let mut plain = Baseline::new(open(8).unwrap(), &filter, 2, block, precision).unwrap();
            let frames = block * ratio as usize;
            let (mut wanted, mut found) = (vec![vec![0.0; frames]; 2], vec![vec![0.0; frames]; 2]);
            let (mut sum, mut count) = (0.0, 0);
            for number in 0..40 {
                let input = vec![noise(number, block), noise(number + 99, block)];
                process(&mut cpu, &input, &mut wanted);
                plain.process(&input, &mut found, LIMIT).unwrap();
                for (found, wanted) in found.iter().flatten().zip(wanted.iter().flatten()) {
                    sum += (found - wanted) * (found - wanted);
                    count += 1;
                }
            }
            let error = 10.0 * (sum / f64::from(count)).max(1e-40).log10();
            assert!(error < bound(precision) + 10.0, "{ratio} {taps} {precision:?}: {error:.1}");
        }
    }
}

#[test]
fn a_device_lets_nobody_touch_its_buffers_while_it_works() {
    let filter = flat(2, 300);
    let orders = Arc::new(totton_cuda::device::host::Orders::default());
    let device = HostDevice::new(8, Arc::clone(&orders)).unwrap();
    assert!(device.description().name.contains("in a GPU's place"));
    let mut convolver = Convolver::new(device, &filter, 1, 64, Precision::F32).unwrap();
    orders.hangs.store(1, std::sync::atomic::Ordering::SeqCst);
    convolver.submit(&[vec![0.0; 64]]).unwrap();
    let mut output = [vec![0.0; 128]];
    assert!(matches!(convolver.collect(&mut output), Err(Error::Order(_))));
    assert!(matches!(convolver.submit(&[vec![0.0; 64]]), Err(Error::Order(_))));
    let waited = convolver.wait(std::time::Duration::from_millis(20));
    assert!(matches!(waited, Err(Error::Hung { .. })), "{waited:?}");
}
