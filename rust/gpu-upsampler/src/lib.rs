//! The audio daemon of Totton Audio: sound in from the USB gadget, through a
//! very long FIR, out to a USB DAC.
//!
//! Along the audio flow:
//! - [`device`]: the sound devices, behind traits
//! - [`sample`]: their sample formats; [`dither`]: what hides the bits that they drop
//! - [`audio`]: capture → ring → engine → ring → playback, a thread each
//! - [`backend`]: which engine computes; [`filters`]: with which filter
//!
//! Around it:
//! - [`supervisor`]: the one owner of the stream's life
//! - [`drift`]: the input's clock follows the DAC's
//! - [`watchdog`], [`notify`]: what systemd is told; [`promptness`]: how soon things are done
//! - [`board`], [`choices`], [`ipc`]: what the other services are told, and may ask for
//! - [`spectrum`]: what sounds by frequency, while somebody asks
//! - [`settings`]: what listeners set, kept through power cuts; [`equaliser`]: what their texts mean
//! - [`recorder`]: the last minutes in figures
//! - [`faults`]: what went wrong, and how often; [`machine`]: what the machine tells of itself
//! - [`daemon`]: all of it together, `threads`: what must not end by itself; [`signals`], [`config`], [`error`], [`logging`], [`cli`]
//!
//! Beside it:
//! - [`render`]: the same engine over a file, with `totton-render`

pub mod audio;
pub mod backend;
pub mod board;
pub mod choices;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod device;
pub mod drift;
pub mod equaliser;
pub mod error;
pub mod faults;
pub mod filters;
pub mod ipc;
pub mod logging;
pub mod machine;
pub mod notify;
#[cfg(feature = "cuda")]
mod probe;
pub mod promptness;
pub mod recorder;
pub mod render;
pub mod settings;
pub mod signals;
pub mod spectrum;
pub mod supervisor;
mod threads;
pub mod watchdog;

pub use error::Error;
pub use totton_dsp::{dither, sample};
