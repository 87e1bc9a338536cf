//! WAV and FLAC files, as they are rendered.

use totton_dsp::sample::Encoding;
use totton_render::{Source, flac, wav};

use crate::file::{self, MemoryFile};
use crate::memory;

/// As many as FLAC can have; WAV can have more, and nothing new with them.
const MAX_CHANNELS: usize = 8;

/// Frames of one step.
const STEP: usize = 256;

/// Frames after which a file counts as read: a few bytes of FLAC can be many.
const ENOUGH: usize = 1 << 18;

/// The largest block of FLAC, 65535 frames of 8 channels, in the decoder and as `f64`, and
/// what is read ahead.
const FLAC_BASE: usize = 16 << 20;

/// A WAV file. What is read and written again is the same.
pub fn wav(bytes: &[u8]) {
    let file = MemoryFile::new(bytes);
    let most = 4 * bytes.len() + 256 * 1024;
    let Ok(reader) = memory::within(most, || wav::Reader::open(&file.path())) else { return };
    let spec = reader.spec();
    assert!(spec.rate > 0 && spec.channels > 0);
    if spec.channels > MAX_CHANNELS {
        return;
    }
    let frame = spec.channels * spec.encoding.bytes();
    let most = most + 4 * STEP * spec.channels * 8;
    let source = Source::open(file.path()).expect("it opened before");
    let Some(planes) = memory::within(most + 64 * bytes.len(), || read_all(source)) else { return };
    let frames = planes[0].len();
    assert!(frames * frame <= bytes.len(), "{frames} frames of {frame} bytes");

    let spec = wav::Spec { encoding: Encoding::F64, ..spec };
    let folder = file::folder();
    let path = folder.path().join("again.wav");
    let mut writer =
        wav::Writer::create(&path, true, spec, None).expect("a file that can be written");
    writer.write(&planes, frames).expect("frames that can be written");
    writer.finish().expect("a file that can be finished");
    let reader = wav::Reader::open(&path).expect("what was written can be read");
    assert_eq!(reader.spec(), spec);
    assert_eq!(reader.frames_left(), Some(frames as u64));
    let again = read_all(Source::Wav(reader)).expect("what was written can be read");
    for (again, plane) in again.iter().zip(&planes) {
        let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
        assert!(again.len() == plane.len() && again.iter().zip(plane).all(same), "samples changed");
    }
}

/// A FLAC file.
pub fn flac(bytes: &[u8]) {
    let file = MemoryFile::new(bytes);
    let most = 16 * bytes.len() + FLAC_BASE;
    let opened = memory::within(most, || flac::Reader::open(&file.path()));
    let Ok(reader) = opened else { return };
    assert!(reader.rate() > 0 && (1..=MAX_CHANNELS).contains(&reader.channels()));
    memory::within(most + ENOUGH * reader.channels() * 32, || {
        if let Some(planes) = read_all(Source::Flac(Box::new(reader))) {
            assert!(planes.iter().flatten().all(|sample| sample.is_finite()));
        }
    });
}

/// Reads to the end, or until it is enough; none where an error is in the way.
fn read_all(mut source: Source) -> Option<Vec<Vec<f64>>> {
    let stated = source.frames_left();
    let mut all = vec![Vec::new(); source.channels()];
    let mut planes = vec![vec![0.0; STEP]; source.channels()];
    while all[0].len() < ENOUGH {
        let frames = source.read(&mut planes, STEP).ok()?;
        assert!(frames <= STEP, "{frames} frames of {STEP}");
        all.iter_mut().zip(&planes).for_each(|(all, plane)| all.extend(&plane[..frames]));
        if frames < STEP {
            if let (Some(stated), Source::Wav(_)) = (stated, &source) {
                assert_eq!(all[0].len() as u64, stated, "frames read and stated differ");
            }
            break;
        }
    }
    Some(all)
}
