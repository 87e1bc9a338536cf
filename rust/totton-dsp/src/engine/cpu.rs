//! The convolution on the processor: polyphase, uniformly partitioned
//! overlap-save at the input rate.
//!
//! The output frame `n * ratio + p` is the convolution of the input with every
//! `ratio`-th tap from tap `p` on. So the filter is `ratio` branches that all
//! run at the input rate and share the input's spectra; each branch is cut into
//! partitions of one block.

use std::sync::Arc;

use realfft::{ComplexToReal, FftNum, RealFftPlanner, RealToComplex};
use rustfft::num_complex::Complex;

use super::{Engine, MAX_CHANNELS, Precision, check_shape};
use crate::{Error, Filter};

/// The blocks that [`CpuEngine`] can be made for: powers of two in this range.
pub const BLOCK_FRAMES: std::ops::RangeInclusive<usize> = 16..=65_536;

/// The convolution on the processor. See [`Engine`] for the real-time contract.
pub struct CpuEngine {
    inner: Box<dyn Engine>,
}

impl CpuEngine {
    /// Prepares a filter for `channels` channels and blocks of `block_frames` input frames.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when `channels` is 0 or above [`MAX_CHANNELS`], or `block_frames` is
    /// not a power of two within [`BLOCK_FRAMES`].
    pub fn new(
        filter: &Filter,
        channels: usize,
        block_frames: usize,
        precision: Precision,
    ) -> Result<Self, Error> {
        if !(1..=MAX_CHANNELS).contains(&channels) {
            return Err(Error::invalid(
                "channels",
                channels,
                format!("accepted is 1 to {MAX_CHANNELS}"),
            ));
        }
        if !(BLOCK_FRAMES.contains(&block_frames) && block_frames.is_power_of_two()) {
            let (low, high) = (BLOCK_FRAMES.start(), BLOCK_FRAMES.end());
            let accepted = format!("accepted are the powers of two from {low} to {high}");
            return Err(Error::invalid("block", block_frames, accepted));
        }
        let inner: Box<dyn Engine> = match precision {
            Precision::F32 => Box::new(Uniform::<f32>::new(filter, channels, block_frames)),
            Precision::F64 => Box::new(Uniform::<f64>::new(filter, channels, block_frames)),
        };
        Ok(Self { inner })
    }
}

impl Engine for CpuEngine {
    fn channels(&self) -> usize {
        self.inner.channels()
    }
    fn ratio(&self) -> usize {
        self.inner.ratio()
    }
    fn block_frames(&self) -> usize {
        self.inner.block_frames()
    }
    fn latency_frames(&self) -> usize {
        self.inner.latency_frames()
    }
    fn process(&mut self, input: &[&[f64]], output: &mut [&mut [f64]]) {
        self.inner.process(input, output);
    }
    fn reset(&mut self) {
        self.inner.reset();
    }
}

/// A floating point that the engine computes in.
trait Sample: FftNum + Default {
    fn narrow(value: f64) -> Self;
    fn widen(self) -> f64;
}

impl Sample for f32 {
    fn narrow(value: f64) -> Self {
        value as f32
    }
    fn widen(self) -> f64 {
        f64::from(self)
    }
}

impl Sample for f64 {
    fn narrow(value: f64) -> Self {
        value
    }
    fn widen(self) -> f64 {
        self
    }
}

/// What one channel remembers.
struct Channel<T> {
    /// The last two blocks of input.
    window: Vec<T>,
    /// Spectra of the windows, a ring over the partitions.
    spectra: Vec<Vec<Complex<T>>>,
}

struct Uniform<T: Sample> {
    ratio: usize,
    block: usize,
    forward: Arc<dyn RealToComplex<T>>,
    inverse: Arc<dyn ComplexToReal<T>>,
    /// Filter spectra, `[partition][phase]`.
    filter: Vec<Vec<Vec<Complex<T>>>>,
    channels: Vec<Channel<T>>,
    /// Where the newest spectrum is in the rings.
    newest: usize,
    sum: Vec<Complex<T>>,
    time: Vec<T>,
    scratch: Vec<Complex<T>>,
}

impl<T: Sample> Uniform<T> {
    fn new(filter: &Filter, channels: usize, block: usize) -> Self {
        let mut planner = RealFftPlanner::<T>::new();
        let (forward, inverse) =
            (planner.plan_fft_forward(2 * block), planner.plan_fft_inverse(2 * block));
        let ratio = filter.ratio();
        let partitions = filter.taps().len().div_ceil(ratio).div_ceil(block);
        let scratch =
            vec![Complex::default(); forward.get_scratch_len().max(inverse.get_scratch_len())];
        let mut engine = Self {
            ratio,
            block,
            filter: Vec::new(),
            channels: Vec::new(),
            newest: 0,
            sum: forward.make_output_vec(),
            time: forward.make_input_vec(),
            scratch,
            forward,
            inverse,
        };
        for partition in 0..partitions {
            let phases = (0..ratio).map(|phase| engine.branch(filter, partition, phase));
            let phases = phases.collect();
            engine.filter.push(phases);
        }
        engine.channels = (0..channels)
            .map(|_| Channel {
                window: vec![T::default(); 2 * block],
                spectra: vec![engine.forward.make_output_vec(); partitions],
            })
            .collect();
        engine
    }

    /// The spectrum of one partition of one polyphase branch, with the scale of
    /// the inverse transform in it.
    fn branch(&mut self, filter: &Filter, partition: usize, phase: usize) -> Vec<Complex<T>> {
        let scale = 1.0 / (2 * self.block) as f64;
        let first = partition * self.block * self.ratio + phase;
        let mut time = self.forward.make_input_vec();
        let taps = filter.taps().iter().skip(first).step_by(self.ratio);
        for (slot, tap) in time.iter_mut().zip(taps.take(self.block)) {
            *slot = T::narrow(tap * scale);
        }
        let mut spectrum = self.forward.make_output_vec();
        let done = self.forward.process_with_scratch(&mut time, &mut spectrum, &mut self.scratch);
        debug_assert!(done.is_ok(), "the lengths fit: {done:?}");
        spectrum
    }
}

impl<T: Sample> Engine for Uniform<T> {
    fn channels(&self) -> usize {
        self.channels.len()
    }
    fn ratio(&self) -> usize {
        self.ratio
    }
    fn block_frames(&self) -> usize {
        self.block
    }
    fn latency_frames(&self) -> usize {
        0
    }

    fn process(&mut self, input: &[&[f64]], output: &mut [&mut [f64]]) {
        check_shape(self, input, output);
        let partitions = self.filter.len();
        self.newest = (self.newest + partitions - 1) % partitions;
        for (channel, (input, output)) in
            self.channels.iter_mut().zip(input.iter().zip(output.iter_mut()))
        {
            channel.window.copy_within(self.block.., 0);
            for (slot, &sample) in channel.window[self.block..].iter_mut().zip(*input) {
                *slot = T::narrow(if sample.is_finite() { sample } else { 0.0 });
            }
            self.time.copy_from_slice(&channel.window);
            let newest = &mut channel.spectra[self.newest];
            let done = self.forward.process_with_scratch(&mut self.time, newest, &mut self.scratch);
            debug_assert!(done.is_ok(), "the lengths fit: {done:?}");
            for phase in 0..self.ratio {
                self.sum.fill(Complex::default());
                for (partition, branches) in self.filter.iter().enumerate() {
                    let spectrum = &channel.spectra[(self.newest + partition) % partitions];
                    for ((sum, x), h) in self.sum.iter_mut().zip(spectrum).zip(&branches[phase]) {
                        *sum = *sum + *x * *h;
                    }
                }
                // Rounding may leave traces here that the inverse transform refuses.
                self.sum[0].im = T::default();
                self.sum[self.block].im = T::default();
                let done = self.inverse.process_with_scratch(
                    &mut self.sum,
                    &mut self.time,
                    &mut self.scratch,
                );
                debug_assert!(done.is_ok(), "the lengths fit: {done:?}");
                let frames = output.iter_mut().skip(phase).step_by(self.ratio);
                for (slot, value) in frames.zip(&self.time[self.block..]) {
                    *slot = value.widen();
                }
            }
        }
    }

    fn reset(&mut self) {
        for channel in &mut self.channels {
            channel.window.fill(T::default());
            channel.spectra.iter_mut().for_each(|spectrum| spectrum.fill(Complex::default()));
        }
    }
}
