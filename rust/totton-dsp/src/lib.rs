#![doc = include_str!("../README.md")]
//!
//! # Conventions
//!
//! - Samples are `f64`, full scale is 1.0, channels are planar (one slice each).
//! - A filter's taps run at the output rate, `input rate * ratio`. They are
//!   scaled so that their sum is the ratio: a constant comes out as it went in.
//! - The first output frame is made of the first tap: the engine adds no delay
//!   of its own beyond the block that the caller gathers.
//! - A sample that is not finite counts as silence, so it cannot poison what follows.
//!
//! # Modules
//!
//! | Module | What it does |
//! | --- | --- |
//! | [`filter`] | taps with their header, and the `.filter` file |
//! | [`mod@design`] | windowed-sinc prototypes, linear and minimum phase |
//! | [`equaliser`] | parametric and graphic equalisers, folded into a filter |
//! | [`measure`] | what a filter really does, in figures and plots |
//! | [`spectrum`] | a moment of sound by frequency |
//! | [`engine`] | the [`Engine`] trait, the CPU engine, any split of the input, filter changes |
//! | [`sample`] | sample formats, to and from `f64` |
//! | [`dither`] | the noise that hides the bits that they drop |
//! | [`simd`] | vectors over AVX-512, AVX2, NEON and plain Rust |
//! | [`error`] | the errors |

pub mod design;
pub mod dither;
pub mod engine;
pub mod equaliser;
pub mod error;
pub mod filter;
pub mod measure;
pub mod sample;
pub mod simd;
pub mod spectrum;

pub use design::{DesignSpec, design, design_with_report};
pub use engine::{CpuEngine, CpuOptions, Crossfade, Engine, Partitioning, Precision, Reblock};
pub use equaliser::Equaliser;
pub use error::Error;
pub use filter::{Filter, Header, Origin, Phase, RateFamily};
pub use measure::Measurement;
