//! What the services of the device say to each other.
//!
//! The daemon (`gpu-upsampler`) answers [`Request`]s on a ZeroMQ REP socket and
//! publishes [`Telemetry`] on a PUB socket. Messages are JSON, one frame each.
//! `docs/protocol.md` tells of each field; a test keeps it as these types say.
//!
//! - [`message`]: requests, replies, telemetry
//! - [`status`]: the state of the daemon, as both carry it; [`fault`]: what went wrong
//! - [`meter`]: what is measured while sound flows
//! - [`settings`]: what a listener sets
//! - [`dac_choice`], [`filter_path`], [`text`]: the texts among them, each checked as it is read
//! - [`catalogue`]: the DACs and filters to choose from
//! - [`endpoint`]: where the sockets are
//! - [`client`]: asking and listening, with deadlines

pub mod catalogue;
pub mod client;
pub mod dac_choice;
pub mod endpoint;
pub mod fault;
pub mod filter_path;
pub mod message;
pub mod meter;
pub mod settings;
pub mod status;
pub mod text;

#[cfg(test)]
mod document;

pub use catalogue::{Dac, FilterChoice, FilterFile};
pub use client::{Client, ClientError, TelemetryListener};
pub use dac_choice::{CardDevice, DacChoice, UsbId};
pub use fault::{Fault, FaultKind};
pub use filter_path::FilterPath;
pub use message::{Answer, Command, ErrorCode, PROTOCOL_VERSION, Reply, Request, Telemetry};
pub use meter::{
    BlockLoad, Buffer, BufferPlace, Delays, Drift, DriftMethod, Levels, Memory, Promptness,
    Spectrum, Temperature,
};
pub use settings::{Crossfeed, Equaliser, Headroom, Limiter, Settings, Sound};
pub use status::{
    Counters, Device, Engine, Gain, HostVolume, Latency, Overs, RealTime, SettingsState, State,
    Status,
};
pub use text::{EqualiserText, Name};
