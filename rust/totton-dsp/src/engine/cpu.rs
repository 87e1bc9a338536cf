//! The convolution on the processor: polyphase, partitioned overlap-save at the
//! input rate.
//!
//! The output frame `n * ratio + p` is the convolution of the input with every
//! `ratio`-th tap from tap `p` on. So the filter is `ratio` branches that all
//! run at the input rate and share the input's spectra. The branches are the
//! lanes of the vectors: see [`super::transform`] and [`super::mac`]. How the
//! branches are cut into partitions is in [`super::plan`].

use super::history::History;
use super::plan::{MAX_TIERS, Partitioning, plan};
use super::tier::{Advance, Tier};
use super::{Engine, MAX_CHANNELS, Precision, check_input, check_output};
use crate::simd::plain::Plain;
use crate::simd::{Isa, Kernel, Vector};
use crate::{Error, Filter};

/// The blocks that [`CpuEngine`] can be made for: powers of two in this range.
pub const BLOCK_FRAMES: std::ops::RangeInclusive<usize> = 16..=65_536;

/// How [`CpuEngine`] computes, for measurements and tests; the default is what
/// is fastest on this processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuOptions {
    /// The instruction set.
    pub isa: Isa,
    /// How the filter is cut.
    pub partitioning: Partitioning,
}

impl Default for CpuOptions {
    fn default() -> Self {
        Self { isa: Isa::detect(), partitioning: Partitioning::default() }
    }
}

/// The convolution on the processor. See [`Engine`] for the real-time contract.
pub struct CpuEngine {
    inner: Box<dyn Convolver>,
}

impl CpuEngine {
    /// Prepares a filter for `channels` channels and blocks of `block_frames` input frames.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when `channels` is 0 or above [`MAX_CHANNELS`], or
    /// `block_frames` is not a power of two within [`BLOCK_FRAMES`].
    pub fn new(
        filter: &Filter,
        channels: usize,
        block_frames: usize,
        precision: Precision,
    ) -> Result<Self, Error> {
        Self::with_options(filter, channels, block_frames, precision, CpuOptions::default())
    }

    /// As [`CpuEngine::new`], with a choice of how it computes.
    ///
    /// # Errors
    ///
    /// As [`CpuEngine::new`], and when the processor lacks the instruction set.
    pub fn with_options(
        filter: &Filter,
        channels: usize,
        block_frames: usize,
        precision: Precision,
        options: CpuOptions,
    ) -> Result<Self, Error> {
        if !(1..=MAX_CHANNELS).contains(&channels) {
            let accepted = format!("accepted is 1 to {MAX_CHANNELS}");
            return Err(Error::invalid("channels", channels, accepted));
        }
        if !(BLOCK_FRAMES.contains(&block_frames) && block_frames.is_power_of_two()) {
            let (low, high) = (BLOCK_FRAMES.start(), BLOCK_FRAMES.end());
            let accepted = format!("accepted are the powers of two from {low} to {high}");
            return Err(Error::invalid("block", block_frames, accepted));
        }
        if !Isa::available().contains(&options.isa) {
            let accepted = format!("this processor has {:?}", Isa::available());
            return Err(Error::invalid("instruction set", options.isa, accepted));
        }
        let shape = Shape { channels, block: block_frames, partitioning: options.partitioning };
        let inner = match precision {
            Precision::F32 => shape.f32(filter, options.isa),
            Precision::F64 => shape.f64(filter, options.isa),
        };
        Ok(Self { inner })
    }

    /// Bytes of the filter's spectra.
    #[must_use]
    pub fn filter_bytes(&self) -> usize {
        self.inner.filter_bytes()
    }

    /// Bytes of the filter's spectra and everything else that the engine keeps.
    #[must_use]
    pub fn state_bytes(&self) -> usize {
        self.inner.state_bytes()
    }

    /// Whether only silence is left to be heard: the output is zero until something else comes in,
    /// and nothing is computed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.inner.is_idle()
    }

    /// The partitions: input frames of each, and how many.
    #[must_use]
    pub fn partitions(&self) -> Vec<(usize, usize)> {
        self.inner.partitions()
    }

    /// Takes one block of input as [`Engine::process`] does, and computes no output:
    /// the engine stays ready to take over from another one, at the cost of the
    /// input's transforms alone. The real-time contract holds.
    ///
    /// # Panics
    ///
    /// When the slices do not have the shape that [`Engine::process`] asks for.
    pub fn listen(&mut self, input: &[&[f64]]) {
        self.inner.listen(input);
    }

    /// The output of the block last listened to: `listen` and `render` are the two
    /// halves of [`Engine::process`], to the bit, whatever blocks were not rendered
    /// before. The first call after such blocks also does the work of long
    /// partitions that were under way: up to twice the time of a partition's blocks.
    ///
    /// # Panics
    ///
    /// When the slices do not have the shape that [`Engine::process`] asks for.
    pub fn render(&mut self, output: &mut [&mut [f64]]) {
        self.inner.render(output);
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

/// An engine that can tell its size and does its work in two halves.
trait Convolver: Engine {
    fn filter_bytes(&self) -> usize;
    fn state_bytes(&self) -> usize;
    fn partitions(&self) -> Vec<(usize, usize)>;
    fn is_idle(&self) -> bool;
    fn listen(&mut self, input: &[&[f64]]);
    fn render(&mut self, output: &mut [&mut [f64]]);
}

struct Shape {
    channels: usize,
    block: usize,
    partitioning: Partitioning,
}

impl Shape {
    /// The convolver with the widest vectors that the ratio fills.
    fn f32(self, filter: &Filter, isa: Isa) -> Box<dyn Convolver> {
        match (isa, filter.ratio()) {
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512, 16) => self.make::<crate::simd::x86::F32x16>(filter),
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512 | Isa::Avx2, 8 | 16) => self.make::<crate::simd::x86::F32x8>(filter),
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512 | Isa::Avx2, 4) => self.make::<crate::simd::x86::F32x4>(filter),
            #[cfg(target_arch = "aarch64")]
            (Isa::Neon, 4..) => self.make::<crate::simd::neon::F32x4>(filter),
            (_, 4..) => self.make::<Plain<f32, 4>>(filter),
            (_, 2) => self.make::<Plain<f32, 2>>(filter),
            _ => self.make::<Plain<f32, 1>>(filter),
        }
    }

    fn f64(self, filter: &Filter, isa: Isa) -> Box<dyn Convolver> {
        match (isa, filter.ratio()) {
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512, 8 | 16) => self.make::<crate::simd::x86::F64x8>(filter),
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512 | Isa::Avx2, 4..) => self.make::<crate::simd::x86::F64x4>(filter),
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512 | Isa::Avx2, 2) => self.make::<crate::simd::x86::F64x2>(filter),
            #[cfg(target_arch = "aarch64")]
            (Isa::Neon, 2..) => self.make::<crate::simd::neon::F64x2>(filter),
            (_, 2..) => self.make::<Plain<f64, 2>>(filter),
            _ => self.make::<Plain<f64, 1>>(filter),
        }
    }

    fn make<V: Vector>(self, filter: &Filter) -> Box<dyn Convolver> {
        let ratio = filter.ratio();
        let pairs = self.channels.div_ceil(2);
        let frame_bytes = 2 * ratio * size_of::<V::Scalar>();
        let branch = filter.taps().len().div_ceil(ratio);
        let cut = plan(branch, self.block, self.partitioning, frame_bytes);
        let longest = cut.iter().map(|tier| tier.frames).max().unwrap_or(self.block);
        // Its spectra, the two blocks that one of them covers, and the two outputs.
        let memory = |tier: &super::plan::Tier| (tier.partitions + 5) * tier.frames;
        let mut tiers =
            cut.iter().enumerate().map(|(index, plan)| Tier::new(filter, *plan, pairs, index > 0));
        Box::new(Lanes::<V> {
            channels: self.channels,
            ratio,
            block: self.block,
            first: tiers.next().unwrap_or_else(|| unreachable!("a plan has a tier")),
            deferred: tiers.collect(),
            history: (0..pairs).map(|_| History::new(2 * longest)).collect(),
            calls: 0,
            memory: cut.iter().map(memory).max().unwrap_or_default(),
            // A new engine has heard nothing.
            silent: usize::MAX,
        })
    }
}

/// The convolution with vectors of `V`.
struct Lanes<V: Vector> {
    channels: usize,
    ratio: usize,
    block: usize,
    /// Partitions of one block; their output is needed at once.
    first: Tier<V>,
    /// Longer partitions, whose work is spread over the calls of a partition.
    deferred: Vec<Tier<V>>,
    /// For each pair of channels.
    history: Vec<History<V::Scalar>>,
    /// Blocks that came in since the start.
    calls: u64,
    /// Input frames after which nothing is left of what came before.
    memory: usize,
    /// Frames of silence at the end of the input.
    silent: usize,
}

impl<V: Vector> Convolver for Lanes<V> {
    fn filter_bytes(&self) -> usize {
        self.tiers().map(Tier::filter_bytes).sum()
    }
    fn state_bytes(&self) -> usize {
        let history: usize = self.history.iter().map(History::bytes).sum();
        self.tiers().map(Tier::state_bytes).sum::<usize>() + history
    }
    fn partitions(&self) -> Vec<(usize, usize)> {
        self.tiers().map(|tier| (tier.frames(), tier.partitions())).collect()
    }

    fn is_idle(&self) -> bool {
        self.silent > self.memory
    }

    fn listen(&mut self, input: &[&[f64]]) {
        check_input(self, input);
        if input.iter().any(|channel| channel.iter().any(|sample| *sample != 0.0)) {
            self.silent = 0;
        } else {
            self.silent = self.silent.saturating_add(self.block);
        }
        if self.is_idle() {
            // Everything in here is 0, and would be again; what goes on is the clock of the partitions.
            self.calls += 1;
            return;
        }
        for (history, channels) in self.history.iter_mut().zip(input.chunks(2)) {
            history.push(channels[0], channels.get(1).copied());
        }
        self.calls += 1;
        for tier in &mut self.deferred {
            // A partition is whole in the last call of each round of calls.
            if self.calls.is_multiple_of((tier.frames() / self.block) as u64) {
                tier.begin(&self.history);
            }
        }
        self.first.begin(&self.history);
    }

    fn render(&mut self, output: &mut [&mut [f64]]) {
        check_output(self, output);
        if self.is_idle() {
            output.iter_mut().for_each(|channel| channel.fill(0.0));
            return;
        }
        let mut offsets = [0; MAX_TIERS];
        for (tier, offset) in self.deferred.iter_mut().zip(&mut offsets) {
            let parts = tier.frames() / self.block;
            let part = self.calls as usize % parts;
            *offset = part * self.block;
            Self::enter(Advance { tier, part: part + 1, parts });
        }
        Self::enter(Advance { tier: &mut self.first, part: 1, parts: 1 });
        for (pair, output) in output.chunks_mut(2).enumerate() {
            let (first, second) = output.split_at_mut(1);
            Self::enter(Emit {
                engine: self,
                pair,
                offsets: &offsets,
                first: first[0],
                second: second.first_mut().map(|samples| &mut **samples),
            });
        }
    }
}

impl<V: Vector> Lanes<V> {
    fn tiers(&self) -> impl Iterator<Item = &Tier<V>> {
        std::iter::once(&self.first).chain(&self.deferred)
    }

    /// Runs a kernel with the instruction set of `V`.
    fn enter(kernel: impl Kernel<V>) {
        // SAFETY: `CpuEngine::with_options` made sure that the processor has the
        // instruction set that `V` was chosen for.
        unsafe { V::run(kernel) }
    }
}

impl<V: Vector> Engine for Lanes<V> {
    fn channels(&self) -> usize {
        self.channels
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
        self.listen(input);
        self.render(output);
    }

    fn reset(&mut self) {
        self.first.reset();
        self.deferred.iter_mut().for_each(Tier::reset);
        self.history.iter_mut().for_each(History::reset);
        self.calls = 0;
        self.silent = usize::MAX;
    }
}

/// Adds the tiers up and splits the complex signal into its two channels.
struct Emit<'a, V: Vector> {
    engine: &'a Lanes<V>,
    pair: usize,
    /// Where each deferred tier is in what it plays, in frames.
    offsets: &'a [usize; MAX_TIERS],
    first: &'a mut [f64],
    second: Option<&'a mut [f64]>,
}

impl<V: Vector> Kernel<V> for Emit<'_, V> {
    #[inline(always)]
    unsafe fn run(self) {
        let engine = self.engine;
        let groups = engine.ratio / V::LANES;
        let vectors = engine.block * groups;
        let fresh = engine.first.output(self.pair, true).as_ptr();
        let mut played = [fresh; MAX_TIERS];
        let played = &mut played[..engine.deferred.len()];
        for ((from, tier), offset) in played.iter_mut().zip(&engine.deferred).zip(self.offsets) {
            *from = tier.output(self.pair, false)[offset * engine.ratio * 2..].as_ptr();
        }
        let first = self.first.as_mut_ptr();
        let second = self.second.map(|samples| samples.as_mut_ptr());
        for vector in 0..vectors {
            let at = vector * 2 * V::LANES;
            // SAFETY: all outputs have `block * ratio` lanes for each part from
            // their offset on, and `check_shape` made sure of the slices.
            unsafe {
                let mut re = V::load(fresh.add(at));
                let mut im = V::load(fresh.add(at + V::LANES));
                for from in &*played {
                    re = re.add(V::load(from.add(at)));
                    im = im.add(V::load(from.add(at + V::LANES)));
                }
                re.store_wide(first.add(vector * V::LANES));
                if let Some(second) = second {
                    im.store_wide(second.add(vector * V::LANES));
                }
            }
        }
    }
}
