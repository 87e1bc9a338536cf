//! The audio flow, in its order: capture → ring → engine → ring → playback.
//!
//! - [`capture`]: the thread that takes frames from the input; [`resample`]: where its clock can
//!   only be followed
//! - [`convolve`]: the thread that runs the engine
//! - [`playback`]: the thread that gives frames to the DAC
//! - [`stream`]: the three of them, started and stopped together; [`orders`]: what it tells them
//! - [`swap`]: another engine for the second of them while it runs
//! - [`ring`]: what joins them; [`flow`]: what they tell, and are told, without a lock
//! - [`level`]: how much sound is under way
//! - [`gain`]: volume, mute, fades, balance, crossfeed, limiter; [`meter`]: levels and block times
//! - [`tap`]: the newest sound, for whoever looks at it
//! - [`realtime`]: priority and locked memory

pub mod flow;
pub mod gain;
pub mod realtime;
pub mod stream;
pub(crate) mod tap;

mod capture;
mod convolve;
mod level;
mod meter;
mod orders;
mod playback;
mod resample;
mod ring;
mod swap;
