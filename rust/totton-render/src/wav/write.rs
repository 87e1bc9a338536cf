//! Writing a WAV file.

use std::io;
use std::path::Path;

use totton_dsp::dither::Dither;
use totton_dsp::sample::Encoding;

use super::{EXTENSIBLE, FLOAT, PCM, SUBFORMAT, Spec, UNKNOWN};
use crate::error::Error;
use crate::output::Output;

/// A WAV file being written. It appears under its name when it is whole: call
/// [`finish`](Self::finish). Dropped before that, it leaves nothing behind.
#[must_use]
pub struct Writer {
    output: Output,
    spec: Spec,
    /// Bytes of samples that the header of a pipe has promised.
    promised: Option<u64>,
    data_bytes: u64,
    /// From this size on the file is RF64.
    short_limit: u64,
    dither: Dither,
    bytes: Vec<u8>,
}

/// Bytes before the samples: RIFF, ds64 or its place, fmt, data.
const HEADER_BYTES: u64 = 12 + 36 + 48 + 8;

impl Writer {
    /// Begins a file; `-` is standard output. `replace`: it may take the place of another.
    /// `frames`: how many will come; only a pipe has to know, and may do without.
    ///
    /// # Errors
    /// When it cannot be written, or is there and shall not be replaced.
    pub fn create(
        file: &Path,
        replace: bool,
        spec: Spec,
        frames: Option<u64>,
    ) -> Result<Self, Error> {
        let output = Output::create(file, replace)?;
        Self::with_limit(output, spec, frames, u64::from(u32::MAX) - HEADER_BYTES)
    }

    pub(super) fn with_limit(
        output: Output,
        spec: Spec,
        frames: Option<u64>,
        short_limit: u64,
    ) -> Result<Self, Error> {
        let dither = spec.encoding.dither(spec.channels);
        let promised = frames.filter(|_| !output.is_file());
        let promised = promised.map(|frames| frames * spec.frame_bytes() as u64);
        let mut writer =
            Self { output, spec, promised, data_bytes: 0, short_limit, dither, bytes: vec![] };
        // A file's header is written again at its end.
        let header = writer.header(promised);
        writer.output.write(&header)?;
        Ok(writer)
    }

    /// The header before so many bytes of samples; `None`: nobody knows.
    fn header(&self, data_bytes: Option<u64>) -> Vec<u8> {
        let long = data_bytes.is_some_and(|bytes| bytes > self.short_limit);
        let Spec { rate, channels, encoding } = self.spec;
        let short_size = |size: u64| match data_bytes {
            Some(_) if !long => size as u32,
            _ => UNKNOWN,
        };
        let data_bytes = data_bytes.unwrap_or(0);
        let riff_bytes = HEADER_BYTES - 8 + data_bytes + data_bytes % 2;
        let frame_bytes = self.spec.frame_bytes();
        let kind = match encoding {
            Encoding::Integer(_) => PCM,
            Encoding::F32 | Encoding::F64 => FLOAT,
        };
        let mut head = Vec::with_capacity(HEADER_BYTES as usize);
        head.extend_from_slice(if long { b"RF64" } else { b"RIFF" });
        head.extend_from_slice(&short_size(riff_bytes).to_le_bytes());
        head.extend_from_slice(b"WAVE");
        head.extend_from_slice(if long { b"ds64" } else { b"JUNK" });
        head.extend_from_slice(&28u32.to_le_bytes());
        for size in [riff_bytes, data_bytes, data_bytes / frame_bytes as u64] {
            head.extend_from_slice(&if long { size } else { 0 }.to_le_bytes());
        }
        head.extend_from_slice(&0u32.to_le_bytes());
        head.extend_from_slice(b"fmt ");
        head.extend_from_slice(&40u32.to_le_bytes());
        head.extend_from_slice(&EXTENSIBLE.to_le_bytes());
        head.extend_from_slice(&(channels as u16).to_le_bytes());
        head.extend_from_slice(&rate.to_le_bytes());
        head.extend_from_slice(&rate.wrapping_mul(frame_bytes as u32).to_le_bytes());
        head.extend_from_slice(&(frame_bytes as u16).to_le_bytes());
        let bits = (8 * encoding.bytes()) as u16;
        head.extend_from_slice(&bits.to_le_bytes());
        head.extend_from_slice(&22u16.to_le_bytes());
        head.extend_from_slice(&bits.to_le_bytes());
        // No channel is assigned to a loudspeaker beyond the first two.
        let mask: u32 = if channels == 2 { 3 } else { 0 };
        head.extend_from_slice(&mask.to_le_bytes());
        head.extend_from_slice(&kind.to_le_bytes());
        head.extend_from_slice(&SUBFORMAT);
        head.extend_from_slice(b"data");
        head.extend_from_slice(&short_size(data_bytes).to_le_bytes());
        debug_assert_eq!(head.len() as u64, HEADER_BYTES);
        head
    }

    /// Appends the first `frames` frames; tells how many samples had to be limited.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&mut self, planes: &[Vec<f64>], frames: usize) -> Result<u64, Error> {
        self.bytes.resize(frames * self.spec.frame_bytes(), 0);
        let limited =
            self.spec.encoding.encode(planes, 0..frames, &mut self.bytes, &mut self.dither);
        self.output.write(&self.bytes)?;
        self.data_bytes += self.bytes.len() as u64;
        Ok(limited)
    }

    /// Completes the header and the file.
    ///
    /// # Errors
    /// When the file cannot be written, or not put in its place.
    pub fn finish(mut self) -> Result<(), Error> {
        if let Some(promised) = self.promised
            && promised != self.data_bytes
        {
            let reason = format!("{promised} bytes were promised, {} came", self.data_bytes);
            let file = self.output.file().to_owned();
            return Err(Error::Write { file, source: io::Error::other(reason) });
        }
        if self.data_bytes % 2 == 1 {
            self.output.write(&[0])?;
        }
        let header = self.output.is_file().then(|| self.header(Some(self.data_bytes)));
        self.output.finish(header.as_deref())
    }
}
