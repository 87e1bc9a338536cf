//! What can go wrong while the daemon runs, and how often it did.

use serde::{Deserialize, Serialize};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The input's buffer ran over: sound from the computer was lost.
    CaptureXrun,
    /// The DAC's buffer ran dry: a gap was heard.
    PlaybackXrun,
    /// The input went away, or cannot be opened.
    InputLost,
    /// The DAC was unplugged, or is not there.
    DacLost,
    /// Another program has the DAC.
    DacBusy,
    /// The DAC does not accept the rate, the format or the channels.
    DacRefused,
    /// The DAC takes no sound.
    DacStalled,
    /// A device call does not come back: only a restart of the service helps.
    DeviceStuck,
    /// The engine cannot be made or has failed.
    EngineFailed,
    /// The filter file is not there or cannot be read.
    FilterMissing,
    /// The filter file is shorter or longer than its header says.
    FilterTruncated,
    /// The filter is for another rate family or ratio.
    FilterUnsuitable,
    /// The filter's checksum does not fit its content.
    FilterDamaged,
    /// The file is no filter, or of a version that this build does not read.
    FilterUnreadable,
    /// The equaliser cannot be folded into the filter.
    EqualiserRefused,
    /// The configuration cannot be used.
    ConfigurationRefused,
    /// The settings' file, or a part of it, is not accepted; what the configuration says is in force
    /// instead of that part, and the sound is muted where that may be louder.
    SettingsUnreadable,
    /// The settings cannot be written: what was set is lost at the next start.
    SettingsNotStored,
    /// The disk is full: the settings are kept in memory and written when there is room.
    DiskFull,
    /// The system's clock was set: times in the journal jump, sound does not.
    ClockStep,
    /// The service reached its memory limit.
    MemoryLimit,
    /// The system refuses real-time scheduling or locked memory.
    RealTimeRefused,
}

/// One kind of fault and its history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Fault {
    /// What kind.
    pub kind: FaultKind,
    /// How often since the daemon started.
    pub count: u64,
    /// Whether it lasts. What is over in a moment, an xrun, is never active.
    pub active: bool,
    /// The last occurrence in words: which device or file, and why.
    pub message: String,
    /// When the last occurrence began, in seconds since the daemon started.
    pub uptime_seconds: f64,
}
