//! Where to cut the filter: partitions that grow with their distance from the
//! start (W. G. Gardner, "Efficient convolution without input-output delay",
//! J. Audio Eng. Soc. 43, 1995).
//!
//! The first tier's partitions have one block each; its result is needed in the
//! same call. A later tier with partitions of B frames starts `2 B - block`
//! frames into the filter: an input block of B frames is complete in one call,
//! and its result is needed B frames of calls later, which is the time that the
//! tier spreads the work over. So the work of a call hardly varies.

/// The most tiers of a plan.
pub const MAX_TIERS: usize = 6;

/// The longest partition in input frames.
const LONGEST: usize = 65_536;

/// How the filter is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Partitioning {
    /// Growing partitions where they are estimated to be faster.
    #[default]
    Growing,
    /// Partitions of one block only.
    Uniform,
}

/// Partitions of one length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// Input frames of a partition, a power of two.
    pub frames: usize,
    /// Partitions.
    pub partitions: usize,
    /// Taps of a branch before the first partition.
    pub offset: usize,
}

/// The cheapest cut of branches of `taps` taps for blocks of `block` frames, when
/// the spectra take `frame_bytes` bytes for each frame of a partition.
pub fn plan(
    taps: usize,
    block: usize,
    partitioning: Partitioning,
    frame_bytes: usize,
) -> Vec<Tier> {
    let mut best = vec![Tier { frames: block, partitions: taps.div_ceil(block), offset: 0 }];
    if partitioning == Partitioning::Growing {
        let mut least = cost(&best, frame_bytes);
        grow(taps, block, &mut Vec::new(), &mut |tiers| {
            let cost = cost(tiers, frame_bytes);
            if cost < least {
                least = cost;
                best = tiers.to_vec();
            }
        });
    }
    best
}

/// Tries every way to go on after `tiers`.
fn grow(taps: usize, block: usize, tiers: &mut Vec<Tier>, visit: &mut dyn FnMut(&[Tier])) {
    let mut next = tiers.last().map_or(block, |last| 2 * last.frames);
    while next <= LONGEST {
        // The tier before must reach to where this one can start.
        let start = if tiers.is_empty() { 0 } else { 2 * next - block };
        if start >= taps {
            break;
        }
        if let Some(last) = tiers.last_mut() {
            last.partitions = (start - last.offset) / last.frames;
        }
        tiers.push(Tier { frames: next, partitions: (taps - start).div_ceil(next), offset: start });
        visit(tiers);
        if tiers.len() < MAX_TIERS {
            grow(taps, block, tiers, visit);
        }
        tiers.pop();
        if tiers.is_empty() {
            break;
        }
        next *= 2;
    }
}

/// Time for each input frame, in the time that the multiply-add of one partition
/// takes when its spectra come from the level-2 cache.
///
/// Fitted to measurements of the kernels on a Zen 5 core, where it holds for
/// `f32` and `f64` alike; only the order of the plans matters.
fn cost(tiers: &[Tier], frame_bytes: usize) -> f64 {
    const LEVEL_2_BYTES: usize = 600_000;
    const LEVEL_3_BYTES: usize = 20_000_000;
    let partition = |tier: &Tier| {
        let bytes = tier.partitions * tier.frames * frame_bytes;
        if bytes <= LEVEL_2_BYTES {
            1.0
        } else if bytes <= LEVEL_3_BYTES {
            1.7
        } else {
            5.0
        }
    };
    let transform = |frames: usize| {
        // The values of all branches leave the caches at the end of this.
        let beyond = match frames {
            65_536 => 110.0,
            32_768 => 40.0,
            _ => 0.0,
        };
        3.0 * (2.0 * frames as f64).log2() - 9.0 + beyond
    };
    let tier = |tier: &Tier| tier.partitions as f64 * partition(tier) + transform(tier.frames);
    tiers.iter().map(tier).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plan_covers_the_filter_without_gap_or_overlap() {
        for taps in [1, 15, 16, 17, 255, 4000, 40_000, 1_000_000] {
            for block in [16, 64, 1024, 65_536] {
                let mut seen = 0;
                grow(taps, block, &mut Vec::new(), &mut |tiers| {
                    seen += 1;
                    let mut covered = 0;
                    for (index, tier) in tiers.iter().enumerate() {
                        assert_eq!(tier.offset, covered, "{tiers:?}");
                        assert!(index == 0 || tier.offset == 2 * tier.frames - block, "{tiers:?}");
                        assert!(tier.partitions > 0 && tier.frames.is_power_of_two());
                        covered += tier.partitions * tier.frames;
                    }
                    let last = tiers.last().unwrap().frames;
                    assert!(covered >= taps && covered - taps < last, "{tiers:?} for {taps}");
                });
                assert!(seen > 0);
            }
        }
    }

    #[test]
    fn long_filters_at_short_blocks_get_growing_partitions() {
        assert!(plan(40_000, 64, Partitioning::Growing, 128).len() > 1);
        assert_eq!(plan(40_000, 64, Partitioning::Uniform, 128).len(), 1);
    }
}
