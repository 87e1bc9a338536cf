//! WAV files: PCM of 16, 24 and 32 bits, floating point of 32 and 64.
//!
//! Files beyond 4 GiB are RF64 (EBU Tech 3306): an hour of stereo at 705.6 kHz
//! has 20 GB. The layout of the header is Microsoft's "Multiple channel audio
//! data and WAVE files".

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::dither::Dither;
use crate::error::Error;
use crate::sample::{Encoding, SampleFormat};

/// What the samples of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Frames per second (Hz).
    pub rate: u32,
    pub channels: usize,
    pub encoding: Encoding,
}

impl Spec {
    fn frame_bytes(&self) -> usize {
        self.channels * self.encoding.bytes()
    }
}

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xfffe;

/// A WAV file being read.
pub struct Reader {
    file: PathBuf,
    source: BufReader<File>,
    spec: Spec,
    /// Frames not yet read.
    left: u64,
    bytes: Vec<u8>,
}

impl Reader {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// When it cannot be read, or is not a WAV file of the kinds above.
    pub fn open(file: &Path) -> Result<Self, Error> {
        let of_file = |source| Error::File { file: file.to_owned(), source };
        let mut source = BufReader::new(File::open(file).map_err(of_file)?);
        let wrong = |reason: &str| Error::Wav { file: file.to_owned(), reason: reason.to_owned() };
        let early = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => wrong("it ends within its header"),
            _ => of_file(error),
        };
        let mut head = [0; 12];
        source.read_exact(&mut head).map_err(early)?;
        if !(matches!(&head[..4], b"RIFF" | b"RF64") && &head[8..] == b"WAVE") {
            return Err(wrong("it does not begin with RIFF or RF64 and WAVE"));
        }
        let (mut spec, mut long_data) = (None, None);
        loop {
            let mut chunk = [0; 8];
            source.read_exact(&mut chunk).map_err(early)?;
            let size = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
            match &chunk[..4] {
                b"data" => {
                    let spec: Spec = spec.ok_or_else(|| wrong("no fmt chunk before the data"))?;
                    let size = match long_data {
                        Some(long) if size == u32::MAX => long,
                        _ => u64::from(size),
                    };
                    let left = size / spec.frame_bytes() as u64;
                    return Ok(Self { file: file.to_owned(), source, spec, left, bytes: vec![] });
                }
                b"fmt " | b"ds64" => {
                    if size > 4096 {
                        return Err(wrong("its header is too long"));
                    }
                    let mut body = vec![0; size as usize];
                    source.read_exact(&mut body).map_err(early)?;
                    if &chunk[..4] == b"fmt " {
                        spec = Some(parse_format(&body).map_err(|reason| wrong(&reason))?);
                    } else if let Some(data) = body.get(8..16) {
                        long_data = data.try_into().ok().map(u64::from_le_bytes);
                    }
                }
                _ => source.seek_relative(i64::from(size)).map_err(early)?,
            }
            if size % 2 == 1 {
                source.seek_relative(1).map_err(early)?;
            }
        }
    }

    /// What the samples are.
    pub fn spec(&self) -> Spec {
        self.spec
    }

    /// Frames not yet read.
    pub fn frames_left(&self) -> u64 {
        self.left
    }

    /// Fills the planes from their start with up to `frames` frames; tells how many. 0: the end.
    ///
    /// # Errors
    /// When the file cannot be read, or is shorter than its header says.
    pub fn read(&mut self, planes: &mut [Vec<f64>], frames: usize) -> Result<usize, Error> {
        let frames = usize::try_from(self.left).map_or(frames, |left| left.min(frames));
        self.bytes.resize(frames * self.spec.frame_bytes(), 0);
        self.source.read_exact(&mut self.bytes).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => Error::Wav {
                file: self.file.clone(),
                reason: "it is shorter than its header says".to_owned(),
            },
            _ => Error::File { file: self.file.clone(), source },
        })?;
        self.left -= frames as u64;
        Ok(self.spec.encoding.decode(&self.bytes, planes))
    }
}

fn parse_format(body: &[u8]) -> Result<Spec, String> {
    let short = |at: usize| body.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let (Some(tag), Some(channels), Some(rate), Some(bits)) =
        (short(0), short(2), body.get(4..8), short(14))
    else {
        return Err("its fmt chunk is too short".to_owned());
    };
    // The kind of an extensible header is the start of its sub-format.
    let kind = if tag == EXTENSIBLE { short(24).unwrap_or(tag) } else { tag };
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
    if channels == 0 || rate == 0 {
        return Err(format!("it has {channels} channels at {rate} Hz"));
    }
    Ok(Spec { rate, channels: channels.into(), encoding })
}

/// A WAV file being written. Call [`finish`](Self::finish): until then the
/// header says that the file is empty.
#[must_use]
pub struct Writer {
    file: PathBuf,
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
    /// Makes a file, or empties it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(file: &Path, spec: Spec) -> Result<Self, Error> {
        Self::with_limit(file, spec, u64::from(u32::MAX) - HEADER_BYTES)
    }

    fn with_limit(file: &Path, spec: Spec, short_limit: u64) -> Result<Self, Error> {
        let of_file = |source| Error::File { file: file.to_owned(), source };
        let sink = BufWriter::new(File::create(file).map_err(of_file)?);
        let file = file.to_owned();
        let dither = Dither::for_output(spec.encoding, spec.channels);
        let mut writer =
            Self { file, sink, spec, data_bytes: 0, short_limit, dither, bytes: vec![] };
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
        // The rest of KSDATAFORMAT_SUBTYPE_PCM and _IEEE_FLOAT.
        head.extend_from_slice(&[0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71]);
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
            writer.sink.flush()
        };
        finish(&mut self).map_err(|source| Error::File { file: self.file.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Encoding; 5] = [
        Encoding::Integer(SampleFormat::S16),
        Encoding::Integer(SampleFormat::S24In3),
        Encoding::Integer(SampleFormat::S32),
        Encoding::F32,
        Encoding::F64,
    ];

    fn sound(frames: usize) -> Vec<Vec<f64>> {
        let left: Vec<f64> = (0..frames).map(|i| (i % 64) as f64 / 64.0 - 0.5).collect();
        let right = left.iter().map(|v| -v / 2.0).collect();
        vec![left, right]
    }

    fn write(file: &Path, encoding: Encoding, limit: u64, frames: usize) {
        let spec = Spec { rate: 705_600, channels: 2, encoding };
        let mut writer = Writer::with_limit(file, spec, limit).unwrap();
        assert_eq!(writer.write(&sound(frames), frames).unwrap(), 0);
        writer.finish().unwrap();
    }

    #[test]
    fn every_encoding_comes_back_in_the_short_and_the_long_form() {
        let folder = tempfile::tempdir().unwrap();
        for encoding in ALL {
            for limit in [u64::from(u32::MAX), 100] {
                let file = folder.path().join("sound.wav");
                write(&file, encoding, limit, 333);
                let mut reader = Reader::open(&file).unwrap();
                assert_eq!(reader.spec(), Spec { rate: 705_600, channels: 2, encoding });
                assert_eq!(reader.frames_left(), 333);
                let mut planes = vec![vec![0.0; 1000]; 2];
                assert_eq!(reader.read(&mut planes, 1000).unwrap(), 333);
                assert_eq!(planes[1][..333], sound(333)[1]);
                assert_eq!(reader.read(&mut planes, 1000).unwrap(), 0);
            }
        }
    }

    #[test]
    fn another_program_reads_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sound.wav");
        write(&file, Encoding::Integer(SampleFormat::S24In3), u64::from(u32::MAX), 64);
        let mut reader = hound::WavReader::open(&file).unwrap();
        let spec = reader.spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (2, 705_600, 24));
        let samples: Vec<i32> = reader.samples().map(Result::unwrap).collect();
        assert_eq!(samples.len(), 128);
        assert_eq!(samples[..4], [-1 << 22, 1 << 21, -4_063_232, 2_031_616]);
    }

    #[test]
    fn what_another_program_writes_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sound.wav");
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 44_100,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(&file, spec).unwrap();
        [16384i16, -32768, 1].into_iter().for_each(|s| writer.write_sample(s).unwrap());
        writer.finalize().unwrap();
        let mut planes = vec![vec![0.0; 8]];
        assert_eq!(Reader::open(&file).unwrap().read(&mut planes, 8).unwrap(), 3);
        assert_eq!(planes[0][..3], [0.5, -1.0, 1.0 / 32768.0]);
    }

    #[test]
    fn what_is_no_wav_file_is_refused_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sound.wav");
        let refusal = |content: &[u8]| {
            std::fs::write(&file, content).unwrap();
            match Reader::open(&file) {
                Err(error) => error.to_string(),
                Ok(_) => panic!("it was taken"),
            }
        };
        assert!(refusal(b"OggS and so on").contains("sound.wav is not a WAV file"));
        assert!(refusal(b"RIFF\0\0\0\0WAVEfmt ").contains("ends within its header"));
        write(&file, Encoding::F32, u64::from(u32::MAX), 10);
        let mut whole = std::fs::read(&file).unwrap();
        whole.truncate(whole.len() - 4);
        std::fs::write(&file, &whole).unwrap();
        let mut planes = vec![vec![0.0; 10]; 2];
        let error = Reader::open(&file).unwrap().read(&mut planes, 10).unwrap_err();
        assert!(error.to_string().contains("shorter than its header says"), "{error}");
    }
}
