//! What stops the program.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {source}. The image's build makes this file: its time is the earliest time of the clock", .path.display())]
    Epoch { path: PathBuf, source: std::io::Error },

    #[error("{}: {source}", .path.display())]
    File { path: PathBuf, source: std::io::Error },

    #[error(
        "the socket on standard input: {source}. systemd gives it: start totton-audio-clock.socket"
    )]
    Socket { source: std::io::Error },

    #[error("the clock cannot be {what}: {source}")]
    Clock { what: &'static str, source: std::io::Error },
}
