//! Everything that can go wrong, each naming the file or device at fault.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use totton_protocol::FaultKind;
use totton_protocol::settings::OutOfRange;

/// Why the daemon, or one of its commands, could not go on.
#[derive(Debug, Error)]
pub enum Error {
    #[error("cannot read the configuration {}: {source}", file.display())]
    ConfigRead { file: PathBuf, source: io::Error },
    #[error("{}: {}", file.display(), source.to_string().trim_end())]
    ConfigParse { file: PathBuf, source: Box<toml::de::Error> },
    #[error("{}: {key} is {found}; accepted: {accepted}", file.display())]
    ConfigValue { file: PathBuf, key: &'static str, found: String, accepted: String },

    #[error("{device} is not there: {hint}")]
    DeviceAbsent { device: String, hint: String },
    #[error("{device} is in use by another program")]
    DeviceBusy { device: String },
    #[error("{device} does not accept {what}: wanted {wanted}, it has {accepted}")]
    DeviceRefused { device: String, what: &'static str, wanted: String, accepted: String },
    #[error("{device} went away")]
    DeviceGone { device: String },
    /// The buffer ran over (capture) or dry (playback); the device has already been prepared again.
    #[error("{device} had an xrun")]
    Xrun { device: String },
    /// The host plays at another rate now: what comes in is not for this stream.
    #[error("the computer has changed the rate of {device}")]
    RateChanged { device: String },
    #[error("{device} took no sound for {waited:?}")]
    DeviceStalled { device: String, waited: Duration },
    #[error("{device}: {source}")]
    Alsa { device: String, source: alsa::Error },

    #[error("the filter {} cannot be used: {reason}", file.display())]
    Filter { file: PathBuf, fault: FaultKind, reason: String },
    #[error("the equaliser {name} cannot be used: {reason}")]
    Profile { name: String, reason: String },
    #[error("the setting {0}")]
    Setting(#[from] OutOfRange),
    #[error("no rate can be played: wanted {wanted}")]
    NoRate { wanted: String },
    #[error("the engine cannot be made: {reason}")]
    Engine { reason: String },

    #[error("stopped: something newer is wanted")]
    Stopped,
    #[error("a newer change took the place of this one before it was ready")]
    Superseded,

    #[error("cannot use the socket {endpoint}: {source}")]
    Socket { endpoint: String, source: zmq::Error },
    #[error("cannot start the thread {name}: {source}")]
    Thread { name: &'static str, source: io::Error },
    #[error("the thread {name} ended unexpectedly: a fault in this program")]
    ThreadDied { name: &'static str },
    #[error("cannot listen to signals: {source}")]
    Signals { source: io::Error },

    #[error("{}: {source}", file.display())]
    File { file: PathBuf, source: io::Error },

    /// Of `render`, which shares nothing with a stream.
    #[error(transparent)]
    Render(#[from] totton_render::Error),
}

impl Error {
    /// Whether the configuration is at fault, not the machine.
    pub fn is_config(&self) -> bool {
        matches!(
            self,
            Self::ConfigRead { .. } | Self::ConfigParse { .. } | Self::ConfigValue { .. }
        )
    }

    /// What kind of fault it is when it concerns the input.
    pub fn fault_of_input(&self) -> FaultKind {
        match self {
            Self::Xrun { .. } => FaultKind::CaptureXrun,
            other if other.is_of_device() => FaultKind::InputLost,
            other => other.fault(),
        }
    }

    /// What kind of fault it is when it concerns the DAC.
    pub fn fault_of_dac(&self) -> FaultKind {
        match self {
            Self::Xrun { .. } => FaultKind::PlaybackXrun,
            Self::DeviceBusy { .. } => FaultKind::DacBusy,
            Self::DeviceRefused { .. } | Self::NoRate { .. } => FaultKind::DacRefused,
            Self::DeviceStalled { .. } => FaultKind::DacStalled,
            other if other.is_of_device() => FaultKind::DacLost,
            other => other.fault(),
        }
    }

    /// What kind of fault it is when it concerns neither end of the stream.
    pub fn fault(&self) -> FaultKind {
        match self {
            Self::Filter { fault, .. } => *fault,
            Self::Profile { .. } => FaultKind::EqualiserRefused,
            Self::ConfigRead { .. }
            | Self::ConfigParse { .. }
            | Self::ConfigValue { .. }
            | Self::Setting(_) => FaultKind::ConfigurationRefused,
            _ => FaultKind::EngineFailed,
        }
    }

    fn is_of_device(&self) -> bool {
        matches!(
            self,
            Self::DeviceAbsent { .. }
                | Self::DeviceBusy { .. }
                | Self::DeviceRefused { .. }
                | Self::DeviceGone { .. }
                | Self::DeviceStalled { .. }
                | Self::Alsa { .. }
        )
    }
}
