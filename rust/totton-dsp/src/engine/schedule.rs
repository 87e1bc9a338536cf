//! The work of a partition, cut into steps of about the same cost: a deferred partition spreads
//! them over many calls.

use std::ops::Range;

use super::transform::Inverse;
use crate::simd::Sample;

/// Work of about this many vector operations is done in one piece.
const STEP_COST: usize = 16_384;

/// A piece of the work for one pair of channels and one group of branches.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// Multiply and accumulate the tiles `from..to`.
    Multiply { from: usize, to: usize },
    /// Inverse transform of the leaves `from..to`.
    Leaves { from: usize, to: usize },
    /// Butterflies `from..to` of an outer stage.
    Outer { stage: usize, from: usize, to: usize },
    /// Butterflies `from..to` of the last stage.
    Last { from: usize, to: usize },
}

/// A step and the cost of everything before it and itself, in one round.
pub(super) type Schedule = Vec<(Step, u64)>;

/// Cuts the work of one round into steps.
pub(super) fn schedule<T: Sample>(
    inverse: &Inverse<T>,
    tiles: usize,
    partitions: usize,
    tile: usize,
) -> Schedule {
    let mut cuts = Cuts::default();
    let multiply = (partitions + 1) * tile * 8;
    cuts.cut(0..tiles, multiply, &|from, to| Step::Multiply { from, to });
    for block in 0..inverse.blocks() {
        cuts.block(inverse, inverse.outer_stages(), block);
    }
    cuts.cut(0..inverse.last_butterflies(), 128, &|from, to| Step::Last { from, to });
    cuts.schedule
}

/// A schedule being made.
#[derive(Default)]
struct Cuts {
    schedule: Schedule,
    total: u64,
}

impl Cuts {
    /// Adds a range of equal pieces of work.
    fn cut(&mut self, range: Range<usize>, cost_each: usize, step: &dyn Fn(usize, usize) -> Step) {
        let each = (STEP_COST / cost_each).max(1);
        for from in range.clone().step_by(each) {
            let to = (from + each).min(range.end);
            self.total += ((to - from) * cost_each) as u64;
            self.schedule.push((step(from, to), self.total));
        }
    }

    /// Adds everything up to `stages` outer stages in the block of that length,
    /// each part as soon as what it needs is there: the values that it reads are
    /// the last that were written, and still in the caches.
    fn block<T: Sample>(&mut self, inverse: &Inverse<T>, stages: usize, block: usize) {
        let leaf = inverse.leaf_length();
        let Some(stage) = stages.checked_sub(1) else {
            let cost = leaf * leaf.trailing_zeros() as usize * 4;
            return self.cut(block..block + 1, cost, &|from, to| Step::Leaves { from, to });
        };
        for part in 0..4 {
            self.block(inverse, stage, 4 * block + part);
        }
        let each = leaf << (2 * stage);
        let butterflies = block * each..(block + 1) * each;
        self.cut(butterflies, 56, &|from, to| Step::Outer { stage, from, to });
    }
}
