//! A progress bar on standard error, when that is a terminal.

use std::io::{IsTerminal, Write};

const WIDTH: usize = 40;

pub struct Progress {
    terminal: bool,
    shown: bool,
}

impl Progress {
    pub fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), shown: false }
    }

    /// Draws the bar: the work done, 0 to 1, and what is under way.
    pub fn show(&mut self, done: f64, what: &str) {
        if !self.terminal {
            return;
        }
        let filled = (done.clamp(0.0, 1.0) * WIDTH as f64) as usize;
        eprint!("\r[{:<WIDTH$}] {:3.0} %  {what:<20}", "#".repeat(filled), done * 100.0);
        // A bar that cannot be drawn is no reason to stop the work.
        let _ = std::io::stderr().flush();
        self.shown = true;
    }

    /// Ends the bar's line.
    pub fn finish(&mut self) {
        if std::mem::take(&mut self.shown) {
            eprintln!();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}
