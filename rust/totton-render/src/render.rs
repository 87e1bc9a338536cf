//! The loop: blocks of sound through an engine into a file.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use totton_dsp::Engine;
use totton_dsp::sample::Encoding;

use crate::error::Error;
use crate::source::Source;
use crate::wav::{Spec, Writer};

/// Where the sound goes, and as what.
#[derive(Debug, Clone)]
pub struct Target {
    /// The WAV file; `-` is standard output.
    pub file: PathBuf,
    /// Whether it may take the place of a file.
    pub replace: bool,
    /// The samples: 16 and 24 bits are dithered, 32 bits are rounded, floating point is neither
    /// scaled nor dithered.
    pub encoding: Encoding,
}

impl Target {
    /// A new file of 24 bits.
    pub fn new(file: impl AsRef<Path>) -> Self {
        let encoding = Encoding::Integer(totton_dsp::sample::SampleFormat::S24In3);
        Self { file: file.as_ref().to_owned(), replace: false, encoding }
    }
}

/// How far a file is, in input frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    /// `None` while nobody knows.
    pub total: Option<u64>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Frames written.
    pub frames: u64,
    /// Rate of the output in Hz.
    pub rate: u32,
    /// Samples that had to be limited to full scale.
    pub clipped_samples: u64,
}

/// Renders `source` with `engine` into `target`; `progress` hears how far it is after each
/// block that was read, and may break it off.
///
/// The first output frame is made of the first tap, and the output has the input's frames
/// times the ratio: the filter's tail is left out.
///
/// # Errors
/// When a file cannot be read or written, and [`Error::Interrupted`]. Then the output is not
/// there, or is what it was before.
///
/// # Panics
/// When the engine is not for as many channels as the source has.
pub fn render(
    source: &mut Source,
    engine: &mut dyn Engine,
    target: &Target,
    mut progress: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Summary, Error> {
    let (input, channels) = (source.rate(), source.channels());
    let (block, ratio) = (engine.block_frames(), engine.ratio());
    let wanted = u64::from(input) * ratio as u64;
    let rate = u32::try_from(wanted).map_err(|_| {
        let possible = format!("what a WAV file can have, up to {} Hz", u32::MAX);
        Error::Rate { wanted, input, possible }
    })?;
    let total = source.frames_left();
    let spec = Spec { rate, channels, encoding: target.encoding };
    let frames = total.map(|frames| frames * ratio as u64);
    let mut writer = Writer::create(&target.file, target.replace, spec, frames)?;
    let mut given = vec![vec![0.0; block]; channels];
    let mut made = vec![vec![0.0; block * ratio]; channels];
    let (mut done, mut clipped_samples) = (0, 0);
    loop {
        let frames = source.read(&mut given, block)?;
        done += frames as u64;
        if progress(Progress { done, total }).is_break() {
            return Err(Error::Interrupted);
        }
        if frames == 0 {
            break;
        }
        given.iter_mut().for_each(|plane| plane[frames..].fill(0.0));
        let inputs: Vec<&[f64]> = given.iter().map(Vec::as_slice).collect();
        let mut outputs: Vec<&mut [f64]> = made.iter_mut().map(Vec::as_mut_slice).collect();
        engine.process(&inputs, &mut outputs);
        clipped_samples += writer.write(&made, frames * ratio)?;
        if frames < block {
            break;
        }
    }
    writer.finish()?;
    Ok(Summary { frames: done * ratio as u64, rate, clipped_samples })
}

#[cfg(test)]
mod tests;
