//! Log lines on stderr, as journald reads them.

use std::io::Write;

use log::Level;

/// The HTTP server logs its own start, and each client's bad request as an error of its own.
const DEFAULT_FILTER: &str = "info,actix_server=warn,actix_http=off";

/// Starts logging; `RUST_LOG` chooses the level, `info` by default.
///
/// Under journald (`JOURNAL_STREAM` is set) a line begins with its priority, as
/// in sd-daemon(3), and carries no time: the journal has its own.
pub fn init() {
    let mut builder =
        env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(DEFAULT_FILTER));
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        builder.format(|line, record| {
            writeln!(line, "<{}>{}", priority(record.level()), record.args())
        });
    }
    builder.init();
}

fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}
