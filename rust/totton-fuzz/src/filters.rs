//! The `.filter` file, and the taps of other programs.

use std::fmt::Write;
use std::path::Path;

use totton_dsp::filter::import::parse_taps;
use totton_dsp::filter::{MAX_TAPS, RATIOS};
use totton_dsp::{Filter, Origin, Phase};
use totton_render::wav;

use crate::file::MemoryFile;
use crate::memory;

/// Beside what is in proportion to the input: messages, the stack of the JSON parser.
const BASE: usize = 64 * 1024;

/// The output rate of the taps in WAV files, in Hz.
const RATE: u32 = 705_600;

/// A `.filter` file: as it is, and with its checksum put right, which no fuzzer guesses.
pub fn filter_file(bytes: &[u8]) {
    read_filter(bytes);
    if let Some(end) = bytes.len().checked_sub(4) {
        let mut whole = bytes.to_vec();
        let checksum = crc32fast::hash(&bytes[..end]);
        whole[end..].copy_from_slice(&checksum.to_le_bytes());
        read_filter(&whole);
    }
}

fn read_filter(bytes: &[u8]) {
    let path = Path::new("/a.filter");
    let read = memory::within(32 * bytes.len() + BASE, || Filter::from_bytes(bytes, path));
    let file = MemoryFile::new(bytes);
    let peeked = memory::within(32 * bytes.len() + BASE, || Filter::peek(&file.path()));
    let mut opened = std::fs::File::open(file.path()).expect("a file in memory");
    // In constant memory, whatever it says.
    let checked = memory::within(2 << 20, || Filter::check(&mut opened, path));
    assert_eq!(checked.is_ok(), read.is_ok(), "{checked:?} and {read:?}");
    let filter = match read {
        Ok(filter) => filter,
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with("/a.filter: "), "an error without the file's name: {text}");
            return;
        }
    };
    let header = filter.header();
    assert!(RATIOS.contains(&header.ratio), "ratio {}", header.ratio);
    assert!((8_000..=768_000).contains(&header.input_rate_hz), "{} Hz", header.input_rate_hz);
    assert!((1..=MAX_TAPS).contains(&filter.taps().len()));
    assert!(filter.taps().iter().all(|tap| tap.is_finite()), "a tap is not finite");
    assert!(header.dc_gain.is_finite(), "a gain of {} at 0 Hz", header.dc_gain);
    assert_eq!(header.output_rate_hz(), header.input_rate_hz * header.ratio);

    let (head, taps) = peeked.expect("what loads can be peeked at");
    assert_eq!(taps, filter.taps().len());
    assert_eq!(checked.ok(), Some((header.clone(), taps)), "the check tells something else");
    // What is only peeked at is as the file states it; the rest of it measures the gain.
    assert!(
        (head.dc_gain - header.dc_gain).abs() <= 1e-9 * (1.0 + header.dc_gain.abs()),
        "{head:?}, {header:?}"
    );
    assert_eq!(totton_dsp::Header { dc_gain: header.dc_gain, ..head }, *header);

    let written = filter.to_bytes(path).expect("what was read can be written");
    let again = Filter::from_bytes(&written, path).expect("what was written can be read");
    assert!(bits(again.taps()).eq(bits(filter.taps())), "the taps changed");
    assert_eq!(again.header(), header, "the header changed");
}

fn bits(taps: &[f64]) -> impl Iterator<Item = u64> {
    taps.iter().map(|tap| tap.to_bits())
}

/// Taps as text.
pub fn taps_text(bytes: &[u8]) {
    let read = memory::within(32 * bytes.len() + BASE, || parse_taps(bytes, "txt", RATE));
    let Some(taps) = usable(bytes, read) else { return };
    let mut text = String::new();
    for tap in &taps {
        let _ = writeln!(text, "{tap:?}");
    }
    let again = parse_taps(text.as_bytes(), "txt", RATE).expect("what was written can be read");
    assert!(bits(&again).eq(bits(&taps)), "the taps changed");
}

/// Taps in a WAV file. Where the reader of sound files takes it, too, both find the same.
pub fn taps_wav(bytes: &[u8]) {
    let read = memory::within(32 * bytes.len() + BASE, || parse_taps(bytes, "wav", RATE));
    let Some(taps) = usable(bytes, read) else { return };
    let file = MemoryFile::new(bytes);
    let Ok(mut reader) = wav::Reader::open(&file.path()) else { return };
    assert_eq!((reader.spec().channels, reader.spec().rate), (1, RATE));
    let mut planes = vec![vec![0.0; taps.len() + 1]];
    if let Ok(frames) = reader.read(&mut planes, taps.len() + 1) {
        assert!(bits(&planes[0][..frames]).eq(bits(&taps)), "the two readers differ");
    }
}

/// The taps where a filter can be made of them.
fn usable(bytes: &[u8], read: Result<Vec<f64>, String>) -> Option<Vec<f64>> {
    let taps = match read {
        Ok(taps) => taps,
        Err(reason) => {
            assert!(!reason.is_empty() && reason.len() <= 4 * bytes.len() + 300, "{reason}");
            return None;
        }
    };
    assert!(!taps.is_empty() && taps.len() <= bytes.len(), "{} taps", taps.len());
    let origin = Origin::Imported { source: "taps".to_owned() };
    let filter = Filter::new(44_100, 16, Phase::Unknown, origin, taps).ok()?;
    assert!(filter.taps().iter().all(|tap| tap.is_finite()), "a tap is not finite");
    Some(filter.taps().to_vec())
}
