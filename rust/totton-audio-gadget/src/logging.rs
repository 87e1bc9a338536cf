//! Log lines on stderr. Where the journal reads them they carry the priority that
//! sd-daemon(3) describes and no time, which the journal adds; elsewhere, level and time.

use std::io::Write;

use env_logger::{Builder, Env};
use log::Level;

/// Starts logging at level `info`, or as `RUST_LOG` says.
pub fn start() {
    let mut builder = Builder::from_env(Env::default().default_filter_or("info"));
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        builder.format(|line, record| {
            let priority = priority(record.level());
            // Each line of a message needs the prefix, or it gets the default priority.
            record
                .args()
                .to_string()
                .lines()
                .try_for_each(|text| writeln!(line, "{priority}{text}"))
        });
    }
    builder.init();
}

fn priority(level: Level) -> &'static str {
    match level {
        Level::Error => "<3>",
        Level::Warn => "<4>",
        Level::Info => "<6>",
        Level::Debug | Level::Trace => "<7>",
    }
}
