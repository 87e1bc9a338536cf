//! The state of the stream.

use serde::{Deserialize, Serialize};

/// What the daemon is doing, as a listener would say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Filter, devices and sockets are being set up.
    Starting,
    /// Sound flows from the input to the DAC.
    Streaming,
    /// The input device is absent or closed; the daemon looks for it again.
    WaitingForInput,
    /// The DAC is absent or busy; the daemon looks for it again.
    WaitingForDac,
    /// The stream is being closed on request.
    Stopping,
}

/// One end of the stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Device {
    /// ALSA name, `hw:CARD,DEVICE`.
    pub name: String,
    /// Frames per second (Hz).
    pub rate: u32,
    /// Channels.
    pub channels: u32,
    /// ALSA sample format, `S32_LE`.
    pub format: String,
    /// Frames in one period.
    pub period_frames: u32,
    /// Frames in the whole buffer.
    pub buffer_frames: u32,
}

/// The convolution engine in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Engine {
    /// `cpu` or `cuda`.
    pub backend: String,
    /// Why this backend, when the configuration asked for another or for `auto`.
    pub backend_reason: Option<String>,
    /// Output frames for each input frame.
    pub ratio: u32,
    /// Input frames in one block.
    pub block_frames: u32,
    /// File the filter came from.
    pub filter: String,
    /// Taps of the filter, counted at the output rate.
    pub taps: u64,
    /// Bits of the arithmetic's floating point: 32 or 64.
    pub precision_bits: u32,
    /// Time the engine used for the last second of sound, in seconds: below 1 is faster than real time.
    pub load: f64,
}

/// Events since the daemon started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Counters {
    /// Frames taken from the input.
    pub input_frames: u64,
    /// Frames given to the DAC.
    pub output_frames: u64,
    /// Overruns of the capture buffer.
    pub capture_xruns: u64,
    /// Underruns of the playback buffer.
    pub playback_xruns: u64,
    /// Output samples that had to be limited to full scale.
    pub clipped_samples: u64,
    /// Times that a stream was opened.
    pub stream_starts: u64,
    /// Times that configuration and filter were read again on request.
    pub reloads: u64,
    /// Times that the open input stopped sending; silence was played instead.
    #[serde(default)]
    pub input_pauses: u64,
}

/// Peak levels since the last telemetry message, for each channel, in dBFS.
/// Digital silence is [`Levels::SILENCE_DBFS`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Levels {
    pub input_peak_dbfs: Vec<f64>,
    pub output_peak_dbfs: Vec<f64>,
}

impl Levels {
    /// The floor of the scale: JSON has no minus infinity.
    pub const SILENCE_DBFS: f64 = -200.0;
}

/// The whole state of the daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Status {
    /// Version of the daemon.
    pub version: String,
    pub state: State,
    /// The state in one sentence, with the reason where something is missing.
    pub message: String,
    /// Seconds since the daemon started.
    pub uptime_seconds: f64,
    /// The open input, if any.
    pub input: Option<Device>,
    /// The open DAC, if any.
    pub output: Option<Device>,
    /// The loaded engine, if any.
    pub engine: Option<Engine>,
    /// Gain in dB, at most 0.
    pub gain_db: f64,
    pub mute: bool,
    pub counters: Counters,
    /// The last fault, in words, until a later one replaces it.
    pub last_error: Option<String>,
}
