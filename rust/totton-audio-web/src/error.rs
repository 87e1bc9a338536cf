//! Why the service cannot start or go on.

use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;
use totton_protocol::ClientError;

/// Each message says what to do where that is not plain.
#[derive(Debug, Error)]
pub enum Error {
    #[error("cannot read {}: {source}; --config FILE names another file", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}, line {line}: `{text}`: {reason}", path.display())]
    Settings { path: PathBuf, line: usize, text: String, reason: String },
    #[error("the environment variable {name}: {reason}")]
    Environment { name: &'static str, reason: String },
    #[error("cannot listen on {address}: {source}; {action}")]
    Listen { address: SocketAddr, source: std::io::Error, action: &'static str },
    #[error("cannot listen to the audio daemon: {source}")]
    Feed { source: ClientError },
    #[error("cannot start the thread {name}: {source}")]
    Thread { name: &'static str, source: std::io::Error },
    #[error("cannot wait for the signals that stop the service: {source}")]
    Signals { source: std::io::Error },
    #[error("cannot start: {reason}")]
    Start { reason: String },
    #[error("the HTTP server ended: {source}")]
    Serve { source: std::io::Error },
}

impl Error {
    /// 2 for settings that must be corrected first (systemd does not try again), 1 for everything
    /// else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unreadable { .. } | Self::Settings { .. } | Self::Environment { .. } => 2,
            _ => 1,
        }
    }
}
