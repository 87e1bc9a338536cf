//! A progress bar on standard error, when that is a terminal.

use std::borrow::Cow;

use indicatif::{ProgressBar, ProgressStyle};

const STEPS: u64 = 1000;

pub struct Progress(ProgressBar);

impl Progress {
    pub fn new() -> Self {
        // A template that cannot be read would only make the bar plain.
        let style = ProgressStyle::with_template("[{bar:40}] {percent:>3} %  {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::new(STEPS).with_style(style.progress_chars("## ")))
    }

    /// Draws the bar: the work done, 0 to 1, and what is under way.
    pub fn show(&mut self, done: f64, what: impl Into<Cow<'static, str>>) {
        self.0.set_message(what);
        self.0.set_position((done.clamp(0.0, 1.0) * STEPS as f64) as u64);
    }

    /// Leaves the bar as it is and ends its line.
    pub fn finish(&mut self) {
        self.0.abandon();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}
