//! The state of the daemon.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::settings::Sound;

/// What the daemon is doing, as a listener would say it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Filter, devices and sockets are being set up.
    #[default]
    Starting,
    /// Sound flows from the input to the DAC.
    Streaming,
    /// Everything is there and the computer sends nothing: silence is played. Not a fault.
    Idle,
    /// The input device is absent or refuses; the daemon looks for it again.
    WaitingForInput,
    /// The DAC is absent, busy or refuses; the daemon looks for it again.
    WaitingForDac,
    /// A device call does not come back: systemd is about to restart the service.
    Stuck,
    /// The stream is being closed on request.
    Stopping,
}

/// One end of the stream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// Bits of a sample that the device uses: the upper ones, where the format has more. What is
    /// played is rounded to them. 0: not told.
    #[serde(default)]
    pub significant_bits: u32,
    /// Frames in one period.
    pub period_frames: u32,
    /// Frames in the whole buffer.
    pub buffer_frames: u32,
}

/// The convolution engine in use.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// Taps of the filter, counted at the output rate; with the equaliser's, if there is one.
    pub taps: u64,
    /// Bits of the arithmetic's floating point: 32 or 64.
    pub precision_bits: u32,
    /// Time the engine used for the last second of sound, in seconds: below 1 is faster than real time.
    pub load: f64,
    /// Name of the equaliser profile that is folded into the filter.
    #[serde(default)]
    pub equaliser: Option<String>,
    /// The most that any input of full scale can come out at, in dB above full scale: the largest
    /// sum of the taps' magnitudes over the filter's phases.
    #[serde(default)]
    pub worst_case_gain_db: Option<f64>,
    /// What is being prepared beside the running engine, in words: another filter, an equaliser.
    #[serde(default)]
    pub preparing: Option<String>,
    /// Bytes of filters with the equaliser that are kept for the computer's next rates.
    #[serde(default)]
    pub prepared_bytes: u64,
}

/// Samples at and beyond full scale since they were last counted anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Overs {
    /// Output samples that had to be cut off at full scale, counted before rounding.
    pub clipped_samples: u64,
    /// Output samples that the soft limiter lowered.
    pub limited_samples: u64,
    /// Input samples at full scale: the programme itself was probably clipped there.
    pub input_full_scale_samples: u64,
    /// The daemon's uptime in seconds from which on they are counted; 0: since it started.
    pub since_uptime_seconds: f64,
}

/// Events since the daemon started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Counters {
    /// Frames taken from the input.
    pub input_frames: u64,
    /// Frames given to the DAC.
    pub output_frames: u64,
    /// Overruns of the capture buffer.
    pub capture_xruns: u64,
    /// Underruns of the playback buffer.
    pub playback_xruns: u64,
    /// Output samples that had to be cut off at full scale, counted before rounding.
    pub clipped_samples: u64,
    /// Input samples at full scale: the programme itself was probably clipped there.
    pub input_full_scale_samples: u64,
    /// Output samples that the soft limiter lowered.
    pub limited_samples: u64,
    /// Blocks that a GPU rendered.
    pub gpu_blocks: u64,
    /// Times that a GPU failed or was late; the processor rendered those blocks.
    pub gpu_faults: u64,
    /// Times that a stream was opened.
    pub stream_starts: u64,
    /// Times that the computer changed its rate and the stream followed.
    pub rate_switches: u64,
    /// Times that a filter or an equaliser was changed without closing the stream.
    pub filter_swaps: u64,
    /// Times that configuration and filter were read again on request.
    pub reloads: u64,
    /// Times that the open input stopped sending; silence was played instead.
    pub input_pauses: u64,
    /// Times that the settings were written to the disk.
    pub settings_writes: u64,
    /// Requests answered, whatever the answer.
    pub requests: u64,
    /// Requests that were refused before anything was done: malformed, unknown, out of range.
    pub refused_requests: u64,
}

/// Delay from the input's connector to the DAC's, stage by stage, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Latency {
    /// Sound waiting in the input device's buffer and in the ring to the engine.
    pub input_seconds: f64,
    /// Gathering one block.
    pub block_seconds: f64,
    /// What the engine adds beyond the block.
    pub engine_seconds: f64,
    /// The filter's own delay: where its largest tap is.
    pub filter_seconds: f64,
    /// Sound waiting in the ring from the engine and in the DAC's buffer.
    pub output_seconds: f64,
    /// All of it together.
    pub total_seconds: f64,
}

/// The volume control of the sound card that the computer sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HostVolume {
    /// dB, at most 0.
    pub volume_db: f64,
    /// Whether the computer has muted it.
    pub mute: bool,
}

/// What the gains come down to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Gain {
    /// Gain that the headroom takes away, in dB, at most 0.
    pub headroom_db: f64,
    /// Volume, headroom and the computer's volume together, in dB; without mute and balance.
    pub total_db: f64,
    /// Whether any mute, the device's own or the computer's, silences the output.
    pub muted: bool,
}

/// How the settings stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SettingsState {
    /// Counts up at each change: who holds an older revision should ask for the settings again.
    pub revision: u64,
    /// Whether the disk holds what is in force; a change gets there within a second.
    pub stored: bool,
}

/// How the audio threads are favoured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RealTime {
    /// `fifo`, or `normal` where the system refused it or the configuration asks for none.
    pub scheduling: String,
    /// Priority of the device threads; 0 at normal scheduling.
    pub priority: i32,
    /// Whether the memory is kept from being swapped out.
    pub memory_locked: bool,
    /// Processors that the audio threads are bound to; empty: any.
    pub cpus: Vec<u32>,
    /// What was refused, and why.
    pub refused: Vec<String>,
}

/// The whole state of the daemon.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Status {
    /// Version of the daemon.
    pub version: String,
    /// What it is doing.
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
    /// The sound settings in force.
    pub sound: Sound,
    /// What the gains come down to.
    pub gain: Gain,
    /// The computer's volume control, where the input has one.
    pub host_volume: Option<HostVolume>,
    /// How the settings stand.
    pub settings: SettingsState,
    /// Delay from the input to the DAC, while a stream is open.
    pub latency: Option<Latency>,
    /// How the audio threads are favoured.
    pub real_time: RealTime,
    /// Events since the daemon started.
    pub counters: Counters,
    #[serde(default)]
    pub overs: Overs,
    /// Every kind of fault that has occurred since the daemon started.
    pub faults: Vec<Fault>,
    /// The last fault, in words, until a later one replaces it.
    pub last_error: Option<String>,
}
