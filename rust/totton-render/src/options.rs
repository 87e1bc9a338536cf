//! The command line, for this crate's program and for `render` of the audio daemon's.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use totton_dsp::filter::RATIOS;
use totton_dsp::sample::{Encoding, SampleFormat};
use totton_dsp::{Engine, Equaliser, Filter};

use crate::design::{Cache, Wish};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::output;
use crate::rate::ratio;
use crate::render::{Progress, Summary, Target, render};
use crate::source::Source;

/// What to render, with what, into what.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// WAV (PCM of 16, 24, 32 bits, floating point of 32, 64) or FLAC; `-` is standard input.
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// WAV; `-` is standard output.
    #[arg(value_name = "OUT")]
    pub output: PathBuf,

    /// A filter file, as `totton-filter` makes them.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["taps", "phase"])]
    pub filter: Option<PathBuf>,
    /// Design a filter of so many taps at the output rate.
    #[arg(long, value_name = "N")]
    pub taps: Option<usize>,
    /// Design a filter of this phase.
    #[arg(long)]
    pub phase: Option<Phase>,
    /// An equaliser text of Equalizer APO or AutoEQ, folded into the filter.
    #[arg(long, value_name = "FILE")]
    pub eq: Option<PathBuf>,

    /// The output's rate in Hz: the input's times 1, 2, 4, 8 or 16 [default: the highest up to
    /// 768000 that the filter is for].
    #[arg(long, value_name = "HZ")]
    pub rate: Option<u32>,
    /// The samples of the output: 16 and 24 bits are dithered, 32 bits are rounded, floating
    /// point is neither scaled nor dithered.
    #[arg(long, default_value = "s32")]
    pub format: Format,
    /// Replace OUT when it is there.
    #[arg(long)]
    pub force: bool,

    /// Input frames in one block, a power of two.
    #[arg(long, value_name = "FRAMES")]
    pub block: Option<usize>,
    /// The engine's arithmetic.
    #[arg(long)]
    pub precision: Option<Precision>,
}

/// The phases that can be designed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Phase {
    Linear,
    Minimum,
    Mixed,
}

impl From<Phase> for totton_dsp::Phase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Linear => Self::Linear,
            Phase::Minimum => Self::Minimum,
            Phase::Mixed => Self::Mixed,
        }
    }
}

/// The engine's arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Precision {
    F32,
    F64,
}

impl From<Precision> for totton_dsp::Precision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::F64 => Self::F64,
        }
    }
}

/// The samples of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    S16,
    S24,
    S32,
    F32,
    F64,
}

impl From<Format> for Encoding {
    fn from(format: Format) -> Self {
        match format {
            Format::S16 => Self::Integer(SampleFormat::S16),
            Format::S24 => Self::Integer(SampleFormat::S24In3),
            Format::S32 => Self::Integer(SampleFormat::S32),
            Format::F32 => Self::F32,
            Format::F64 => Self::F64,
        }
    }
}

impl Options {
    /// Opens what is there to be read, when the output can be written: before a filter is designed.
    ///
    /// # Errors
    /// As [`Source::open`] and [`output::check`]; [`Error::Equaliser`] when its text cannot be read.
    pub fn open(&self) -> Result<(Source, Option<Equaliser>), Error> {
        let extension = self.output.extension().unwrap_or_default().to_ascii_lowercase();
        if ["flac", "mp3", "m4a", "ogg", "opus", "aiff"].iter().any(|other| extension == *other) {
            let reason = "WAV is written, and nothing else: name it .wav";
            return Err(Error::SoundFile { file: self.output.clone(), reason: reason.to_owned() });
        }
        output::check(&self.output, self.force)?;
        let source = Source::open(&self.input)?;
        let equaliser = self.eq.as_deref().map(Equaliser::load).transpose();
        Ok((source, equaliser.map_err(Error::Equaliser)?))
    }

    /// Whether a filter is asked for.
    #[must_use]
    pub fn names_filter(&self) -> bool {
        self.filter.is_some() || self.taps.is_some() || self.phase.is_some()
    }

    /// The filter for inputs of `rate` Hz, without the equaliser: the file, or a design, which
    /// the user's cache keeps; without a wish the product's own.
    ///
    /// # Errors
    /// [`Error::Filter`] when it cannot be had, [`Error::Rate`] when it is not for this rate.
    pub fn filter(&self, rate: u32) -> Result<Filter, Error> {
        if let Some(file) = &self.filter {
            let filter = Filter::load(file).map_err(Error::Filter)?;
            let ratio = ratio(rate, self.rate, filter.header().ratio)?;
            let made_for = filter.header().input_rate_hz;
            if made_for != rate {
                say(&format!(
                    "{}: made for {made_for} Hz; its frequencies scale with the rate, {rate} Hz",
                    file.display()
                ));
            }
            return filter.at(rate, ratio).map_err(Error::Filter);
        }
        let [.., largest] = RATIOS;
        let ratio = ratio(rate, self.rate, largest)?;
        let own = Wish::default();
        let wish = Wish { taps: self.taps, phase: self.phase.map_or(own.phase, Into::into) };
        let bar = Bar::new();
        let designed = Cache::of_user().design(wish, (rate, ratio), &mut |done, _| {
            bar.show("designing the filter", (done * 1000.0) as u64, Some(1000));
        })?;
        bar.end();
        match (&designed.file, &designed.problem) {
            (Some(file), _) => say(&format!("filter: {}", file.display())),
            (None, Some(problem)) => say(&format!("the filter cannot be kept: {problem}")),
            (None, None) => {}
        }
        Ok(designed.filter)
    }

    /// Renders, with a bar while standard error is a terminal, and says what came of it.
    ///
    /// # Errors
    /// As [`render`]; [`Error::Interrupted`] after SIGINT or SIGTERM.
    pub fn render(&self, source: &mut Source, engine: &mut dyn Engine) -> Result<(), Error> {
        let target =
            Target { file: self.output.clone(), replace: self.force, encoding: self.format.into() };
        // Without it an interrupted render leaves its unfinished file.
        let interrupt = Interrupt::listen().ok();
        let bar = Bar::new();
        let summary = render(source, engine, &target, |Progress { done, total }| {
            bar.show("rendering", done, total);
            match &interrupt {
                Some(interrupt) if interrupt.asked() => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        })?;
        bar.end();
        self.tell(&summary);
        Ok(())
    }

    fn tell(&self, summary: &Summary) {
        let Summary { frames, rate, clipped_samples } = summary;
        let name = self.output.display();
        let mut text = format!(
            "{name}: {frames} frames at {rate} Hz, {clipped_samples} samples limited to full scale"
        );
        if *clipped_samples > 0 {
            text += " (an equaliser text with the line \"Preamp: -3 dB\" makes room)";
        }
        if crate::is_standard(&self.output) {
            say(&text);
        } else {
            // A reader of this that has gone away is no fault.
            let _ = writeln!(std::io::stdout(), "{text}");
        }
    }
}

/// `filter` with an equaliser in it, if there is one.
///
/// # Errors
/// [`Error::Equaliser`] when it does not fit the filter's rate.
pub fn equalised(filter: Filter, equaliser: Option<&Equaliser>) -> Result<Filter, Error> {
    match equaliser {
        Some(equaliser) => equaliser.apply(&filter).map_err(Error::Equaliser),
        None => Ok(filter),
    }
}

/// To standard error: standard output may be the sound.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A bar, hidden where standard error is no terminal.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        Self(ProgressBar::new_spinner())
    }

    fn show(&self, what: &'static str, done: u64, total: Option<u64>) {
        if self.0.length().is_none()
            && let Some(total) = total
        {
            self.0.set_length(total);
            self.0.set_message(what);
            // A template that cannot be read would only make the bar plain.
            let style =
                ProgressStyle::with_template("[{bar:40}] {percent:>3} %  {msg}, {eta} left")
                    .unwrap_or_else(|_| ProgressStyle::default_bar());
            self.0.set_style(style.progress_chars("## "));
        }
        self.0.set_position(done);
    }

    fn end(&self) {
        self.0.finish_and_clear();
    }
}
