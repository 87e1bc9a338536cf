//! What the services of the device say to each other.
//!
//! The daemon (`gpu-upsampler`) answers [`Request`]s on a ZeroMQ REP socket and
//! publishes [`Telemetry`] on a PUB socket. Messages are JSON, one frame each.
//!
//! - [`message`]: requests, replies, telemetry
//! - [`status`]: the state of the stream, as both carry it
//! - [`endpoint`]: where the sockets are
//! - [`client`]: asking and listening, with deadlines

pub mod client;
pub mod endpoint;
pub mod message;
pub mod status;

pub use client::{Client, ClientError, TelemetryListener};
pub use message::{Command, ErrorCode, PROTOCOL_VERSION, Reply, Request, Telemetry};
pub use status::{Counters, Device, Engine, Levels, State, Status};
