//! Another engine for a running stream: handed over and back without a lock,
//! and made and freed outside of the audio threads.

use std::sync::atomic::Ordering::Relaxed;

use rtrb::{Consumer, Producer, RingBuffer};
use totton_dsp::{Crossfade, Engine};

use super::flow::Flow;

/// An engine on its way in.
struct Successor {
    engine: Box<dyn Engine>,
    /// Input frames that it hears before it is heard.
    warm_up: usize,
    /// Input frames of the cross-fade.
    fade: usize,
}

/// The end that engines are given to.
pub(super) struct Sender {
    successors: Producer<Successor>,
    retired: Consumer<Box<dyn Engine>>,
}

/// The engine thread's end.
pub(super) struct Receiver {
    successors: Consumer<Successor>,
    retired: Producer<Box<dyn Engine>>,
}

/// A way for engines into the engine thread and back.
pub(super) fn way() -> (Sender, Receiver) {
    let (to_thread, successors) = RingBuffer::new(1);
    // One for the engine that was replaced, one for a successor that did not fit.
    let (from_thread, retired) = RingBuffer::new(2);
    (Sender { successors: to_thread, retired }, Receiver { successors, retired: from_thread })
}

impl Sender {
    /// Has `engine` replace the running one: it hears `warm_up` input frames and
    /// fades in over `fade`. False: another one is still on its way.
    pub(super) fn give(&mut self, engine: Box<dyn Engine>, warm_up: usize, fade: usize) -> bool {
        self.free_retired();
        self.successors.push(Successor { engine, warm_up, fade }).is_ok()
    }

    /// Frees engines that have been replaced.
    pub(super) fn free_retired(&mut self) {
        while self.retired.pop().is_ok() {}
    }
}

impl Receiver {
    /// Takes a successor, if there is one and the last one is in; gives back what was replaced.
    pub(super) fn turn(&mut self, engine: &mut Crossfade, flow: &Flow) {
        if self.retired.slots() > 0
            && let Some(old) = engine.take_retired()
        {
            // There is room: this end is the only one that fills it.
            let _ = self.retired.push(old);
            flow.filter_swaps.fetch_add(1, Relaxed);
        }
        if !engine.is_switching()
            && self.retired.slots() == 2
            && let Ok(Successor { engine: next, warm_up, fade }) = self.successors.pop()
        {
            // Its shape is that of the running one: `Stream::swap_engine` has seen to that.
            if let Err(refused) = engine.switch_to(next, warm_up, fade) {
                debug_assert!(false, "{}", refused.reason);
                // Freed at the other end: there is room for both.
                let _ = self.retired.push(refused.engine);
            }
        }
    }
}
