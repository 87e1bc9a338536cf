//! Logs to stderr, as the journal likes them.

use std::io::Write;

use log::Level;

/// Logs to stderr. Under systemd each line begins with its syslog priority
/// (`sd-daemon(3)`) and has no time of its own: the journal has both. The level
/// is `RUST_LOG`'s, `info` without it.
pub fn init() {
    let mut builder =
        env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"));
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        builder.format(|buffer, record| {
            let priority = match record.level() {
                Level::Error => 3,
                Level::Warn => 4,
                Level::Info => 6,
                Level::Debug | Level::Trace => 7,
            };
            // An error that shows a piece of a file has several lines.
            for line in record.args().to_string().lines() {
                writeln!(buffer, "<{priority}>{line}")?;
            }
            Ok(())
        });
    }
    builder.init();
}
