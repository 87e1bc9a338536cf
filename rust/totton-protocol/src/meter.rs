//! What is measured while sound flows.

use serde::{Deserialize, Serialize};

/// Levels since the last telemetry message, for each channel, in dBFS.
/// Digital silence is [`Levels::SILENCE_DBFS`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Levels {
    /// Largest magnitude of a sample.
    pub input_peak_dbfs: Vec<f64>,
    /// Largest magnitude of a sample, before what is too loud is cut off: it may exceed 0.
    pub output_peak_dbfs: Vec<f64>,
    /// Root of the mean square, relative to full scale: a full-scale sine has -3.01.
    pub input_rms_dbfs: Vec<f64>,
    /// Root of the mean square, relative to full scale.
    pub output_rms_dbfs: Vec<f64>,
}

impl Levels {
    /// The floor of the scale: JSON has no minus infinity.
    pub const SILENCE_DBFS: f64 = -200.0;
}

/// Levels over the frequency, in each band of the loudest channel. Band `i` of `n` is at
/// `low_hz * (high_hz / low_hz)^(i / (n - 1))`; it reaches half-way to its neighbours. Silence is
/// [`Levels::SILENCE_DBFS`]; what is constant is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Spectrum {
    /// The lowest band in Hz.
    pub low_hz: f64,
    /// The highest band in Hz, half the rate.
    pub high_hz: f64,
    /// The highest level in each band in dBFS, of the last sixth of a second; a full-scale sine
    /// has 0.
    pub levels_dbfs: Vec<f64>,
}

/// Where sound waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BufferPlace {
    /// The input device's buffer.
    Capture,
    /// The ring from the input to the engine.
    ToEngine,
    /// The ring from the engine to the DAC.
    FromEngine,
    /// The DAC's buffer.
    Playback,
}

/// How full a buffer is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Buffer {
    /// Which buffer.
    pub place: BufferPlace,
    /// Frames in it.
    pub level_frames: u64,
    /// Frames that it holds at most.
    pub capacity_frames: u64,
    /// Rate of its frames in Hz.
    pub rate: u32,
}

/// What follows the difference between the computer's clock and the DAC's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DriftMethod {
    /// The gadget's control `Capture Pitch 1000000`: the computer sends faster or slower.
    GadgetPitch,
    /// The loopback card's control `PCM Rate Shift 100000`.
    LoopbackRateShift,
    /// An asynchronous resampler in the stream.
    Resampler,
    /// Nothing: the buffer runs over or dry after some time.
    Nothing,
}

/// The control loop against clock drift.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Drift {
    /// What it steers.
    pub method: DriftMethod,
    /// How much faster than nominal the input is made to run, in parts per million.
    pub correction_ppm: f64,
    /// Averaged sound in the DAC's buffer, in seconds.
    pub level_seconds: f64,
    /// What that level is steered to, in seconds.
    pub target_seconds: f64,
}

/// The engine's time for single blocks since the last telemetry message, as a part of the time
/// that a block lasts: at 1 a block is computed only just in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BlockLoad {
    /// Blocks computed.
    pub blocks: u64,
    /// Mean over the blocks.
    pub mean: f64,
    /// The slowest block.
    pub highest: f64,
    /// Time that one block lasts, in seconds.
    pub block_seconds: f64,
}

/// How soon the daemon does what others wait for, since it started.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Promptness {
    /// Upper bounds of the classes in seconds. The counts have one class more, for what took longer.
    pub bounds_seconds: Vec<f64>,
    /// From a request to its answer, volume and mute left out.
    pub answers: Delays,
    /// The same for volume and mute.
    pub volume_answers: Delays,
    /// Turns of the thread that looks after the stream, and pings systemd.
    pub turns: Delays,
}

/// How often something took how long.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Delays {
    /// How many fell into each class.
    pub counts: Vec<u64>,
    /// The longest in seconds.
    pub longest_seconds: f64,
}

/// One of the board's thermometers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Temperature {
    /// The kernel's name of the thermal zone.
    pub name: String,
    /// Degrees Celsius.
    pub celsius: f64,
}

/// The daemon's memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Memory {
    /// Bytes of the process that are in memory.
    pub resident_bytes: u64,
    /// Bytes that are locked there.
    pub locked_bytes: u64,
    /// Bytes that the service's control group uses, where that is known.
    pub service_bytes: Option<u64>,
    /// Bytes from which on the service is slowed down (`MemoryHigh=`), where there is such a limit.
    pub service_high_bytes: Option<u64>,
    /// Bytes that the service may use at most (`MemoryMax=`), where there is such a limit.
    pub service_max_bytes: Option<u64>,
}
