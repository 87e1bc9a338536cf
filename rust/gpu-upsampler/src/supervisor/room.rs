//! How many engines memory has room for at once: one that plays, one that fades in, one that is made.
//!
//! The longest filters take hundreds of megabytes, and the unit has a limit (`MemoryHigh=`). What
//! they take is measured in `tests/real_time.rs`.

use std::sync::atomic::Ordering::Relaxed;

use super::{Phase, Supervisor};
use crate::filters::FilterSet;

/// Bytes of an engine on the processor for each tap, at the ratio 16.
const BYTES_PER_TAP: usize = 24;

/// What all engines may take together on a device.
pub const ENGINES_BYTES: usize = 1 << 30;

/// What memory there is for engines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// For all of them together.
    pub(super) bytes: usize,
    /// Whether a GPU renders: each engine then has another one beside it, which stands by on the
    /// processor.
    pub(super) gpu: bool,
}

impl Room {
    /// How many engines for filters of `taps` taps there may be at once; one there is always.
    pub(super) fn engines(self, taps: usize) -> usize {
        let each = taps.max(1) * BYTES_PER_TAP * if self.gpu { 2 } else { 1 };
        (self.bytes / each).max(1)
    }
}

/// Taps of the longest of `filters`.
pub(super) fn longest(filters: &FilterSet) -> usize {
    filters.iter().map(|(_, loaded)| loaded.filter.taps().len()).max().unwrap_or(0)
}

impl Supervisor {
    /// What there is for engines.
    pub(super) fn room(&self) -> Room {
        Room { bytes: self.plan.engines_bytes, gpu: self.board.flow().engine_report().is_some() }
    }

    /// Whether an engine fades in: there are two.
    pub(super) fn is_fading(&self) -> bool {
        let swaps = self.board.flow().filter_swaps.load(Relaxed);
        matches!(self.phase, Phase::Streaming(_))
            && self.board.facts().outgoing_gain_db.is_some_and(|(_, ended_by)| swaps < ended_by)
    }

    /// Whether what is to be made next must wait until one of several engines has gone.
    pub(super) fn has_no_room_for_another(&self) -> bool {
        let streams = matches!(self.phase, Phase::Streaming(_));
        let in_hand = matches!(self.made, Some(Ok(_)));
        let engines = usize::from(streams) + usize::from(self.is_fading()) + usize::from(in_hand);
        engines > 1 && engines >= self.room().engines(longest(&self.plan.filters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_the_filter_the_fewer_engines() {
        let [cpu, gpu] = [false, true].map(|gpu| Room { bytes: ENGINES_BYTES, gpu });
        assert_eq!((cpu.engines(640_000), gpu.engines(640_000)), (69, 34));
        assert_eq!((cpu.engines(16_000_000), gpu.engines(16_000_000)), (2, 1));
        assert_eq!((gpu.engines(usize::MAX / 64), cpu.engines(0)), (1, ENGINES_BYTES / 24));
    }
}
