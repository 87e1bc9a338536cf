//! The engine over a file: what the daemon would play, without the daemon.
//!
//! - [`source`]: the file that is rendered, WAV or FLAC
//!
//! The first output frame is made of the first tap, and the output has the
//! input's frames times the ratio. An integer format is dithered and rounded as
//! the daemon does it, so the two can be compared sample for sample; floating
//! point is neither scaled nor dithered.

pub mod source;

use std::path::PathBuf;
use std::sync::Arc;

use totton_dsp::{Equaliser, Filter};

use crate::audio::process;
use crate::backend;
use crate::config::{self, CaptureRate, Config, MAX_CHANNELS};
use crate::error::Error;
use crate::filters::{FilterSet, LoadedFilter};
use crate::sample::Encoding;
use crate::wav::{Spec, Writer};
use source::Source;

/// What to render.
#[derive(Debug)]
pub struct Job {
    /// WAV or FLAC.
    pub input: PathBuf,
    /// WAV.
    pub output: PathBuf,
    /// Instead of the configuration's.
    pub filter: Option<PathBuf>,
    /// An equaliser text to fold into the filter.
    pub equaliser: Option<PathBuf>,
    pub block_frames: Option<usize>,
    pub precision: Option<config::Precision>,
    /// What computes.
    pub backend: Option<config::Backend>,
    pub encoding: Encoding,
}

/// How far a job is, in input frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    /// `None` while nobody knows.
    pub total: Option<u64>,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Summary {
    /// Frames written.
    pub frames: u64,
    /// Rate of the output in Hz.
    pub rate: u32,
    /// Samples that had to be limited to full scale.
    pub clipped_samples: u64,
}

/// Renders `job`; `progress` hears how far it is after each block.
///
/// `config` says what the job leaves open; it is only asked for then.
///
/// # Errors
/// When a file cannot be read or written, or the engine not be made. Then the
/// output is not there, or is what it was before.
pub fn render(
    job: &Job,
    config: impl FnOnce() -> Result<Config, Error>,
    mut progress: impl FnMut(Progress),
) -> Result<Summary, Error> {
    let mut source = Source::open(&job.input)?;
    let (rate, channels) = (source.rate(), source.channels());
    if channels > MAX_CHANNELS {
        let reason = format!("it has {channels} channels; accepted: 1 to {MAX_CHANNELS}");
        return Err(Error::SoundFile { file: job.input.clone(), reason });
    }
    let all_given = job.filter.is_some() && job.block_frames.is_some() && job.precision.is_some();
    let mut config = if all_given { Config::default() } else { config()? };
    let filter = match &job.filter {
        Some(file) => LoadedFilter::load(file)?.filter,
        None => {
            // What the daemon would choose for a DAC that accepts every rate.
            config.capture.rate = CaptureRate::Fixed(rate);
            FilterSet::load(&config)?.choose(&config, rate, |_| true)?.filter
        }
    };
    let filter = equalised(job, filter)?;
    let mut settings = config.engine;
    settings.block_frames = job.block_frames.unwrap_or(settings.block_frames);
    settings.precision = job.precision.unwrap_or(settings.precision);
    settings.backend = job.backend.unwrap_or(settings.backend);
    let mut engine = backend::build(&settings, &filter, channels)?;

    let (block, ratio) = (engine.block_frames(), engine.ratio());
    let out_rate = u32::try_from(u64::from(rate) * ratio as u64).map_err(|_| Error::Engine {
        reason: format!("{rate} Hz times {ratio} is no rate that a WAV file can have"),
    })?;
    let spec = Spec { rate: out_rate, channels, encoding: job.encoding };
    let mut writer = Writer::create(&job.output, spec)?;
    let mut given = vec![vec![0.0; block]; channels];
    let mut made = vec![vec![0.0; block * ratio]; channels];
    let total = source.frames_left();
    let (mut done, mut clipped_samples) = (0, 0);
    loop {
        let frames = source.read(&mut given, block)?;
        if frames == 0 {
            break;
        }
        given.iter_mut().for_each(|plane| plane[frames..].fill(0.0));
        process(engine.as_mut(), &given, &mut made);
        clipped_samples += writer.write(&made, frames * ratio)?;
        done += frames as u64;
        progress(Progress { done, total });
    }
    writer.finish()?;
    Ok(Summary { frames: done * ratio as u64, rate: out_rate, clipped_samples })
}

/// The filter with the job's equaliser in it.
fn equalised(job: &Job, filter: Arc<Filter>) -> Result<Arc<Filter>, Error> {
    let Some(file) = &job.equaliser else { return Ok(filter) };
    let bad = |error: totton_dsp::Error| Error::Equaliser {
        file: file.clone(),
        reason: error.to_string(),
    };
    let equaliser = Equaliser::load(file).map_err(bad)?;
    equaliser.apply(&filter).map(Arc::new).map_err(bad)
}

#[cfg(test)]
mod tests;
