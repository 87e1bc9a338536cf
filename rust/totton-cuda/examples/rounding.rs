//! What the kernels' sums round in `f32`, on the processor: the kernels' own source and
//! order of additions against the CPU engine in `f64`.
//!
//! `cargo run --release -p totton-cuda --features host-device --example rounding -- TAPS BLOCK...`

// A measurement that cannot be made has nothing better to do than to stop.
#![allow(clippy::expect_used)]

use std::time::Duration;

use totton_cuda::Convolver;
use totton_cuda::device::host::HostDevice;
use totton_dsp::{CpuEngine, DesignSpec, Filter, Origin, Phase, Precision, design};

const RATIO: usize = 16;
/// Blocks that are compared, once the whole filter is in use.
const COMPARED: usize = 4;

/// Noise within full scale (xorshift64).
fn noise(state: &mut u64, length: usize) -> Vec<f64> {
    let mut next = || {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state as i64 as f64 / i64::MAX as f64
    };
    (0..length).map(|_| next()).collect()
}

fn error_dbfs(filter: &Filter, block: usize) -> f64 {
    let mut cpu = CpuEngine::new(filter, 1, block, Precision::F64).expect("a shape");
    let device = HostDevice::new(8, std::sync::Arc::default()).expect("a C compiler");
    let mut ours = Convolver::new(device, filter, 1, block, Precision::F32).expect("a shape");
    let blocks = filter.taps().len().div_ceil(RATIO * block) + COMPARED;
    let mut state = 88_172_645_463_325_252;
    let (mut wanted, mut found) = (vec![0.0; block * RATIO], vec![vec![0.0; block * RATIO]]);
    let (mut sum, mut count) = (0.0, 0);
    for number in 0..blocks {
        let input = [noise(&mut state, block)];
        cpu.listen(&[&input[0]]);
        ours.submit(&input).expect("the device works");
        ours.wait(Duration::from_secs(60)).expect("the device works");
        if number + COMPARED >= blocks {
            cpu.render(&mut [&mut wanted]);
            ours.collect(&mut found).expect("the device works");
            sum += wanted.iter().zip(&found[0]).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
            count += wanted.len();
        }
    }
    10.0 * (sum / count as f64).log10()
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|word| word.parse().ok());
    let taps: usize = arguments.next().unwrap_or(640_000);
    let mut blocks: Vec<usize> = arguments.collect();
    if blocks.is_empty() {
        blocks = vec![64, 1024];
    }
    let spec = |phase| DesignSpec { taps, ratio: RATIO as u32, phase, ..DesignSpec::default() };
    let designed = |phase| design(&spec(phase), &mut |_, _| {}).expect("a good design");
    let mut state = 1;
    // At the level of the input, as the designed ones are.
    let scale = (RATIO as f64 / taps as f64).sqrt();
    let flat = noise(&mut state, taps).iter().map(|tap| tap * scale * 3f64.sqrt()).collect();
    let origin = Origin::Imported { source: "noise".into() };
    let flat = Filter::new(44_100, RATIO as u32, Phase::Unknown, origin, flat).expect("valid");
    let mut filters = vec![("noise", flat), ("linear", designed(Phase::Linear))];
    // Longer ones take too much memory to design.
    if taps <= 2_000_000 {
        filters.push(("minimum", designed(Phase::Minimum)));
    }
    for (name, filter) in &filters {
        for &block in &blocks {
            println!("{taps} taps, {name}, block {block}: {:.1} dBFS", error_dbfs(filter, block));
        }
    }
}
