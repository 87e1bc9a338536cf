//! Reading a WAV file.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use totton_dsp::sample::{Encoding, SampleFormat};

use super::{EXTENSIBLE, FLOAT, PCM, SUBFORMAT, Spec, UNKNOWN};
use crate::error::Error;
use crate::input::{Bytes, Input};

const NO_WAV: &str = "it is neither WAV (RIFF, RF64 or BW64, then WAVE) nor FLAC; convert it \
                      first, as with: ffmpeg -i FILE sound.wav";

/// The longest `fmt ` or `ds64` chunk that is taken.
const LONGEST_HEADER: u32 = 64 * 1024;

/// A WAV file being read, from its start to its end: it may be a pipe.
pub struct Reader {
    file: PathBuf,
    source: BufReader<Bytes>,
    spec: Spec,
    /// Frames not yet read; `None` when that is known only at the end.
    left: Option<u64>,
    bytes: Vec<u8>,
}

impl Reader {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// When it cannot be read, or is not a WAV file of the kinds in [`super`].
    pub fn open(file: &Path) -> Result<Self, Error> {
        Self::new(Input::open(file)?)
    }

    pub(crate) fn new(input: Input) -> Result<Self, Error> {
        let (file, length) = (input.file.clone(), input.length);
        let mut header = Header { file: &file, source: BufReader::new(input.bytes()), at: 0 };
        let (spec, data) = header.read()?;
        // The data reaches to the end of the file: a pipe's is known only there.
        let to_the_end = || length.map(|length| length.saturating_sub(header.at));
        let bytes = data.or_else(to_the_end);
        let left = bytes.map(|bytes| bytes / spec.frame_bytes() as u64);
        let source = header.source;
        Ok(Self { file, source, spec, left, bytes: vec![] })
    }

    /// What the samples are.
    pub fn spec(&self) -> Spec {
        self.spec
    }

    /// Frames not yet read; `None` when nobody knows.
    pub fn frames_left(&self) -> Option<u64> {
        self.left
    }

    /// Fills the planes from their start with up to `frames` frames; tells how
    /// many. Fewer than asked for: the end.
    ///
    /// # Errors
    /// When the file cannot be read, or is shorter than its header says.
    pub fn read(&mut self, planes: &mut [Vec<f64>], frames: usize) -> Result<usize, Error> {
        let frame_bytes = self.spec.frame_bytes();
        let wanted = match self.left {
            Some(left) => usize::try_from(left).map_or(frames, |left| left.min(frames)),
            None => frames,
        };
        self.bytes.clear();
        let limit = (wanted * frame_bytes) as u64;
        let found = (&mut self.source)
            .take(limit)
            .read_to_end(&mut self.bytes)
            .map_err(|source| Error::Read { file: self.file.clone(), source })?;
        let frames = found / frame_bytes;
        if let Some(left) = &mut self.left {
            if frames < wanted {
                let reason = format!(
                    "it is shorter than its header says: {} frames are missing",
                    *left - frames as u64
                );
                return Err(Error::sound(&self.file, reason));
            }
            *left -= frames as u64;
        }
        self.bytes.truncate(frames * frame_bytes);
        Ok(self.spec.encoding.decode(&self.bytes, planes))
    }
}

/// The chunks before the samples.
struct Header<'a> {
    file: &'a Path,
    source: BufReader<Bytes>,
    /// Bytes behind.
    at: u64,
}

impl Header<'_> {
    fn wrong(&self, reason: &str) -> Error {
        Error::sound(self.file, reason)
    }

    fn early(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.wrong("it ends within its header"),
            _ => Error::Read { file: self.file.to_owned(), source: error },
        }
    }

    fn take(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.source.read_exact(bytes).map_err(|error| self.early(error))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Error> {
        let mut rest = (&mut self.source).take(bytes);
        let skipped = io::copy(&mut rest, &mut io::sink()).map_err(|error| self.early(error))?;
        self.at += skipped;
        if skipped < bytes { Err(self.wrong("it ends within its header")) } else { Ok(()) }
    }

    /// What the samples are, and the bytes of the data if they are stated; the
    /// source then stands at the first sample.
    fn read(&mut self) -> Result<(Spec, Option<u64>), Error> {
        let (mut form, mut rest) = ([0; 4], [0; 8]);
        if self.source.fill_buf().is_ok_and(<[u8]>::is_empty) {
            return Err(self.wrong("it is empty"));
        }
        self.take(&mut form)?;
        let is_long = match &form {
            b"RIFF" => false,
            b"RF64" | b"BW64" => true,
            _ => return Err(self.wrong(NO_WAV)),
        };
        self.take(&mut rest)?;
        if &rest[4..] != b"WAVE" {
            return Err(self.wrong(NO_WAV));
        }
        let (mut spec, mut long_data) = (None, None);
        loop {
            let mut chunk = [0; 8];
            self.take(&mut chunk)?;
            let size = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
            // Chunks begin at even places.
            let padding = u64::from(size % 2);
            match &chunk[..4] {
                b"data" => {
                    let Some(spec) = spec else {
                        return Err(self.wrong("it has no fmt chunk before its data"));
                    };
                    let data = match long_data {
                        Some(long) if is_long && size == UNKNOWN => Some(long),
                        None if is_long && size == UNKNOWN => {
                            return Err(self.wrong("it is RF64, but has no ds64 chunk"));
                        }
                        _ if size == UNKNOWN => None,
                        _ => Some(u64::from(size)),
                    };
                    return Ok((spec, data));
                }
                b"fmt " | b"ds64" => {
                    if size > LONGEST_HEADER {
                        return Err(self.wrong("its header is too long"));
                    }
                    let mut body = vec![0; size as usize];
                    self.take(&mut body)?;
                    self.skip(padding)?;
                    if &chunk[..4] == b"fmt " {
                        spec = Some(parse_format(&body).map_err(|reason| self.wrong(&reason))?);
                    } else {
                        // The length of the RIFF form, of the data, and of the frames.
                        long_data = body.as_chunks::<8>().0.get(1).map(|b| u64::from_le_bytes(*b));
                    }
                }
                _ => self.skip(u64::from(size) + padding)?,
            }
        }
    }
}

fn parse_format(body: &[u8]) -> Result<Spec, String> {
    let short = |at: usize| body.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let (Some(tag), Some(channels), Some(rate), Some(frame_bytes), Some(bits)) =
        (short(0), short(2), body.get(4..8), short(12), short(14))
    else {
        return Err("its fmt chunk is too short".to_owned());
    };
    // The kind of an extensible header is the start of its sub-format. Its valid
    // bits do not matter: they are the upper ones, and the rest are 0.
    let kind = match (tag, body.get(24..40)) {
        (EXTENSIBLE, Some(subformat)) if subformat[2..] == SUBFORMAT => {
            u16::from_le_bytes([subformat[0], subformat[1]])
        }
        (EXTENSIBLE, _) => return Err("the sub-format of its header is not known".to_owned()),
        _ => tag,
    };
    let encoding = match (kind, bits) {
        (PCM, 16) => Encoding::Integer(SampleFormat::S16),
        (PCM, 24) => Encoding::Integer(SampleFormat::S24In3),
        (PCM, 32) => Encoding::Integer(SampleFormat::S32),
        (FLOAT, 32) => Encoding::F32,
        (FLOAT, 64) => Encoding::F64,
        _ => {
            return Err(format!(
                "its samples are of kind {kind} with {bits} bits; accepted: PCM of 16, 24, 32 \
                 bits and floating point of 32, 64"
            ));
        }
    };
    let rate = u32::from_le_bytes([rate[0], rate[1], rate[2], rate[3]]);
    let spec = Spec { rate, channels: channels.into(), encoding };
    if channels == 0 || rate == 0 {
        return Err(format!("it has {channels} channels at {rate} Hz"));
    }
    if usize::from(frame_bytes) != spec.frame_bytes() {
        return Err(format!(
            "its frames have {frame_bytes} bytes; {channels} channels of {bits} bits have {}",
            spec.frame_bytes()
        ));
    }
    Ok(spec)
}
