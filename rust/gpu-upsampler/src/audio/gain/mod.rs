//! What is done to the sound besides the filter.
//!
//! In the order of the flow:
//! - [`mix`]: mono and crossfeed, before the engine, at the input's rate
//! - [`output`]: volume, headroom, balance, mute and fades, then the limiter, after it
//!
//! Mono and crossfeed are linear and the same filter follows on every channel,
//! so their place before the engine changes nothing but their cost: a sixteenth.
//!
//! - [`wishes`]: what is asked for, without a lock
//! - [`ramp`]: a gain on its way; [`crossfeed`], [`limiter`]: the formulas

pub mod crossfeed;
pub mod limiter;
pub mod mix;
pub mod output;
pub mod ramp;
pub mod wishes;

pub use ramp::{RAMP_SECONDS, Ramp, amplitude};
