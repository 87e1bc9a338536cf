//! The partitions of one length: their spectra, the spectra of the input, and
//! the work from an input block to its part of the output.
//!
//! Two channels travel as one complex signal, the first as its real and the
//! second as its imaginary part: the filter is real, so the parts do not mix.
//! The bins `k` and `N - k` share one filter value and its conjugate; they are
//! always handled together, so the filter is stored and loaded once for both.
//!
//! Layout, so that the multiply-accumulate kernel reads everything in order:
//!
//! - filter: `[group][tile][partition][bin of the tile][re, im][lane]`, where a
//!   group is as many branches as the vector has lanes;
//! - input: `[tile][slot][bin of the tile][re, im of k, re, im of N - k]`, the
//!   slots a ring over the partitions, with one more where the output is played late;
//! - bins 0 and N / 2 are their own mirror images and stand apart (`edge`).

use std::sync::Arc;

use realfft::RealFftPlanner;
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use super::buffer::Buffer;
use super::history::History;
use super::mac;
use super::plan;
use super::schedule::{Schedule, Step, schedule};
use super::transform::Inverse;
use crate::Filter;
use crate::simd::{Kernel, Sample, Vector};

/// The partitions of one length. `V` has one lane for each branch of a group.
pub struct Tier<V: Vector> {
    frames: usize,
    partitions: usize,
    /// Spectra of the input that are kept.
    slots: usize,
    groups: usize,
    pairs: usize,
    inverse: Inverse<V::Scalar>,
    forward: Arc<dyn Fft<V::Scalar>>,
    filter: Buffer<V::Scalar>,
    filter_edge: Buffer<V::Scalar>,
    /// Spectra of the input, for each pair.
    input: Vec<Buffer<V::Scalar>>,
    input_edge: Vec<Buffer<V::Scalar>>,
    /// The slot of the newest spectrum.
    newest: usize,
    window: Vec<Complex<V::Scalar>>,
    scratch: Vec<Complex<V::Scalar>>,
    work: Buffer<V::Scalar>,
    /// For each pair, `[frame][group][re, im][lane]`, the one being filled and
    /// the one being played, in turns.
    output: Vec<[Buffer<V::Scalar>; 2]>,
    filling: usize,
    /// The steps of one round: one pair and one group.
    schedule: Schedule,
    /// Cost of one round.
    round_cost: u64,
    /// Round under way: pair times groups plus group; and the step in it.
    round: usize,
    step: usize,
    /// What is to be played was not computed: nobody asked for it until now.
    owes: bool,
}

impl<V: Vector> Tier<V> {
    /// Cuts its part out of the filter. `deferred`: its output is played after the
    /// next input has come in, so one more spectrum is kept for [`Tier::catch_up`].
    pub fn new(filter: &Filter, plan: plan::Tier, pairs: usize, deferred: bool) -> Self {
        let (frames, partitions) = (plan.frames, plan.partitions);
        let slots = partitions + usize::from(deferred);
        let length = 2 * frames;
        let groups = filter.ratio() / V::LANES;
        let inverse = Inverse::new(length);
        let forward = FftPlanner::new().plan_fft_forward(length);
        let schedule = schedule(&inverse, frames / V::TILE, partitions, V::TILE);
        let output = || {
            let buffer = || Buffer::new(frames * groups * 2 * V::LANES);
            [buffer(), buffer()]
        };
        let mut tier = Self {
            filter: Buffer::new(groups * frames * partitions * 2 * V::LANES),
            filter_edge: Buffer::new(groups * partitions * 2 * V::LANES),
            input: (0..pairs).map(|_| Buffer::new(frames * slots * 4)).collect(),
            input_edge: (0..pairs).map(|_| Buffer::new(slots * 4)).collect(),
            newest: 0,
            window: vec![Complex::default(); length],
            scratch: vec![Complex::default(); forward.get_inplace_scratch_len()],
            work: Buffer::new(length * 2 * V::LANES),
            output: (0..pairs).map(|_| output()).collect(),
            filling: 0,
            round_cost: schedule.last().map_or(0, |(_, cost)| *cost),
            schedule,
            round: pairs * groups,
            step: 0,
            owes: false,
            frames,
            partitions,
            slots,
            groups,
            pairs,
            inverse,
            forward,
        };
        tier.store_filter(filter, plan.offset);
        tier
    }

    /// Transforms the partitions, in `f64` whatever the engine computes in. The
    /// scale of the inverse transform is part of the spectra.
    fn store_filter(&mut self, filter: &Filter, offset: usize) {
        let (ratio, length) = (filter.ratio(), 2 * self.frames);
        let transform = RealFftPlanner::<f64>::new().plan_fft_forward(length);
        let (mut time, mut bins) = (transform.make_input_vec(), transform.make_output_vec());
        let mut scratch = transform.make_scratch_vec();
        let scale = 1.0 / length as f64;
        let narrow = |value: f64| V::Scalar::narrow(value * scale);
        let tile_stride = self.partitions * V::TILE * 2 * V::LANES;
        for partition in 0..self.partitions {
            for branch in 0..ratio {
                let (group, lane) = (branch / V::LANES, branch % V::LANES);
                let first = (offset + partition * self.frames) * ratio + branch;
                time.fill(0.0);
                let taps = filter.taps().iter().skip(first).step_by(ratio);
                time.iter_mut().zip(taps.take(self.frames)).for_each(|(slot, tap)| *slot = *tap);
                let done = transform.process_with_scratch(&mut time, &mut bins, &mut scratch);
                debug_assert!(done.is_ok(), "the lengths fit: {done:?}");
                for (bin, value) in bins[..self.frames].iter().enumerate().skip(1) {
                    let tile = group * (self.frames / V::TILE) + bin / V::TILE;
                    let at = tile * tile_stride
                        + (partition * V::TILE + bin % V::TILE) * 2 * V::LANES
                        + lane;
                    self.filter[at] = narrow(value.re);
                    self.filter[at + V::LANES] = narrow(value.im);
                }
                let at = (group * self.partitions + partition) * 2 * V::LANES + lane;
                self.filter_edge[at] = narrow(bins[0].re);
                self.filter_edge[at + V::LANES] = narrow(bins[self.frames].re);
            }
        }
    }

    /// Input frames of a partition.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// How many partitions.
    pub fn partitions(&self) -> usize {
        self.partitions
    }

    /// Bytes of the filter's spectra.
    pub fn filter_bytes(&self) -> usize {
        size_of::<V::Scalar>() * (self.filter.len() + self.filter_edge.len())
    }

    /// Bytes of everything that grows with the filter or the block, but for the
    /// plan of the forward transform, which belongs to its library.
    pub fn state_bytes(&self) -> usize {
        let input: usize = self.input.iter().chain(&self.input_edge).map(|b| b.len()).sum();
        let output: usize = self.output.iter().flatten().map(|b| b.len()).sum();
        let complex = 2 * (self.window.len() + self.scratch.len());
        let samples = input + output + complex + self.work.len();
        let plans = self.inverse.bytes() + size_of_val(&*self.schedule);
        self.filter_bytes() + size_of::<V::Scalar>() * samples + plans
    }

    /// Takes the last two blocks of input and starts the work for the newer one.
    /// What was filled before is now played; what was not filled is owed.
    pub fn begin(&mut self, history: &[History<V::Scalar>]) {
        self.owes = self.round < self.pairs * self.groups;
        self.newest = (self.newest + self.slots - 1) % self.slots;
        self.filling ^= 1;
        for (pair, history) in history.iter().enumerate() {
            history.copy_last(&mut self.window);
            self.forward.process_with_scratch(&mut self.window, &mut self.scratch);
            self.store_input(pair);
        }
        (self.round, self.step) = (0, 0);
    }

    /// Puts the spectrum of the window into the ring.
    fn store_input(&mut self, pair: usize) {
        let (window, length) = (&self.window, self.window.len());
        let stride = self.slots * V::TILE * 4;
        let input = &mut self.input[pair][self.newest * V::TILE * 4..];
        for (tile, bins) in input.chunks_mut(stride).enumerate() {
            for (index, values) in bins[..V::TILE * 4].as_chunks_mut::<4>().0.iter_mut().enumerate()
            {
                let bin = tile * V::TILE + index;
                let (value, mirror) = (window[bin], window[(length - bin) % length]);
                *values = [value.re, value.im, mirror.re, mirror.im];
            }
        }
        let (zero, half) = (window[0], window[self.frames]);
        self.input_edge[pair][self.newest * 4..][..4]
            .copy_from_slice(&[zero.re, zero.im, half.re, half.im]);
    }

    /// Forgets all input.
    pub fn reset(&mut self) {
        self.input.iter_mut().chain(&mut self.input_edge).for_each(|ring| ring.fill_zero());
        self.output.iter_mut().flatten().for_each(|output| output.fill_zero());
        (self.newest, self.filling) = (0, 0);
        (self.round, self.step) = (self.pairs * self.groups, 0);
        self.owes = false;
    }

    /// What is being played of a pair, or what was just filled.
    pub fn output(&self, pair: usize, just_filled: bool) -> &[V::Scalar] {
        &self.output[pair][if just_filled { self.filling } else { self.filling ^ 1 }]
    }

    /// Computes what is played now, if nobody asked for it when its turn was: all
    /// the work of a partition at once.
    ///
    /// # Safety
    ///
    /// The processor has the instruction set of `V`.
    #[inline(always)]
    pub unsafe fn catch_up(&mut self) {
        if self.owes {
            // The work for the newest input has not been begun: `begin` was the last call.
            let newest = self.newest;
            self.newest = (newest + 1) % self.slots;
            self.filling ^= 1;
            // SAFETY: the caller vouches for the instruction set.
            unsafe { self.advance(1, 1) };
            (self.newest, self.filling) = (newest, self.filling ^ 1);
            (self.round, self.step) = (0, 0);
            self.owes = false;
        }
    }

    /// Works until `part` of `parts` of a block's work are done.
    ///
    /// # Safety
    ///
    /// The processor has the instruction set of `V`.
    #[inline(always)]
    pub unsafe fn advance(&mut self, part: usize, parts: usize) {
        let rounds = self.pairs * self.groups;
        let target = (self.round_cost * rounds as u64 * part as u64).div_ceil(parts as u64);
        while self.round < rounds {
            let (step, cost) = self.schedule[self.step];
            if part < parts && self.round as u64 * self.round_cost + cost > target {
                return;
            }
            // SAFETY: the caller vouches for the instruction set.
            unsafe { self.run(step) };
            self.step += 1;
            if self.step == self.schedule.len() {
                (self.round, self.step) = (self.round + 1, 0);
            }
        }
    }

    #[inline(always)]
    unsafe fn run(&mut self, step: Step) {
        let (pair, group) = (self.round / self.groups, self.round % self.groups);
        let work = self.work.as_mut_ptr();
        // SAFETY: the buffers were made for this plan, and the steps cover it.
        unsafe {
            match step {
                Step::Multiply { from, to } => self.multiply(pair, group, from, to),
                Step::Leaves { from, to } => {
                    for leaf in from..to {
                        self.inverse.run_leaf::<V>(work, leaf);
                    }
                }
                Step::Outer { stage, from, to } => {
                    self.inverse.run_outer::<V>(work, stage, from, to);
                }
                Step::Last { from, to } => {
                    let output = self.output[pair][self.filling].as_mut_ptr();
                    let output = output.add(group * 2 * V::LANES);
                    let stride = self.groups * 2 * V::LANES;
                    self.inverse.run_last::<V>(work, output, stride, from, to);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn multiply(&mut self, pair: usize, group: usize, from: usize, to: usize) {
        let tiles = self.frames / V::TILE;
        let filter_stride = self.partitions * V::TILE * 2 * V::LANES;
        let input_stride = self.slots * V::TILE * 4;
        let Self { partitions, slots, newest, .. } = *self;
        let spectra = mac::Spectra { partitions, slots, newest };
        let length = 2 * self.frames;
        let work = self.work.as_mut_ptr();
        // SAFETY: the tiles are inside the buffers, the positions inside the work.
        unsafe {
            for tile in from..to {
                let filter = self.filter.as_ptr().add((group * tiles + tile) * filter_stride);
                let input = self.input[pair].as_ptr().add(tile * input_stride);
                let first = tile * V::TILE;
                let to = |bin: usize| {
                    let mirror = if bin == 0 { length / 2 } else { length - bin };
                    let position = |bin| work.add(self.inverse.position(bin) * 2 * V::LANES);
                    [position(bin), position(mirror)]
                };
                if V::TILE == 4 {
                    let to = [to(first), to(first + 1), to(first + 2), to(first + 3)];
                    mac::tile::<V, 4>(spectra, filter, input, to);
                } else {
                    mac::tile::<V, 2>(spectra, filter, input, [to(first), to(first + 1)]);
                }
                if tile == 0 {
                    let filter = &self.filter_edge[group * self.partitions * 2 * V::LANES..];
                    let input = self.input_edge[pair].as_ptr();
                    mac::edge::<V>(spectra, filter.as_ptr(), input, to(0));
                }
            }
        }
    }
}

impl<T: Sample> Buffer<T> {
    fn fill_zero(&mut self) {
        self.fill(T::default());
    }
}

/// [`Tier::catch_up`] and [`Tier::advance`] with the instruction set on.
pub struct Advance<'a, V: Vector> {
    pub tier: &'a mut Tier<V>,
    pub part: usize,
    pub parts: usize,
}

impl<V: Vector> Kernel<V> for Advance<'_, V> {
    #[inline(always)]
    unsafe fn run(self) {
        // SAFETY: the caller vouches for the instruction set.
        unsafe {
            self.tier.catch_up();
            self.tier.advance(self.part, self.parts);
        }
    }
}
