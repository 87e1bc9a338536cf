//! What is in a `.filter` file: format version 1. All numbers are little endian.
//!
//! | Offset | Size | Content |
//! | --- | --- | --- |
//! | 0 | 8 | magic, `TOTTONFI` in ASCII |
//! | 8 | 4 | format version, `u32` = 1 |
//! | 12 | 4 | length H of the header in bytes, `u32`, a multiple of 8 |
//! | 16 | 8 | number of taps N, `u64` |
//! | 24 | H | [`Header`] as JSON in UTF-8, padded with spaces |
//! | 24 + H | 8 N | the taps, `f64`, first to last |
//! | 24 + H + 8 N | 4 | CRC-32 (IEEE 802.3) of everything before it, `u32` |
//!
//! The file ends there. Any change of the layout or of the header's fields
//! raises the version, and a reader refuses a version that it does not know.

use std::path::Path;

use super::{Filter, Header, MAX_TAPS};
use crate::Error;

/// The first eight bytes of a filter file.
pub const MAGIC: [u8; 8] = *b"TOTTONFI";

/// The format version that this build reads and writes.
pub const VERSION: u32 = 1;

pub(super) const FIXED_BYTES: usize = 24;
pub(super) const CHECKSUM_BYTES: usize = 4;
pub(super) const MAX_HEADER_BYTES: usize = 64 * 1024;

impl Filter {
    /// Reads the bytes of a filter file; `path` is for the errors.
    ///
    /// # Errors
    ///
    /// As [`Filter::load`], but for [`Error::Io`].
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, Error> {
        let (taps_at, taps_end) = extent(bytes, bytes.len() as u64, path)?;
        let header_error = |reason: String| Error::Header { path: path.to_owned(), reason };
        let (stored, computed) = (u32_at(bytes, taps_end), crc32fast::hash(&bytes[..taps_end]));
        if stored != computed {
            return Err(Error::Checksum { path: path.to_owned(), stored, computed });
        }
        let header = header(bytes, taps_at, path)?;
        let taps = (taps_at..taps_end)
            .step_by(8)
            .map(|offset| f64::from_bits(u64_at(bytes, offset)))
            .collect();
        let stated = header.clone();
        let filter =
            Self::new(header.input_rate_hz, header.ratio, header.phase, header.origin, taps)
                .map_err(|error| header_error(error.to_string()))?;
        check_gain(&stated, filter.header.dc_gain, path)?;
        Ok(filter)
    }

    /// The bytes of a filter file; `path` is for the errors.
    ///
    /// # Errors
    ///
    /// [`Error::Header`] when the header cannot be written.
    pub fn to_bytes(&self, path: &Path) -> Result<Vec<u8>, Error> {
        let header_error = |reason| Error::Header { path: path.to_owned(), reason };
        let mut json =
            serde_json::to_vec(&self.header).map_err(|error| header_error(error.to_string()))?;
        json.resize(json.len().next_multiple_of(8), b' ');
        if json.len() > MAX_HEADER_BYTES {
            return Err(header_error(format!("{} bytes, {MAX_HEADER_BYTES} allowed", json.len())));
        }
        let total = FIXED_BYTES + json.len() + 8 * self.taps.len() + CHECKSUM_BYTES;
        let mut bytes = Vec::with_capacity(total);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(json.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(self.taps.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&json);
        for tap in &self.taps {
            bytes.extend_from_slice(&tap.to_le_bytes());
        }
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        Ok(bytes)
    }
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let mut raw = [0; 4];
    raw.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(raw)
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let mut raw = [0; 8];
    raw.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(raw)
}

/// Where the taps lie in a file of `found` bytes that begins with `bytes`: from, to.
pub(super) fn extent(bytes: &[u8], found: u64, path: &Path) -> Result<(usize, usize), Error> {
    let path = || path.to_owned();
    let header_error = |reason: String| Error::Header { path: path(), reason };

    if bytes.len() < MAGIC.len() || bytes[..MAGIC.len()] != MAGIC {
        return Err(Error::NotAFilter { path: path() });
    }
    if bytes.len() < FIXED_BYTES {
        return Err(Error::Length { path: path(), expected: FIXED_BYTES as u64, found });
    }
    let version = u32_at(bytes, 8);
    if version != VERSION {
        return Err(Error::Version { path: path(), found: version, supported: VERSION });
    }
    let header_bytes = u32_at(bytes, 12) as usize;
    if header_bytes > MAX_HEADER_BYTES || !header_bytes.is_multiple_of(8) {
        return Err(header_error(format!(
            "length {header_bytes}; it must be a multiple of 8 up to {MAX_HEADER_BYTES}"
        )));
    }
    let taps = u64_at(bytes, 16);
    if taps == 0 || taps > MAX_TAPS as u64 {
        return Err(header_error(format!("{taps} taps; accepted is 1 to {MAX_TAPS}")));
    }
    let taps_at = FIXED_BYTES + header_bytes;
    let taps_end = taps_at + 8 * taps as usize;
    let expected = (taps_end + CHECKSUM_BYTES) as u64;
    if found != expected {
        return Err(Error::Length { path: path(), expected, found });
    }
    Ok((taps_at, taps_end))
}

/// Reads the header, which ends where the taps begin.
pub(super) fn header(bytes: &[u8], taps_at: usize, path: &Path) -> Result<Header, Error> {
    serde_json::from_slice(&bytes[FIXED_BYTES..taps_at])
        .map_err(|error| Error::Header { path: path.to_owned(), reason: error.to_string() })
}

/// What the header states of the gain at 0 Hz is what the taps have, and that is a number: taps
/// may be finite and their sum not.
pub(super) fn check_gain(stated: &Header, measured: f64, path: &Path) -> Result<(), Error> {
    let stated = stated.dc_gain;
    let same = (stated - measured).abs() <= 1e-9 * (1.0 + measured.abs());
    if same && measured.is_finite() {
        return Ok(());
    }
    let reason = format!("states a gain of {stated} at 0 Hz, the taps {measured}");
    Err(Error::Header { path: path.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::{Origin, Phase};

    fn filter() -> Filter {
        let origin = Origin::Imported { source: "seven.txt".into() };
        let taps = vec![0.1, -0.2, 1.0, 3.5, 1e-300, -0.0, 0.25];
        Filter::new(44_100, 2, Phase::Unknown, origin, taps).unwrap()
    }

    fn file() -> PathBuf {
        PathBuf::from("/some/where.filter")
    }

    #[test]
    fn every_cut_is_refused_and_names_the_file() {
        let bytes = filter().to_bytes(&file()).unwrap();
        for length in 0..bytes.len() {
            let error = Filter::from_bytes(&bytes[..length], &file()).unwrap_err();
            assert!(error.to_string().starts_with("/some/where.filter: "), "{error}");
            match error {
                Error::NotAFilter { .. } => assert!(length < 8),
                Error::Length { found, .. } => assert_eq!(found, length as u64),
                other => panic!("{length} bytes: {other}"),
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let bytes = filter().to_bytes(&file()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let error =
                Filter::from_bytes(&damaged, &file()).expect_err("a damaged file must not load");
            match bit / 64 {
                0 => assert!(matches!(error, Error::NotAFilter { .. }), "bit {bit}: {error}"),
                1 if bit / 8 < 12 => {
                    assert!(matches!(error, Error::Version { .. }), "bit {bit}: {error}");
                }
                1 | 2 => assert!(
                    matches!(error, Error::Length { .. } | Error::Header { .. }),
                    "bit {bit}: {error}"
                ),
                _ => assert!(matches!(error, Error::Checksum { .. }), "bit {bit}: {error}"),
            }
        }
    }

    #[test]
    fn bytes_after_the_end_are_refused() {
        let mut bytes = filter().to_bytes(&file()).unwrap();
        bytes.push(0);
        assert!(matches!(Filter::from_bytes(&bytes, &file()), Err(Error::Length { .. })));
    }

    #[test]
    fn a_header_that_lies_about_the_gain_is_refused() {
        let mut wrong = filter();
        wrong.header.dc_gain *= 2.0;
        let bytes = wrong.to_bytes(&file()).unwrap();
        let error = Filter::from_bytes(&bytes, &file()).unwrap_err().to_string();
        assert!(error.contains("states a gain of"), "{error}");
    }

    #[test]
    fn taps_whose_sum_is_no_number_are_refused() {
        for taps in [vec![f64::MAX, f64::MAX], vec![f64::MAX, f64::MAX, f64::MIN, f64::MIN]] {
            let origin = Origin::Imported { source: "loud.txt".into() };
            let error = Filter::new(44_100, 2, Phase::Unknown, origin, taps).unwrap_err();
            assert!(error.to_string().contains("gain at 0 Hz"), "{error}");
        }
    }

    #[test]
    fn an_unknown_field_in_the_header_is_refused() {
        let bytes = filter().to_bytes(&file()).unwrap();
        let text = String::from_utf8_lossy(&bytes[24..]).into_owned();
        let at = 24 + text.find("\"ratio\"").unwrap();
        let mut changed = bytes.clone();
        changed[at..at + 7].copy_from_slice(b"\"ratiq\"");
        let end = changed.len() - 4;
        let checksum = crc32fast::hash(&changed[..end]);
        changed[end..].copy_from_slice(&checksum.to_le_bytes());
        let error = Filter::from_bytes(&changed, &file()).unwrap_err().to_string();
        assert!(error.contains("ratiq"), "{error}");
    }
}
