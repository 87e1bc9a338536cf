//! What has been made of the files, within a budget.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::LoadedFilter;

/// The most bytes of taps that are kept: what has not been asked for the longest goes first. The
/// newest is kept whatever its size, as it is about to be used.
pub const BUDGET_BYTES: usize = 384 << 20;

/// An input rate in Hz and a ratio.
type Key = (u32, usize);

/// Filters with the equaliser, the one that was asked for last at the end.
#[derive(Debug, Default)]
pub struct Kept {
    filters: Mutex<Vec<(Key, LoadedFilter)>>,
    /// Nothing is kept any more.
    over: AtomicBool,
}

impl Kept {
    fn lock(&self) -> MutexGuard<'_, Vec<(Key, LoadedFilter)>> {
        self.filters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets all, and keeps nothing any more: another equaliser is in use.
    pub(super) fn end(&self) {
        let mut kept = self.lock();
        self.over.store(true, Relaxed);
        kept.clear();
    }

    pub(super) fn get(&self, key: Key) -> Option<LoadedFilter> {
        let mut kept = self.lock();
        let index = kept.iter().position(|(known, _)| *known == key)?;
        let found = kept.remove(index);
        let filter = found.1.clone();
        kept.push(found);
        Some(filter)
    }

    pub(super) fn keep(&self, key: Key, filter: LoadedFilter) {
        self.keep_within(key, filter, BUDGET_BYTES);
    }

    fn keep_within(&self, key: Key, filter: LoadedFilter, budget: usize) {
        let mut kept = self.lock();
        if self.over.load(Relaxed) {
            return;
        }
        kept.retain(|(known, _)| *known != key);
        kept.push((key, filter));
        while bytes(&kept) > budget && kept.len() > 1 {
            kept.remove(0);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        bytes(&self.lock())
    }
}

fn bytes(kept: &[(Key, LoadedFilter)]) -> usize {
    kept.iter().map(|(_, filter)| filter.bytes()).sum()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use totton_dsp::{Filter, Origin, Phase};

    use super::*;

    fn filter(taps: usize) -> LoadedFilter {
        let origin = Origin::Imported { source: String::new() };
        let filter = Filter::new(44_100, 1, Phase::Minimum, origin, vec![1.0; taps]).unwrap();
        LoadedFilter::new(PathBuf::new(), filter)
    }

    #[test]
    fn what_was_not_asked_for_the_longest_goes_first() {
        let (kept, budget) = (Kept::default(), 300 * 8);
        for rate in [1, 2, 3] {
            kept.keep_within((rate, 1), filter(100), budget);
        }
        assert!(kept.get((1, 1)).is_some());
        kept.keep_within((4, 1), filter(100), budget);
        assert!(kept.get((2, 1)).is_none(), "the oldest");
        assert!(kept.get((1, 1)).is_some() && kept.get((3, 1)).is_some());
        assert_eq!(kept.bytes(), budget);
        kept.keep_within((5, 1), filter(1000), budget);
        assert_eq!(kept.bytes(), 8000, "the newest stays, whatever its size");
        assert!(kept.get((5, 1)).is_some());
        kept.end();
        kept.keep((1, 1), filter(100));
        assert_eq!(kept.bytes(), 0, "it is over");
    }
}
