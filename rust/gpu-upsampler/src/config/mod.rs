//! The configuration: built-in defaults, the main file, then its fragments.
//!
//! - [`raw`]: what a file may say
//! - [`overlay`]: what listeners' settings say instead
//!
//! Each file is parsed alone, so that an error names the file and the line in
//! it; what only shows when all are put together (one value against another)
//! is checked last.

mod overlay;
mod raw;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use totton_protocol::{CardDevice, Headroom, Sound, UsbId};

use crate::error::Error;
use crate::sample::SampleFormat;

/// Where the configuration is unless `--config` says otherwise.
pub const DEFAULT_FILE: &str = "/etc/totton-audio/upsampler.toml";

/// Where filters lie that were put on the device, beside the configuration's own.
pub const DATA_FILTERS: &str = "/opt/totton_audio/data/filters";

/// The most channels that can be configured.
pub const MAX_CHANNELS: usize = 8;

/// Rates in Hz that the input may have.
pub const INPUT_RATES: [u32; 6] = [44_100, 48_000, 88_200, 96_000, 176_400, 192_000];

/// Output frames for each input frame that can be configured.
pub const RATIOS: [usize; 5] = [1, 2, 4, 8, 16];

/// The family of an input rate: 44100 or 48000 Hz, whichever it is a multiple of.
pub fn rate_family(rate: u32) -> u32 {
    if rate.is_multiple_of(44_100) { 44_100 } else { 48_000 }
}

/// The whole configuration, checked.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// How long to wait for absent devices before telling systemd that the service is ready.
    pub startup_grace: Duration,
    pub capture: Capture,
    pub playback: Playback,
    pub engine: Engine,
    pub filter: Filter,
    pub output: Output,
    pub realtime: Realtime,
    pub settings: SettingsPlace,
}

/// The input.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Capture {
    /// ALSA name.
    pub device: String,
    pub rate: CaptureRate,
    pub drift: DriftChoice,
    pub channels: usize,
    /// In the order of preference.
    pub formats: Vec<SampleFormat>,
    pub period: Duration,
    pub buffer: Duration,
}

/// How the input's rate is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureRate {
    /// The gadget's control `Capture Rate` tells what the host has chosen.
    Auto,
    /// Hz.
    Fixed(u32),
}

/// What follows the difference between the input's clock and the DAC's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DriftChoice {
    /// The input's own control where it has one, else the resampler.
    Auto,
    /// The resampler.
    Resample,
    /// Nothing: both have the same clock.
    None,
}

/// The DAC.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Playback {
    pub device: PlaybackChoice,
    /// In the order of preference.
    pub formats: Vec<SampleFormat>,
    pub period: Duration,
    pub buffer: Duration,
    /// Sound in the buffer before the DAC starts, and on average while it plays.
    pub prefill: Duration,
    /// The highest rate in Hz that is chosen when the ratio is left open.
    pub max_rate: u32,
}

/// Which DAC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlaybackChoice {
    /// The first card with the driver `USB-Audio`.
    Auto,
    /// By what it is on the USB.
    Usb(UsbId),
    /// By the sound card.
    Card(CardDevice),
    /// By another name that alsa-lib knows: a plug-in, which may do anything. Only the
    /// configuration's files can say this, and they are root's.
    Named(String),
}

/// The convolution engine.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Engine {
    pub backend: Backend,
    pub ratio: RatioChoice,
    /// Input frames in one block.
    pub block_frames: usize,
    pub precision: Precision,
}

/// How many output frames are made of each input frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RatioChoice {
    /// As many as the DAC takes.
    Auto,
    /// One of [`RATIOS`].
    Fixed(usize),
}

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    Auto,
    Cpu,
    Cuda,
}

/// The arithmetic inside the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    F32,
    F64,
}

/// Where the filters are.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Filter {
    template: String,
}

impl Filter {
    /// The file for inputs of the rate family `family` (Hz) at `ratio`.
    pub fn path(&self, family: u32, ratio: usize) -> PathBuf {
        self.template
            .replace("{family}", &family.to_string())
            .replace("{ratio}", &ratio.to_string())
            .into()
    }

    /// The path with its placeholders.
    pub fn template(&self) -> &str {
        &self.template
    }

    /// Whether each ratio has a file of its own.
    pub fn is_per_ratio(&self) -> bool {
        self.template.contains("{ratio}")
    }

    /// Whether each rate family has a file of its own.
    pub fn is_per_family(&self) -> bool {
        self.template.contains("{family}")
    }
}

/// What happens to the sound after the engine.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Output {
    /// dB, at most 0.
    pub gain_db: f64,
    pub mute: bool,
    pub headroom: Headroom,
    /// dB, of the headroom `fixed`.
    pub headroom_db: f64,
}

impl Output {
    fn of(sound: &Sound) -> Self {
        let Sound { gain_db, mute, headroom, headroom_db, .. } = *sound;
        Self { gain_db, mute, headroom, headroom_db }
    }

    /// The sound at the first start.
    pub fn sound(&self) -> Sound {
        let Self { gain_db, mute, headroom, headroom_db } = *self;
        Sound { gain_db, mute, headroom, headroom_db, ..Sound::default() }
    }

    /// Puts into `sound` what is other than `before`: what was set on the page meanwhile stays.
    pub fn change(&self, sound: &mut Sound, before: &Self) {
        if self.gain_db != before.gain_db {
            sound.gain_db = self.gain_db;
        }
        if self.mute != before.mute {
            sound.mute = self.mute;
        }
        if (self.headroom, self.headroom_db) != (before.headroom, before.headroom_db) {
            (sound.headroom, sound.headroom_db) = (self.headroom, self.headroom_db);
        }
    }
}

/// How the audio threads are favoured.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Realtime {
    /// SCHED_FIFO priority of the audio threads; 0: normal scheduling.
    pub priority: i32,
    pub lock_memory: bool,
    /// Processors that the audio threads are bound to; empty: any.
    pub cpus: Vec<usize>,
}

/// Where the listeners' settings are kept.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SettingsPlace {
    pub file: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        use SampleFormat::{S16, S24, S24In3, S32};
        Self {
            startup_grace: Duration::from_secs(8),
            capture: Capture {
                device: "hw:UAC2Gadget,0".to_owned(),
                rate: CaptureRate::Auto,
                drift: DriftChoice::Auto,
                channels: 2,
                formats: vec![S32, S24, S24In3, S16],
                period: Duration::from_millis(5),
                buffer: Duration::from_millis(80),
            },
            playback: Playback {
                device: PlaybackChoice::Auto,
                formats: vec![S32, S24, S24In3, S16],
                period: Duration::from_millis(10),
                buffer: Duration::from_millis(200),
                prefill: Duration::from_millis(100),
                max_rate: 768_000,
            },
            engine: Engine {
                backend: Backend::Auto,
                ratio: RatioChoice::Auto,
                block_frames: 1024,
                precision: Precision::F64,
            },
            filter: Filter {
                template: "/opt/totton_audio/filters/{family}-x{ratio}.filter".to_owned(),
            },
            output: Output::of(&Sound::default()),
            realtime: Realtime { priority: 60, lock_memory: true, cpus: vec![] },
            settings: SettingsPlace {
                file: "/opt/totton_audio/data/upsampler/settings.json".into(),
            },
        }
    }
}

impl Config {
    /// Reads `file`, then `*.toml` in the folder of the same name with `.d`
    /// for `.toml`, in lexical order; later files win, key by key.
    ///
    /// # Errors
    /// When `file` is missing, or any file is unreadable or says what is not accepted.
    pub fn load(file: &Path) -> Result<Self, Error> {
        let mut config = Self::default();
        config.apply_file(file)?;
        for fragment in fragments(&file.with_extension("d"))? {
            config.apply_file(&fragment)?;
        }
        config.check(file)?;
        Ok(config)
    }

    /// The configuration that `text` makes alone; `file` is its name in errors.
    ///
    /// # Errors
    /// When `text` says what is not accepted.
    pub fn from_text(text: &str, file: &Path) -> Result<Self, Error> {
        let mut config = Self::default();
        config.apply_text(text, file)?;
        config.check(file)?;
        Ok(config)
    }

    fn apply_file(&mut self, file: &Path) -> Result<(), Error> {
        let text = fs::read_to_string(file)
            .map_err(|source| Error::ConfigRead { file: file.to_owned(), source })?;
        self.apply_text(&text, file)
    }

    fn apply_text(&mut self, text: &str, file: &Path) -> Result<(), Error> {
        let raw: raw::File = toml::from_str(text).map_err(|source| Error::ConfigParse {
            file: file.to_owned(),
            source: Box::new(source),
        })?;
        let milliseconds = |ms: usize| Duration::from_millis(ms as u64);
        set(&mut self.startup_grace, raw.startup_grace_seconds, |s| Duration::from_secs_f64(s.0));

        let capture = &mut self.capture;
        set(&mut capture.device, raw.capture.device, |name| name.0);
        set(&mut capture.rate, raw.capture.rate, |rate| rate);
        set(&mut capture.drift, raw.capture.drift, |choice| choice);
        set(&mut capture.channels, raw.capture.channels, |n| n.0);
        set(&mut capture.formats, raw.capture.formats, |formats| formats.0);
        set(&mut capture.period, raw.capture.period_ms, |ms| milliseconds(ms.0));
        set(&mut capture.buffer, raw.capture.buffer_ms, |ms| milliseconds(ms.0));

        let playback = &mut self.playback;
        set(&mut playback.device, raw.playback.device, |choice| choice);
        set(&mut playback.formats, raw.playback.formats, |formats| formats.0);
        set(&mut playback.period, raw.playback.period_ms, |ms| milliseconds(ms.0));
        set(&mut playback.buffer, raw.playback.buffer_ms, |ms| milliseconds(ms.0));
        set(&mut playback.prefill, raw.playback.prefill_ms, |ms| milliseconds(ms.0));
        set(&mut playback.max_rate, raw.playback.max_rate, |hz| hz.0 as u32);

        let engine = &mut self.engine;
        set(&mut engine.backend, raw.engine.backend, |backend| backend);
        set(&mut engine.ratio, raw.engine.ratio, |ratio| ratio);
        set(&mut engine.block_frames, raw.engine.block_frames, |frames| frames.0);
        set(&mut engine.precision, raw.engine.precision, |precision| precision);

        set(&mut self.filter.template, raw.filter.path, |path| path.0);
        set(&mut self.output.gain_db, raw.output.gain_db, |db| db.0);
        set(&mut self.output.mute, raw.output.mute, |mute| mute);
        set(&mut self.output.headroom, raw.output.headroom, |headroom| headroom);
        set(&mut self.output.headroom_db, raw.output.headroom_db, |db| db.0);
        set(&mut self.realtime.priority, raw.realtime.priority, |n| n.0 as i32);
        set(&mut self.realtime.lock_memory, raw.realtime.lock_memory, |lock| lock);
        set(&mut self.realtime.cpus, raw.realtime.cpus, |cpus| {
            cpus.into_iter().map(|cpu| cpu.0).collect()
        });
        set(&mut self.settings.file, raw.settings.file, |file| file);
        Ok(())
    }

    fn check(&self, file: &Path) -> Result<(), Error> {
        let wrong = |key, found: String, accepted: String| {
            Err(Error::ConfigValue { file: file.to_owned(), key, found, accepted })
        };
        let half = |buffer: Duration| format!("at most half of its buffer_ms, {buffer:?}");
        let Self { capture, playback, .. } = self;
        if capture.period * 2 > capture.buffer {
            return wrong(
                "capture.period_ms",
                format!("{:?}", capture.period),
                half(capture.buffer),
            );
        }
        if playback.period * 2 > playback.buffer {
            return wrong(
                "playback.period_ms",
                format!("{:?}", playback.period),
                half(playback.buffer),
            );
        }
        if playback.prefill + playback.period > playback.buffer {
            return wrong(
                "playback.prefill_ms",
                format!("{:?}", playback.prefill),
                format!(
                    "at most playback.buffer_ms less one period_ms, {:?}",
                    playback.buffer - playback.period
                ),
            );
        }
        let lowest = match capture.rate {
            CaptureRate::Auto => INPUT_RATES[0],
            CaptureRate::Fixed(rate) => rate,
        };
        let block = Duration::from_secs_f64(self.engine.block_frames as f64 / f64::from(lowest));
        // Sound comes a block at a time: with less in the buffer it runs dry between two blocks.
        if block > playback.prefill {
            return wrong(
                "engine.block_frames",
                format!("{} ({block:.1?} at {lowest} Hz)", self.engine.block_frames),
                format!("blocks of at most playback.prefill_ms, {:?}", playback.prefill),
            );
        }
        if self.engine.backend == Backend::Cuda && cfg!(not(feature = "cuda")) {
            return wrong(
                "engine.backend",
                "\"cuda\"".to_owned(),
                "\"auto\" or \"cpu\": this build has no CUDA engine".to_owned(),
            );
        }
        Ok(())
    }
}

fn set<R, T>(place: &mut T, found: Option<R>, convert: impl FnOnce(R) -> T) {
    if let Some(value) = found {
        *place = convert(value);
    }
}

/// The fragments in `folder`, in lexical order; none when there is no such folder.
fn fragments(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::ConfigRead { file: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        Err(error) => return Err(failed(error)),
    };
    let mut files = vec![];
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests;
