//! Where the sockets are.
//!
//! Both lie in `/run/totton-audio`, mode 0660, group `totton_audio`: `/tmp` is
//! private to each service under `PrivateTmp=`.

/// ZeroMQ endpoint of the daemon's REP socket.
pub const CONTROL: &str = "ipc:///run/totton-audio/control.sock";

/// ZeroMQ endpoint of the daemon's PUB socket.
pub const TELEMETRY: &str = "ipc:///run/totton-audio/telemetry.sock";
