//! The engine over a file: what the daemon would play, without the daemon.
//!
//! The first output frame is made of the first tap, the output has the input's
//! frames times the ratio, and an integer format is rounded as the daemon
//! rounds it, so the two can be compared sample for sample.

use std::path::PathBuf;

use crate::audio::process;
use crate::backend;
use crate::config::{self, CaptureRate, Config, MAX_CHANNELS};
use crate::error::Error;
use crate::filters::{FilterSet, LoadedFilter};
use crate::sample::Encoding;
use crate::wav::{Reader, Spec, Writer};

/// What to render.
#[derive(Debug)]
pub struct Job {
    pub input: PathBuf,
    pub output: PathBuf,
    /// Instead of the configuration's.
    pub filter: Option<PathBuf>,
    pub block_frames: Option<usize>,
    pub precision: Option<config::Precision>,
    pub encoding: Encoding,
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

/// Renders `job`; `progress` hears the part that is done, 0 to 1, after each block.
///
/// `config` says what the job leaves open; it is only asked for then.
///
/// # Errors
/// When a file cannot be read or written, or the engine not be made.
pub fn render(
    job: &Job,
    config: impl FnOnce() -> Result<Config, Error>,
    mut progress: impl FnMut(f64),
) -> Result<Summary, Error> {
    let mut reader = Reader::open(&job.input)?;
    let Spec { rate, channels, .. } = reader.spec();
    if channels > MAX_CHANNELS {
        let reason = format!("it has {channels} channels; accepted: 1 to {MAX_CHANNELS}");
        return Err(Error::Wav { file: job.input.clone(), reason });
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
    let mut settings = config.engine;
    settings.block_frames = job.block_frames.unwrap_or(settings.block_frames);
    settings.precision = job.precision.unwrap_or(settings.precision);
    let mut engine = backend::build(&settings, &filter, channels)?;

    let (block, ratio) = (engine.block_frames(), engine.ratio());
    let out_rate = u32::try_from(u64::from(rate) * ratio as u64).map_err(|_| Error::Engine {
        reason: format!("{rate} Hz times {ratio} is no rate that a WAV file can have"),
    })?;
    let spec = Spec { rate: out_rate, channels, encoding: job.encoding };
    let mut writer = Writer::create(&job.output, spec)?;
    let mut given = vec![vec![0.0; block]; channels];
    let mut made = vec![vec![0.0; block * ratio]; channels];
    let total = reader.frames_left();
    let mut clipped_samples = 0;
    loop {
        let frames = reader.read(&mut given, block)?;
        if frames == 0 {
            break;
        }
        given.iter_mut().for_each(|plane| plane[frames..].fill(0.0));
        process(engine.as_mut(), &given, &mut made);
        clipped_samples += writer.write(&made, frames * ratio)?;
        progress(1.0 - reader.frames_left() as f64 / total as f64);
    }
    writer.finish()?;
    Ok(Summary { frames: total * ratio as u64, rate: out_rate, clipped_samples })
}

#[cfg(test)]
mod tests {
    use super::*;
    use totton_dsp::{Filter, Origin, Phase};

    fn filter(file: &std::path::Path, taps: Vec<f64>) {
        let origin = Origin::Imported { source: "test".to_owned() };
        Filter::new(44_100, 2, Phase::Unknown, origin, taps).unwrap().save(file).unwrap();
    }

    #[test]
    fn the_first_frame_is_the_first_tap_and_no_frame_is_added() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name| folder.path().join(name);
        // An impulse of 0.5 through the taps 1, 2, 3, 4, 5 at the ratio 2.
        filter(&place("taps.filter"), vec![1.0, 2.0, 3.0, 4.0, 5.0]);
        let spec = Spec { rate: 44_100, channels: 1, encoding: Encoding::F64 };
        let mut writer = Writer::create(&place("in.wav"), spec).unwrap();
        let mut impulse = vec![0.0; 100];
        impulse[0] = 0.5;
        writer.write(&[impulse], 100).unwrap();
        writer.finish().unwrap();
        let job = Job {
            input: place("in.wav"),
            output: place("out.wav"),
            filter: Some(place("taps.filter")),
            block_frames: Some(64),
            precision: Some(config::Precision::F64),
            encoding: Encoding::F64,
        };
        let mut heard = vec![];
        let summary = render(&job, || unreachable!("all is given"), |p| heard.push(p)).unwrap();
        assert_eq!(summary, Summary { frames: 200, rate: 88_200, clipped_samples: 0 });
        assert_eq!(heard, [0.64, 1.0]);
        let mut planes = vec![vec![0.0; 200]];
        assert_eq!(Reader::open(&job.output).unwrap().read(&mut planes, 200).unwrap(), 200);
        for (i, expected) in [0.5, 1.0, 1.5, 2.0, 2.5, 0.0, 0.0].into_iter().enumerate() {
            assert!((planes[0][i] - expected).abs() < 1e-14, "{i}: {}", planes[0][i]);
        }
    }
}
