//! Writing a WAV file.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{EXTENSIBLE, FLOAT, PCM, SUBFORMAT, Spec};
use crate::dither::Dither;
use crate::error::Error;
use crate::sample::Encoding;

/// A WAV file being written. It appears under its name, in the place of what was
/// there, when it is whole: call [`finish`](Self::finish). Dropped before that, it
/// leaves nothing behind.
#[must_use]
pub struct Writer {
    file: PathBuf,
    /// Where it is written until it is whole; a device has its own name only.
    part: Option<PathBuf>,
    sink: BufWriter<File>,
    spec: Spec,
    data_bytes: u64,
    /// From this size on the file is RF64.
    short_limit: u64,
    dither: Dither,
    bytes: Vec<u8>,
}

/// Bytes before the samples: RIFF, ds64 or its place, fmt, data.
const HEADER_BYTES: u64 = 12 + 36 + 48 + 8;

impl Writer {
    /// Begins a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(file: &Path, spec: Spec) -> Result<Self, Error> {
        Self::with_limit(file, spec, u64::from(u32::MAX) - HEADER_BYTES)
    }

    pub(super) fn with_limit(file: &Path, spec: Spec, short_limit: u64) -> Result<Self, Error> {
        let of_file = |source| Error::File { file: file.to_owned(), source };
        let is_device = fs::metadata(file).is_ok_and(|meta| !meta.is_file());
        let part = (!is_device).then(|| {
            let mut name = file.as_os_str().to_owned();
            name.push(".part");
            PathBuf::from(name)
        });
        let sink = BufWriter::new(File::create(part.as_deref().unwrap_or(file)).map_err(of_file)?);
        let dither = spec.encoding.dither(spec.channels);
        let file = file.to_owned();
        let mut writer =
            Self { file, part, sink, spec, data_bytes: 0, short_limit, dither, bytes: vec![] };
        writer
            .write_header()
            .map_err(|source| Error::File { file: writer.file.clone(), source })?;
        Ok(writer)
    }

    fn write_header(&mut self) -> io::Result<()> {
        let long = self.data_bytes > self.short_limit;
        let Spec { rate, channels, encoding } = self.spec;
        let short_size = |size: u64| if long { u32::MAX } else { size as u32 };
        let riff_bytes = HEADER_BYTES - 8 + self.data_bytes + self.data_bytes % 2;
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
        for size in [riff_bytes, self.data_bytes, self.data_bytes / frame_bytes as u64] {
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
        head.extend_from_slice(&short_size(self.data_bytes).to_le_bytes());
        debug_assert_eq!(head.len() as u64, HEADER_BYTES);
        self.sink.seek(SeekFrom::Start(0))?;
        self.sink.write_all(&head)
    }

    /// Appends the first `frames` frames; tells how many samples had to be limited.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&mut self, planes: &[Vec<f64>], frames: usize) -> Result<u64, Error> {
        self.bytes.resize(frames * self.spec.frame_bytes(), 0);
        let limited =
            self.spec.encoding.encode(planes, 0..frames, &mut self.bytes, &mut self.dither);
        self.sink
            .write_all(&self.bytes)
            .map_err(|source| Error::File { file: self.file.clone(), source })?;
        self.data_bytes += self.bytes.len() as u64;
        Ok(limited)
    }

    /// Completes the header and the file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(mut self) -> Result<(), Error> {
        let finish = |writer: &mut Self| {
            if writer.data_bytes % 2 == 1 {
                writer.sink.write_all(&[0])?;
            }
            writer.write_header()?;
            writer.sink.flush()?;
            if let Some(part) = &writer.part {
                fs::rename(part, &writer.file)?;
                writer.part = None;
            }
            Ok(())
        };
        finish(&mut self).map_err(|source| Error::File { file: self.file.clone(), source })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(part) = self.part.take() {
            // Whoever drops an unfinished file has an error of its own to tell.
            let _ = fs::remove_file(part);
        }
    }
}
