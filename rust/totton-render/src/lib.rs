#![doc = include_str!("../README.md")]
//!
//! # Modules
//!
//! | Module | What it does |
//! | --- | --- |
//! | [`source`] | the sound that is rendered; [`wav`], [`flac`]: its files |
//! | [`mod@render`] | the loop: blocks of sound through an engine into a file |
//! | [`rate`] | the rate of the output |
//! | [`design`] | filters that are designed when they are wanted, and kept |
//! | [`options`] | the command line, for this crate's program and the audio daemon's |
//! | [`output`] | the file that appears when it is whole |
//! | [`error`] | the errors |

pub mod design;
pub mod error;
pub mod flac;
pub mod options;
pub mod output;
pub mod rate;
pub mod render;
pub mod source;
pub mod wav;

mod input;
mod interrupt;

pub use error::Error;
pub use options::Options;
pub use render::{Progress, Summary, Target, render};
pub use source::Source;

/// Whether a file's name stands for standard input or output.
fn is_standard(file: &std::path::Path) -> bool {
    file.as_os_str() == "-"
}
