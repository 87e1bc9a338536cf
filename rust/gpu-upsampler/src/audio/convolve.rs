//! The engine thread: ring → engine → ring.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use totton_dsp::Engine;

use super::flow::Flow;
use super::ring::{FrameReader, FrameWriter};
use super::stream::Orders;
use crate::config::MAX_CHANNELS;

const WAIT: Duration = Duration::from_millis(20);

/// Convolves what comes in until ordered to end.
///
/// While the input is idle and less than `low_water` output frames are left,
/// the engine is given silence: the filter rings out as it would after the
/// last sound, and the DAC does not run dry.
pub(super) fn run(
    engine: &mut dyn Engine,
    mut input: FrameReader,
    mut output: FrameWriter,
    low_water: usize,
    flow: &Flow,
    orders: &Orders,
) {
    let block = engine.block_frames();
    let mut given = vec![vec![0.0; block]; engine.channels()];
    let mut made = vec![vec![0.0; block * engine.ratio()]; engine.channels()];
    let mut filled = 0;
    while !orders.ended() {
        filled += input.read(&mut given, filled..block);
        if filled < block {
            let left = output.level() + flow.queued_frames.load(Relaxed) as usize;
            if !(flow.input_idle.load(Relaxed) && left < low_water) {
                input.wait(WAIT);
                continue;
            }
            given.iter_mut().for_each(|plane| plane[filled..].fill(0.0));
        }
        filled = 0;
        let started = Instant::now();
        process(engine, &given, &mut made);
        flow.engine_nanoseconds.fetch_add(started.elapsed().as_nanos() as u64, Relaxed);
        flow.engine_frames.fetch_add(block as u64, Relaxed);
        let frames = block * engine.ratio();
        let mut written = 0;
        while written < frames && !orders.ended() {
            match output.write(&made, written..frames) {
                0 => output.wait(WAIT),
                done => written += done,
            }
        }
    }
}

/// One block through the engine, without allocating the lists of slices that it wants.
pub(crate) fn process(engine: &mut dyn Engine, given: &[Vec<f64>], made: &mut [Vec<f64>]) {
    let channels = given.len().min(MAX_CHANNELS);
    let mut inputs: [&[f64]; MAX_CHANNELS] = [&[]; MAX_CHANNELS];
    let mut outputs: [&mut [f64]; MAX_CHANNELS] = std::array::from_fn(|_| <&mut [f64]>::default());
    for (slot, plane) in inputs.iter_mut().zip(given) {
        *slot = plane;
    }
    for (slot, plane) in outputs.iter_mut().zip(made) {
        *slot = plane;
    }
    engine.process(&inputs[..channels], &mut outputs[..channels]);
}
