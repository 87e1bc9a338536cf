//! The inverse Fourier transform of many branches at once: a lane of the vector
//! for each branch.
//!
//! All polyphase branches need an inverse transform of one length, so the lanes
//! of a vector are branches and every butterfly is a few vector operations with
//! no shuffle. The bins are stored where a decimation-in-time transform wants
//! them ([`Inverse::position`]), so nothing is ever reordered. The complex signal
//! carries two channels, one as its real and one as its imaginary part.
//!
//! The transform of length N is cut into leaves that stay in the level-1 cache,
//! radix-4 stages above them, and a last stage of radix 8 that computes only the
//! half that overlap-save keeps. Each part can be done in pieces: a deferred partition
//! spreads its work over many calls.
//!
//! An element is `LANES` real parts, then `LANES` imaginary parts.

use super::butterfly::{C, Stage, bottom4, bottom8, butterflies, eighths, four, turned};
use crate::simd::{Sample, Vector};

/// The longest leaf: 256 elements of 16 lanes of `f32` are 32 KiB.
const LONGEST_LEAF: usize = 256;

/// The plan of an inverse transform of `length` complex values, unscaled.
pub struct Inverse<T> {
    length: usize,
    leaf: usize,
    /// Radix-4 stages inside a leaf, shortest first; below them is a radix-4 or
    /// radix-8 stage without twiddles.
    inner: Vec<Stage<T>>,
    /// Radix-4 stages from the leaves up to an eighth of the length.
    outer: Vec<Stage<T>>,
    /// Radix 8.
    last: Stage<T>,
    positions: Vec<u32>,
}

impl<T: Sample> Inverse<T> {
    /// Plans a power of two from 32 on.
    pub fn new(length: usize) -> Self {
        assert!(length.is_power_of_two() && length >= 32, "length {length}");
        let eighth = length / 8;
        let mut leaf = eighth;
        while leaf > LONGEST_LEAF {
            leaf /= 4;
        }
        let bottom = if leaf.trailing_zeros().is_multiple_of(2) { 4 } else { 8 };
        let between = |from: usize, to: usize| {
            let lengths = std::iter::successors(Some(from * 4), |length| Some(length * 4));
            let lengths = lengths.take_while(move |length| *length <= to);
            lengths.map(|length| Stage::new(length, 4)).collect()
        };
        let positions = (0..length).map(|bin| position(bin, length, bottom)).collect();
        Self {
            length,
            leaf,
            inner: between(bottom, leaf),
            outer: between(leaf, eighth),
            last: Stage::new(length, 8),
            positions,
        }
    }

    /// The element where bin `bin` must be stored.
    pub fn position(&self, bin: usize) -> usize {
        self.positions[bin] as usize
    }

    /// Bytes of the plan.
    pub fn bytes(&self) -> usize {
        let stages = self.inner.iter().chain(&self.outer).chain([&self.last]);
        let twiddles: usize = stages.map(|stage| size_of_val(&*stage.twiddles)).sum();
        twiddles + size_of_val(&*self.positions)
    }

    /// Elements of a leaf.
    pub fn leaf_length(&self) -> usize {
        self.leaf
    }

    /// Parts that the last stage puts together.
    pub fn blocks(&self) -> usize {
        8
    }

    /// Stages between the leaves and the last stage.
    pub fn outer_stages(&self) -> usize {
        self.outer.len()
    }

    /// Butterflies of the last stage.
    pub fn last_butterflies(&self) -> usize {
        self.length / 8
    }

    /// Transforms leaf number `leaf` in place.
    ///
    /// # Safety
    ///
    /// As for [`Vector`]; `work` holds the whole length.
    #[inline(always)]
    pub unsafe fn run_leaf<V: Vector<Scalar = T>>(&self, work: *mut T, leaf: usize) {
        // SAFETY: a leaf is inside the work; the caller vouches for the rest.
        unsafe {
            let first = work.add(leaf * self.leaf * 2 * V::LANES);
            if self.leaf.trailing_zeros().is_multiple_of(2) {
                bottom4::<V>(first, self.leaf);
            } else {
                bottom8::<V>(first, self.leaf);
            }
            for stage in &self.inner {
                for start in (0..self.leaf).step_by(stage.length) {
                    let block = first.add(start * 2 * V::LANES);
                    butterflies::<V>(block, stage, 0, stage.length / 4);
                }
            }
        }
    }

    /// Does the butterflies `from..to` of an outer stage in place.
    ///
    /// # Safety
    ///
    /// As for [`Inverse::run_leaf`].
    #[inline(always)]
    pub unsafe fn run_outer<V: Vector<Scalar = T>>(
        &self,
        work: *mut T,
        stage: usize,
        from: usize,
        to: usize,
    ) {
        let stage = &self.outer[stage];
        let each = stage.length / 4;
        let mut next = from;
        while next < to {
            let (block, first) = (next / each, next % each);
            let end = (first + to - next).min(each);
            // SAFETY: the block is inside the work; the caller vouches for the rest.
            unsafe {
                let block = work.add(block * stage.length * 2 * V::LANES);
                butterflies::<V>(block, stage, first, end);
            }
            next += end - first;
        }
    }

    /// Does the butterflies `from..to` of the last stage: butterfly `j` gives the
    /// output values `j + n * length / 8`, n = 0 to 3, of the half that
    /// overlap-save keeps. Value `n` goes to `out + n * stride`.
    ///
    /// # Safety
    ///
    /// As for [`Inverse::run_leaf`]; `out` has room for half the length.
    #[inline(always)]
    pub unsafe fn run_last<V: Vector<Scalar = T>>(
        &self,
        work: *const T,
        out: *mut T,
        stride: usize,
        from: usize,
        to: usize,
    ) {
        let eighth = self.length / 8;
        for j in from..to {
            // SAFETY: `j` is below an eighth of the length, and the table has 14
            // numbers for each butterfly.
            unsafe {
                let from = work.add(j * 2 * V::LANES);
                let w = self.last.twiddles.as_ptr().add(14 * j);
                let step = eighth * 2 * V::LANES;
                let even = four([
                    C::<V>::load(from),
                    turned::<V>(from, step, w, 2),
                    turned::<V>(from, step, w, 4),
                    turned::<V>(from, step, w, 6),
                ]);
                let odd = four([
                    turned::<V>(from, step, w, 1),
                    turned::<V>(from, step, w, 3),
                    turned::<V>(from, step, w, 5),
                    turned::<V>(from, step, w, 7),
                ]);
                let halves = even.into_iter().zip(eighths(odd));
                for (n, (even, odd)) in halves.enumerate() {
                    even.sub(odd).store(out.add((j + n * eighth) * stride));
                }
            }
        }
    }
}

/// The element of a bin: the digits of its number in reverse, radix 8 for the last
/// stage, then radix 4 down to the bottom one.
fn position(bin: usize, length: usize, bottom: usize) -> u32 {
    let (mut rest, mut size, mut position) = (bin, length, 0);
    while size > 1 {
        let radix = match size {
            _ if size == length => 8,
            _ if size == bottom => bottom,
            _ => 4,
        };
        size /= radix;
        position += rest % radix * size;
        rest /= radix;
    }
    position as u32
}

#[cfg(test)]
mod tests {
    use super::super::butterfly::turn;
    use super::*;
    use crate::simd::plain::Plain;

    #[test]
    fn the_kept_half_is_the_inverse_transform() {
        type V = Plain<f64, 2>;
        for length in [32, 64, 128, 256, 512, 4096, 8192, 16_384] {
            let plan = Inverse::<f64>::new(length);
            let mut work = vec![0.0; length * 4];
            // Lane 0 has one bin, lane 1 another; both at an odd phase.
            let bins = [(3, 0.5, -0.25), (length - 5, 1.0, 2.0)];
            for (lane, (bin, re, im)) in bins.into_iter().enumerate() {
                work[plan.position(bin) * 4 + lane] = re;
                work[plan.position(bin) * 4 + 2 + lane] = im;
            }
            let mut out = vec![0.0; length * 2];
            // SAFETY: the buffers have the lengths that the plan asks for.
            unsafe {
                let work = work.as_mut_ptr();
                (0..length / plan.leaf_length()).for_each(|leaf| plan.run_leaf::<V>(work, leaf));
                for stage in 0..plan.outer_stages() {
                    plan.run_outer::<V>(work, stage, 0, 7);
                    plan.run_outer::<V>(work, stage, 7, length / 4);
                }
                plan.run_last::<V>(work, out.as_mut_ptr(), 4, 0, plan.last_butterflies());
            }
            for n in 0..length / 2 {
                for (lane, (bin, re, im)) in bins.into_iter().enumerate() {
                    let (s, c) = turn((n + length / 2) * bin % length, length);
                    let (wanted_re, wanted_im) = (re * c - im * s, re * s + im * c);
                    assert!((out[n * 4 + lane] - wanted_re).abs() < 1e-13, "{length} {n}");
                    assert!((out[n * 4 + 2 + lane] - wanted_im).abs() < 1e-13, "{length} {n}");
                }
            }
        }
    }
}
