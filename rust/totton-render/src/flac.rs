//! FLAC files, of any channels and 4 to 32 bits.
//!
//! The decoder is the crate `symphonia-bundle-flac`. The file's own checksum
//! (MD5 of the samples) is compared at its end.

use std::path::{Path, PathBuf};

use symphonia_bundle_flac::{FlacDecoder, FlacReader};
use symphonia_core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia_core::errors::Error as Fault;
use symphonia_core::formats::FormatReader;
use symphonia_core::io::{MediaSourceStream, ReadOnlySource};

use crate::error::Error;
use crate::input::Input;

/// How a FLAC file begins.
pub const MAGIC: [u8; 4] = *b"fLaC";

/// A FLAC file being read, from its start to its end.
pub struct Reader {
    file: PathBuf,
    packets: FlacReader<'static>,
    decoder: FlacDecoder,
    rate: u32,
    channels: usize,
    /// Frames that the header states and that were not yet read; `None` when it states none.
    left: Option<u64>,
    /// What is decoded, a plane for each channel, and how much of it was given away.
    decoded: Vec<Vec<f64>>,
    given: usize,
}

impl Reader {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// When it cannot be read, or is no FLAC file.
    pub fn open(file: &Path) -> Result<Self, Error> {
        Self::new(Input::open(file)?)
    }

    pub(crate) fn new(input: Input) -> Result<Self, Error> {
        let file = &input.file.clone();
        let bytes = Box::new(ReadOnlySource::new(input.bytes()));
        let stream = MediaSourceStream::new(bytes, Default::default());
        let at_fault = |fault| fault_of(file, fault);
        let packets = FlacReader::try_new(stream, Default::default()).map_err(at_fault)?;
        let track = packets.tracks().first();
        let frames = track.and_then(|track| track.num_frames);
        let parameters = track.and_then(|track| track.codec_params.as_ref()?.audio());
        let nothing = || Error::sound(file, "it states no sound");
        let parameters = parameters.ok_or_else(nothing)?;
        let options = AudioDecoderOptions::default().verify(true);
        let decoder = FlacDecoder::try_new(parameters, &options).map_err(at_fault)?;
        let parameters = decoder.codec_params();
        let channels = parameters.channels.as_ref().map_or(0, |channels| channels.count());
        let rate = parameters.sample_rate.unwrap_or(0);
        if rate == 0 || channels == 0 {
            return Err(nothing());
        }
        Ok(Self {
            file: file.to_owned(),
            packets,
            decoder,
            rate,
            channels,
            left: frames.filter(|frames| *frames > 0),
            decoded: vec![vec![]; channels],
            given: 0,
        })
    }

    /// Frames per second (Hz).
    pub fn rate(&self) -> u32 {
        self.rate
    }

    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Frames not yet read; `None` when nobody knows.
    pub fn frames_left(&self) -> Option<u64> {
        self.left
    }

    /// Fills the planes from their start with up to `frames` frames; tells how
    /// many. Fewer than asked for: the end.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or is shorter than it says.
    pub fn read(&mut self, planes: &mut [Vec<f64>], frames: usize) -> Result<usize, Error> {
        let mut filled = 0;
        while filled < frames {
            let there = self.decoded[0].len() - self.given;
            if there == 0 {
                if !self.decode()? {
                    self.check_end()?;
                    break;
                }
                continue;
            }
            let count = there.min(frames - filled);
            for (plane, decoded) in planes.iter_mut().zip(&self.decoded) {
                plane[filled..filled + count].copy_from_slice(&decoded[self.given..][..count]);
            }
            self.given += count;
            filled += count;
        }
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(filled as u64);
        }
        Ok(filled)
    }

    /// Decodes the next packet; tells whether there was one.
    fn decode(&mut self) -> Result<bool, Error> {
        let at_fault = |fault| fault_of(&self.file, fault);
        let Some(packet) = self.packets.next_packet().map_err(at_fault)? else {
            return Ok(false);
        };
        let block = self.decoder.decode(&packet).map_err(at_fault)?;
        if block.num_planes() != self.channels || block.spec().rate() != self.rate {
            return Err(Error::sound(&self.file, "its channels or its rate change within it"));
        }
        block.copy_to_vecs_planar(&mut self.decoded);
        self.given = 0;
        Ok(true)
    }

    fn check_end(&mut self) -> Result<(), Error> {
        // Frames that lie in the planes of this very call still count as left.
        if self.decoder.finalize().verify_ok == Some(false) {
            let reason = "it is damaged or cut short: its checksum does not fit its sound";
            return Err(Error::sound(&self.file, reason));
        }
        Ok(())
    }
}

fn fault_of(file: &Path, fault: Fault) -> Error {
    match fault {
        Fault::IoError(source) if source.kind() != std::io::ErrorKind::UnexpectedEof => {
            Error::Read { file: file.to_owned(), source }
        }
        Fault::IoError(_) => Error::sound(file, "it is cut short"),
        other => Error::sound(file, format!("it is no good FLAC file: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files of `tests/data` are ffmpeg's encodings of these samples.
    fn sample(n: u32, channel: u32, bits: u32) -> f64 {
        let value = if n % 50 < 4 {
            let x = n * n * 7919 + channel * 104_729 + n * 31;
            let x = x.wrapping_mul(2_654_435_761);
            i64::from(x >> (32 - bits)) - (1 << (bits - 1))
        } else {
            (i64::from(n * (3 + channel) % 200) - 100) << (bits - 12)
        };
        value as f64 / (1u64 << (bits - 1)) as f64
    }

    fn data(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
    }

    /// Reads all in steps of `step` frames.
    fn read_all(file: &Path, step: usize) -> Result<Vec<Vec<f64>>, String> {
        let mut reader = Reader::open(file).map_err(|error| error.to_string())?;
        let mut all = vec![vec![]; reader.channels()];
        let mut planes = vec![vec![0.0; step]; reader.channels()];
        loop {
            let frames = reader.read(&mut planes, step).map_err(|error| error.to_string())?;
            all.iter_mut().zip(&planes).for_each(|(all, plane)| all.extend(&plane[..frames]));
            if frames < step {
                return Ok(all);
            }
        }
    }

    #[test]
    fn every_sample_comes_back_exactly_in_steps_of_any_length() {
        for (name, rate, bits, channels, frames) in
            [("stereo-16.flac", 44_100, 16, 2, 700), ("mono-24.flac", 96_000, 24, 1, 300)]
        {
            let reader = Reader::open(&data(name)).unwrap();
            assert_eq!((reader.rate(), reader.channels()), (rate, channels));
            assert_eq!(reader.frames_left(), Some(u64::from(frames)));
            for step in [1, 64, 256, 300, 1000] {
                let found = read_all(&data(name), step).unwrap();
                assert_eq!(found.len(), channels);
                for (channel, found) in (0..).zip(found) {
                    let wanted: Vec<_> = (0..frames).map(|n| sample(n, channel, bits)).collect();
                    assert!(found == wanted, "{name}, channel {channel}, steps of {step}");
                }
            }
        }
    }

    #[test]
    fn a_damaged_or_cut_file_is_refused_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bad.flac");
        let whole = std::fs::read(data("stereo-16.flac")).unwrap();
        // Any byte of the frames; those before are the header's.
        for at in (100..whole.len()).step_by(37) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            std::fs::write(&file, &damaged).unwrap();
            let error = read_all(&file, 64).expect_err("a damaged file must not pass");
            assert!(error.contains("bad.flac"), "byte {at}: {error}");
        }
        for length in [4, 20, 60, 200, 1500, whole.len() - 1] {
            std::fs::write(&file, &whole[..length]).unwrap();
            let error = read_all(&file, 64).expect_err("a cut file must not pass");
            assert!(error.contains("bad.flac"), "{length} bytes: {error}");
        }
    }
}
