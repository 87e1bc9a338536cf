//! How a filter and a block are laid out for the kernels.

use totton_dsp::{Filter, Precision};

use crate::Error;
use crate::device::launch::{LANES, WARPS, widest};

/// Blocks that the GPU engine can be made for: powers of two in this range.
pub const BLOCK_FRAMES: std::ops::RangeInclusive<usize> = 64..=65_536;

/// The most partitions that one thread sums in a row. Longer sums round more, and
/// `f32` would miss -134 dBFS: docs/gpu.md says how that was seen.
const LONGEST_SUM: usize = 32;

/// Partitions of a chunk, at least: each chunk costs the traffic of four of them.
const LEAST_CHUNK: usize = 32;

/// So many partitions are one chunk: to sum several takes longer than what they save.
const UNDIVIDED: usize = 64;

/// Thread blocks of the multiply kernel that a multiprocessor holds at once.
const RESIDENT: usize = 4;

/// The sizes of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Channels, in and out.
    pub channels: usize,
    /// Pairs of channels, each one complex signal.
    pub pairs: usize,
    /// Input frames of a block and of a partition.
    pub block: usize,
    /// Branches of the filter: output frames for each input frame.
    pub branches: usize,
    /// Partitions of a branch.
    pub partitions: usize,
    /// Branches that one thread sums.
    pub width: usize,
    /// Partitions of a chunk; a thread block sums one chunk.
    pub chunk: usize,
    /// Chunks.
    pub chunks: usize,
    pub precision: Precision,
}

impl Shape {
    /// The shape for a filter on a device with `processors` multiprocessors.
    ///
    /// # Errors
    /// [`Error::Shape`] when the channels are none or more than the CPU engine's, or
    /// the block is not a power of two within [`BLOCK_FRAMES`].
    pub fn new(
        filter: &Filter,
        channels: usize,
        block: usize,
        precision: Precision,
        processors: usize,
    ) -> Result<Self, Error> {
        if !(1..=totton_dsp::engine::MAX_CHANNELS).contains(&channels) {
            let accepted = "accepted is 1 to 64";
            return Err(Error::Shape { name: "channels", found: channels, accepted });
        }
        if !(BLOCK_FRAMES.contains(&block) && block.is_power_of_two()) {
            let accepted = "the GPU engine accepts the powers of two from 64 to 65536";
            return Err(Error::Shape { name: "block", found: block, accepted });
        }
        let (branches, pairs) = (filter.ratio(), channels.div_ceil(2));
        let partitions = filter.taps().len().div_ceil(branches).div_ceil(block);
        let width = branches.min(widest(precision));
        // As many chunks as the device holds at once, or as keep the sums short: a few
        // thread blocks that come after all the others leave most of it idle.
        let at_once = block / LANES * (branches / width) * pairs;
        let to_fill = if partitions <= UNDIVIDED { 1 } else { processors * RESIDENT / at_once };
        let chunk = partitions.div_ceil(to_fill.max(1)).clamp(LEAST_CHUNK, LONGEST_SUM * WARPS);
        let chunk = chunk.next_multiple_of(WARPS);
        let chunks = partitions.div_ceil(chunk);
        Ok(Self { channels, pairs, block, branches, partitions, width, chunk, chunks, precision })
    }

    /// Points of a transform.
    #[must_use]
    pub fn length(&self) -> usize {
        2 * self.block
    }

    /// Tiles of bins.
    #[must_use]
    pub fn tiles(&self) -> usize {
        self.block / LANES
    }

    /// Groups of branches.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.branches / self.width
    }

    /// Bytes of a complex value.
    #[must_use]
    pub fn complex_bytes(&self) -> usize {
        2 * self.precision.bits() as usize / 8
    }

    /// Complex values of the filter's spectra, for one group of branches.
    #[must_use]
    pub fn group_values(&self) -> usize {
        self.block * self.partitions * self.width
    }

    /// Bytes of the filter's spectra.
    #[must_use]
    pub fn filter_bytes(&self) -> usize {
        self.groups() * self.group_values() * self.complex_bytes()
    }

    /// Bytes of the input's spectra.
    #[must_use]
    pub fn ring_bytes(&self) -> usize {
        self.pairs * self.block * self.partitions * 2 * self.complex_bytes()
    }

    /// Complex values of the sums of one chunk: what the inverse transforms take.
    #[must_use]
    pub fn sum_values(&self) -> usize {
        self.pairs * self.branches * self.length()
    }

    /// Bytes that the multiply kernel must move for each block: the filter's spectra,
    /// the input's, and the sums, each once.
    #[must_use]
    pub fn multiply_bytes(&self) -> usize {
        self.filter_bytes()
            + self.ring_bytes()
            + self.chunks * self.sum_values() * self.complex_bytes()
    }

    /// Bytes that the other steps must move for each block, when nothing stays in a
    /// cache: four times the window of the input (made, transformed, stored), three times
    /// the sums (transformed, interleaved), the chunks where there are several, and the
    /// samples themselves.
    #[must_use]
    pub fn other_bytes(&self) -> usize {
        let chunks = if self.chunks > 1 { self.chunks + 1 } else { 0 };
        let samples = self.channels * self.block * (1 + self.branches) * size_of::<f64>();
        let spectra = 4 * self.pairs * self.length() + (3 + chunks) * self.sum_values();
        spectra * self.complex_bytes() + samples
    }
}
