//! Where the sockets are.
//!
//! Both lie in `/run/totton-audio`, mode 0660, group `totton_audio`: `/tmp` is
//! private to each service under `PrivateTmp=`.

/// The folder of both sockets.
pub const FOLDER: &str = "/run/totton-audio";

/// File name of the daemon's REP socket.
pub const CONTROL_FILE: &str = "control.sock";

/// File name of the daemon's PUB socket.
pub const TELEMETRY_FILE: &str = "telemetry.sock";

/// ZeroMQ endpoint of the daemon's REP socket.
pub const CONTROL: &str = "ipc:///run/totton-audio/control.sock";

/// ZeroMQ endpoint of the daemon's PUB socket.
pub const TELEMETRY: &str = "ipc:///run/totton-audio/telemetry.sock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoints_are_the_files_in_the_folder() {
        assert_eq!(CONTROL, format!("ipc://{FOLDER}/{CONTROL_FILE}"));
        assert_eq!(TELEMETRY, format!("ipc://{FOLDER}/{TELEMETRY_FILE}"));
    }
}
