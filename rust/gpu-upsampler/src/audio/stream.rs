//! One running stream: the three audio threads, started and stopped together.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use totton_dsp::Engine;

use super::convolve::Edges;
use super::flow::Flow;
use super::orders::Orders;
use super::realtime::Favour;
use super::resample::Resampler;
use super::ring::frame_ring;
use super::tap::{Tap, Taps};
use super::{capture, convolve, playback, swap};
use crate::device::{CaptureDevice, Layout, PlaybackDevice};
use crate::error::Error;

/// How long fading out and draining may take before it is cut short.
const FADE_LIMIT: Duration = Duration::from_millis(1200);

/// How long the threads may take to end once nothing holds them.
const END_LIMIT: Duration = Duration::from_millis(1000);

/// Input that is held back from the engine, to be faded out when no more comes.
pub(crate) const HOLD: Duration = Duration::from_millis(5);

/// How long a cross-fade between two engines takes.
const CROSSFADE: Duration = Duration::from_millis(100);

/// The longest that an engine hears the input before it is heard.
const WARM_UP_LIMIT: Duration = Duration::from_secs(2);

/// Which end of the stream is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Capture,
    Engine,
    Playback,
}

impl Part {
    fn thread_name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Engine => "engine",
            Self::Playback => "playback",
        }
    }
}

/// A part that could not go on, and why.
#[derive(Debug)]
pub struct Loss {
    pub part: Part,
    pub error: Error,
}

/// What a stream is made of.
pub struct Parts {
    pub capture: Box<dyn CaptureDevice>,
    pub engine: Box<dyn Engine>,
    pub playback: Box<dyn PlaybackDevice>,
    /// Sound wanted in the DAC's buffer before it starts.
    pub prefill: Duration,
    /// Whether the input goes through a resampler.
    pub resample: bool,
    /// Of the device threads; the engine's is one step below.
    pub favour: Favour,
}

/// A running stream. Dropping it orders its threads to end, without waiting.
#[must_use]
pub struct Stream {
    orders: Arc<Orders>,
    threads: Vec<(Part, JoinHandle<Result<(), Error>>)>,
    input: Layout,
    output: Layout,
    swap: swap::Sender,
    shape: Shape,
    /// Frames that the resampler delays the input by.
    resampler_frames: usize,
    flow: Arc<Flow>,
}

/// Channels, ratio and block of an engine.
type Shape = (usize, usize, usize);

fn shape(engine: &dyn Engine) -> Shape {
    (engine.channels(), engine.ratio(), engine.block_frames())
}

fn frames(time: Duration, rate: u32) -> usize {
    (time.as_secs_f64() * f64::from(rate)) as usize
}

/// Where a stream from `input` to `output` can be listened to.
fn taps(input: &Layout, output: &Layout) -> Taps {
    let tap = |layout: &Layout, burst| {
        let frames = totton_dsp::spectrum::frames(layout.rate);
        Arc::new(Tap::new(layout.rate, layout.channels, frames, burst))
    };
    Taps {
        input: tap(input, capture::burst_frames(input)),
        output: tap(output, output.period_frames.max(1)),
    }
}

impl Stream {
    /// Starts the threads.
    ///
    /// # Errors
    /// [`Error::Thread`] when the system gives no thread, [`Error::Engine`] when there can be no
    /// resampler.
    pub fn start(parts: Parts, flow: &Arc<Flow>) -> Result<Self, Error> {
        let Parts { capture, engine, playback, prefill, resample, favour } = parts;
        let (input, output) = (capture.layout().clone(), playback.layout().clone());
        let (channels, block) = (input.channels, engine.block_frames());
        let prefill = output.prefill(prefill);
        let taps = taps(&input, &output);
        let edges = Edges {
            rate: input.rate,
            // And up to a block more: on average as much as while sound is played.
            low_water: prefill + HOLD,
            output_rate: output.rate,
            hold: frames(HOLD, input.rate).max(1),
        };
        let time = |frames: usize| Duration::from_secs_f64(frames as f64 / f64::from(input.rate));
        let pause = capture::Pause::new(prefill, time(block), time(input.period_frames));
        let shape = shape(engine.as_ref());
        let most = capture::burst_frames(&input);
        let resampler = resample.then(|| Resampler::new(channels, most)).transpose()?;
        let resampler_frames = resampler.as_ref().map_or(0, Resampler::delay_frames);
        // Two blocks on each side: one being filled while the other is being emptied.
        let (to_engine, from_capture) =
            frame_ring(channels, 2 * block.max(4 * input.period_frames) + edges.hold);
        let (to_playback, from_engine) = frame_ring(channels, 2 * block * engine.ratio());
        flow.input_idle.store(false, Ordering::Relaxed);
        flow.rate_changed.store(false, Ordering::Relaxed);
        flow.rate_is_foreign.store(false, Ordering::Relaxed);
        flow.level.reset();
        flow.queued_frames.store(0, Ordering::Relaxed);

        flow.observe(engine.watch());
        let (swap, successors) = swap::way();
        let orders = Arc::new(Orders::default());
        let flow_too = Arc::clone(flow);
        let mut stream = Self {
            orders,
            threads: Vec::new(),
            input,
            output,
            swap,
            shape,
            resampler_frames,
            flow: flow_too,
        };
        let tap = Arc::clone(&taps.output);
        stream.spawn(Part::Playback, favour.clone(), flow, move |flow, orders| {
            playback::run(playback, from_engine, &tap, flow, orders)
        })?;
        // Below the devices' threads: those only move frames and must do it in time.
        stream.spawn(Part::Engine, favour.lower(), flow, move |flow, orders| {
            convolve::run(engine, successors, from_capture, to_playback, edges, flow, orders);
            flow.observe(None);
            Ok(())
        })?;
        let tap = Arc::clone(&taps.input);
        stream.spawn(Part::Capture, favour, flow, move |flow, orders| {
            capture::run(capture, resampler, pause, to_engine, &tap, flow, orders)
        })?;
        flow.show(Some(taps));
        flow.stream_starts.fetch_add(1, Ordering::Relaxed);
        Ok(stream)
    }

    fn spawn(
        &mut self,
        part: Part,
        favour: Favour,
        flow: &Arc<Flow>,
        work: impl FnOnce(&Flow, &Orders) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let (flow, orders) = (Arc::clone(flow), Arc::clone(&self.orders));
        let thread = thread::Builder::new()
            .name(part.thread_name().to_owned())
            .spawn(move || {
                favour.this_thread();
                work(&flow, &orders)
            })
            .map_err(|source| Error::Thread { name: part.thread_name(), source })?;
        self.threads.push((part, thread));
        Ok(())
    }

    /// The open input.
    pub fn input(&self) -> &Layout {
        &self.input
    }

    /// What the resampler delays the input by; nothing where there is none.
    pub fn resampler_delay(&self) -> Duration {
        Duration::from_secs_f64(self.resampler_frames as f64 / f64::from(self.input.rate.max(1)))
    }

    /// The open DAC.
    pub fn output(&self) -> &Layout {
        &self.output
    }

    /// Fades another engine in while the sound goes on. It first hears the input
    /// for as long as its filter is, `filter_frames` input frames: what it gives is
    /// then what it would have given from the start.
    ///
    /// # Errors
    /// [`Error::Engine`] when its shape is another, or the last one is still fading in.
    pub fn swap_engine(
        &mut self,
        engine: Box<dyn Engine>,
        filter_frames: usize,
    ) -> Result<(), Error> {
        let refuse = |reason| Err(Error::Engine { reason });
        if shape(engine.as_ref()) != self.shape {
            return refuse("it has other channels, another ratio or block".to_owned());
        }
        let rate = self.input.rate;
        let warm_up = filter_frames.min(frames(WARM_UP_LIMIT, rate));
        let watch = engine.watch();
        if !self.swap.give(engine, warm_up, frames(CROSSFADE, rate)) {
            return refuse("another one is still fading in; try again in some seconds".to_owned());
        }
        self.flow.observe(watch);
        Ok(())
    }

    /// Frees what has been replaced; to be called now and then.
    pub fn free_retired(&mut self) {
        self.swap.free_retired();
    }

    /// Begins to fade out; [`Stream::stop`] then has less to wait for.
    pub fn fade(&self) {
        self.orders.fade();
    }

    /// A part that has ended by itself, if any.
    pub fn loss(&mut self) -> Option<Loss> {
        let ended = self.threads.iter().position(|(_, thread)| thread.is_finished())?;
        let (part, thread) = self.threads.swap_remove(ended);
        let died = || Error::ThreadDied { name: part.thread_name() };
        let error = match thread.join() {
            Ok(Ok(())) | Err(_) => died(),
            Ok(Err(error)) => error,
        };
        Some(Loss { part, error })
    }

    /// Fades out, plays what is left, and ends the threads.
    ///
    /// # Errors
    /// The part whose thread does not end: a device call is stuck. Its thread
    /// is left alone, and the device with it.
    pub fn stop(self) -> Result<(), Part> {
        self.fade();
        self.wait_until(FADE_LIMIT, |(part, thread)| {
            *part != Part::Playback || thread.is_finished()
        });
        self.orders.end();
        self.wait_until(END_LIMIT, |(_, thread)| thread.is_finished());
        match self.threads.iter().find(|(_, thread)| !thread.is_finished()) {
            Some((part, _)) => Err(*part),
            None => Ok(()),
        }
    }

    fn wait_until(
        &self,
        limit: Duration,
        done: impl Fn(&(Part, JoinHandle<Result<(), Error>>)) -> bool,
    ) {
        let deadline = Instant::now() + limit;
        while !self.threads.iter().all(&done) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.flow.show(None);
        self.orders.end();
    }
}
