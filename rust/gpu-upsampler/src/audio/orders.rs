//! What a stream tells its threads.

use std::sync::atomic::{AtomicU8, Ordering};

const FADE: u8 = 1;
const END: u8 = 2;

/// The last word counts, and `end` is always the last.
#[derive(Default)]
pub(super) struct Orders(AtomicU8);

impl Orders {
    /// Fade out: playback ends by itself afterwards.
    pub(super) fn fade(&self) {
        self.0.fetch_max(FADE, Ordering::Release);
    }

    /// End now.
    pub(super) fn end(&self) {
        self.0.fetch_max(END, Ordering::Release);
    }

    /// Whether to fade out, or to end.
    pub(super) fn fading(&self) -> bool {
        self.0.load(Ordering::Acquire) >= FADE
    }

    /// Whether to end.
    pub(super) fn ended(&self) -> bool {
        self.0.load(Ordering::Acquire) >= END
    }
}
