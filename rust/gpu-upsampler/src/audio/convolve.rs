//! The engine thread: ring → engine → ring.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use totton_dsp::{Crossfade, Engine};

use super::flow::Flow;
use super::gain::mix::Mix;
use super::orders::Orders;
use super::ring::{FrameReader, FrameWriter};
use super::swap::Receiver;
use crate::config::MAX_CHANNELS;

const WAIT: Duration = Duration::from_millis(20);

/// The shortest wait for the time when silence is due.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// How the engine's thread treats the sound's edges.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edges {
    /// While the input is idle and what is left of the sound lasts no longer than
    /// this, the engine is given silence: the filter rings out as it would after the
    /// last sound, and the DAC neither runs dry nor waits in vain for its prefill. What
    /// the host sends next is then as late as before the pause.
    pub(super) low_water: Duration,
    /// The input's rate in Hz.
    pub(super) rate: u32,
    /// The DAC's rate in Hz.
    pub(super) output_rate: u32,
    /// So many input frames are held back from the engine. When the input stops
    /// they fade out: a host that stops in the middle of a wave makes no click.
    pub(super) hold: usize,
}

/// Convolves what comes in until ordered to end.
pub(super) fn run(
    engine: Box<dyn Engine>,
    mut swap: Receiver,
    mut input: FrameReader,
    mut output: FrameWriter,
    edges: Edges,
    flow: &Flow,
    orders: &Orders,
) {
    let mut engine = Crossfade::new(engine);
    let mut mix = Mix::new(edges.rate);
    let block = engine.block_frames();
    let mut given = vec![vec![0.0; block]; engine.channels()];
    let mut made = vec![vec![0.0; block * engine.ratio()]; engine.channels()];
    let mut filled = 0;
    while !orders.ended() {
        swap.turn(&mut engine, flow);
        filled += input.read(&mut given, filled..block);
        let rest = input.level();
        if filled < block || rest < edges.hold {
            if !flow.is_idle() {
                input.wait(WAIT);
                continue;
            }
            let spare = left(&output, flow, edges.output_rate).saturating_sub(edges.low_water);
            if !(orders.fading() || spare.is_zero()) {
                input.wait(spare.clamp(SHORTEST_WAIT, WAIT));
                continue;
            }
            fade_out(&mut given, filled, rest, edges.hold);
            given.iter_mut().for_each(|plane| plane[filled..].fill(0.0));
            flow.level.silence((block - filled) as f64 / f64::from(edges.rate));
        }
        filled = 0;
        mix.apply(&mut given, &flow.wishes);
        let started = Instant::now();
        process(&mut engine, &given, &mut made);
        let took = started.elapsed();
        flow.blocks.note(block, took);
        flow.recorded_blocks.note(block, took);
        flow.engine_nanoseconds.fetch_add(took.as_nanos() as u64, Relaxed);
        flow.engine_frames.fetch_add(block as u64, Relaxed);
        let frames = block * engine.ratio();
        flow.from_engine.note(&output);
        let mut written = 0;
        while written < frames && !orders.ended() {
            match output.write(&made, written..frames) {
                0 => output.wait(WAIT),
                done => written += done,
            }
        }
    }
}

/// How long the sound lasts that has left the engine.
fn left(output: &FrameWriter, flow: &Flow, rate: u32) -> Duration {
    let time = |frames: f64| Duration::from_secs_f64(frames / f64::from(rate));
    // A DAC that only fills loses nothing.
    let filled = || time(flow.queued_frames.load(Relaxed) as f64);
    time(output.level() as f64) + flow.level.dac_lasts().unwrap_or_else(filled)
}

/// Fades the last `hold` frames before the silence out, as far as they are among
/// the first `filled` of `planes`; `rest` more come after these.
fn fade_out(planes: &mut [Vec<f64>], filled: usize, rest: usize, hold: usize) {
    // Frames of these planes that have at least `hold` frames behind them.
    let whole = (filled + rest).saturating_sub(hold).min(filled);
    for plane in planes {
        for (frame, sample) in plane[..filled].iter_mut().enumerate().skip(whole) {
            *sample *= (filled + rest - 1 - frame) as f64 / hold as f64;
        }
    }
}

/// One block through the engine, without allocating the lists of slices that it wants.
fn process(engine: &mut dyn Engine, given: &[Vec<f64>], made: &mut [Vec<f64>]) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_fades_over_the_frames_held_back_also_across_blocks() {
        let (hold, block) = (10, 16);
        for total in [0, 3, 10, 16, 20, 25] {
            let mut seen = vec![];
            let mut left = total;
            while left > 0 {
                let filled = left.min(block);
                let mut planes = vec![vec![1.0; block]];
                fade_out(&mut planes, filled, left - filled, hold);
                seen.extend_from_slice(&planes[0][..filled]);
                left -= filled;
            }
            let expected: Vec<f64> =
                (0..total).rev().map(|behind| (behind as f64 / 10.0).min(1.0)).collect();
            assert_eq!(seen, expected, "{total}");
        }
    }
}
