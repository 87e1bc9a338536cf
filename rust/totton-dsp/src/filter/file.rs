//! The `.filter` file, format version 1. All numbers are little endian.
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

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use super::{Filter, Header, MAX_TAPS, check_shape};
use crate::Error;

/// The first eight bytes of a filter file.
pub const MAGIC: [u8; 8] = *b"TOTTONFI";

/// The format version that this build reads and writes.
pub const VERSION: u32 = 1;

const FIXED_BYTES: usize = 24;
const CHECKSUM_BYTES: usize = 4;
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Taps that are checked at once: whole numbers of 8 bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// Opens a regular file: to open a pipe is to wait for its writer.
fn open(path: &Path) -> std::io::Result<File> {
    if std::fs::metadata(path)?.is_file() {
        return File::open(path);
    }
    Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is no regular file"))
}

impl Filter {
    /// Reads a filter file.
    ///
    /// # Errors
    ///
    /// Every error names the file: [`Error::Io`], [`Error::NotAFilter`],
    /// [`Error::Version`], [`Error::Length`], [`Error::Checksum`] or [`Error::Header`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::Io { path: path.to_owned(), action: "read", source };
        let mut file = open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let largest = (FIXED_BYTES + MAX_HEADER_BYTES + 8 * MAX_TAPS + CHECKSUM_BYTES) as u64;
        if length > largest {
            return Err(Error::Length { path: path.to_owned(), expected: largest, found: length });
        }
        let mut bytes = Vec::with_capacity(length as usize);
        file.read_to_end(&mut bytes).map_err(io)?;
        parse(&bytes, path)
    }

    /// Reads the bytes of a filter file; `path` is for the errors.
    ///
    /// # Errors
    ///
    /// As [`Filter::load`], but for [`Error::Io`].
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, Error> {
        parse(bytes, path)
    }

    /// Reads only the header of a filter file, and how many taps it has. The length is checked,
    /// taps and checksum are not looked at.
    ///
    /// # Errors
    ///
    /// As [`Filter::load`], but for the checksum.
    pub fn peek(path: &Path) -> Result<(Header, usize), Error> {
        let io = |source| Error::Io { path: path.to_owned(), action: "read", source };
        let file = open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut bytes = Vec::new();
        file.take((FIXED_BYTES + MAX_HEADER_BYTES) as u64).read_to_end(&mut bytes).map_err(io)?;
        let (taps_at, taps_end) = extent(&bytes, length, path)?;
        Ok((header(&bytes, taps_at, path)?, (taps_end - taps_at) / 8))
    }

    /// Checks a filter file as [`Filter::load`] does, without keeping its taps: in constant memory,
    /// whatever the file claims. `file` is read from where it stands; `path` is for the errors.
    ///
    /// # Errors
    ///
    /// As [`Filter::load`].
    pub fn check(file: &mut File, path: &Path) -> Result<(Header, usize), Error> {
        let io = |source| Error::Io { path: path.to_owned(), action: "read", source };
        let length = file.metadata().map_err(io)?.len();
        let mut begin = Vec::new();
        file.take(FIXED_BYTES as u64).read_to_end(&mut begin).map_err(io)?;
        let (taps_at, taps_end) = extent(&begin, length, path)?;
        file.take((taps_at - FIXED_BYTES) as u64).read_to_end(&mut begin).map_err(io)?;
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&begin);
        // A file that became shorter meanwhile is an error of reading.
        let mut chunk = vec![0; CHUNK_BYTES];
        let (mut sum, mut not_finite, mut at) = (0.0, None, taps_at);
        while at < taps_end {
            let bytes = &mut chunk[..CHUNK_BYTES.min(taps_end - at)];
            file.read_exact(bytes).map_err(io)?;
            checksum.update(bytes);
            for (index, tap) in bytes.as_chunks().0.iter().enumerate() {
                let tap = f64::from_le_bytes(*tap);
                if !tap.is_finite() && not_finite.is_none() {
                    not_finite = Some(Error::Tap { index: (at - taps_at) / 8 + index, value: tap });
                }
                sum += tap;
            }
            at += bytes.len();
        }
        let mut stored = [0; CHECKSUM_BYTES];
        file.read_exact(&mut stored).map_err(io)?;
        let (stored, computed) = (u32::from_le_bytes(stored), checksum.finalize());
        if stored != computed {
            return Err(Error::Checksum { path: path.to_owned(), stored, computed });
        }
        let mut header = header(&begin, taps_at, path)?;
        let taps = (taps_end - taps_at) / 8;
        check_shape(header.input_rate_hz, header.ratio, taps)
            .and(not_finite.map_or(Ok(()), Err))
            .map_err(|error| Error::Header { path: path.to_owned(), reason: error.to_string() })?;
        let measured = sum / f64::from(header.ratio);
        check_gain(&header, measured, path)?;
        header.dc_gain = measured;
        Ok((header, taps))
    }

    /// Writes a filter file. The file appears under its name only when it is whole.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] naming the file, [`Error::Header`] when the header cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let bytes = self.to_bytes(path)?;
        let mut name = path.as_os_str().to_owned();
        name.push(".part");
        let part = Path::new(&name);
        let write = || {
            let mut file = BufWriter::new(File::create(part)?);
            file.write_all(&bytes)?;
            file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
            std::fs::rename(part, path)
        };
        write().map_err(|source| {
            // Nothing half-written may stay; the first error is the one to tell.
            let _ = std::fs::remove_file(part);
            Error::Io { path: path.to_owned(), action: "write", source }
        })
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
fn extent(bytes: &[u8], found: u64, path: &Path) -> Result<(usize, usize), Error> {
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
fn header(bytes: &[u8], taps_at: usize, path: &Path) -> Result<Header, Error> {
    serde_json::from_slice(&bytes[FIXED_BYTES..taps_at])
        .map_err(|error| Error::Header { path: path.to_owned(), reason: error.to_string() })
}

/// Reads the bytes of a filter file; `path` is for the errors.
fn parse(bytes: &[u8], path: &Path) -> Result<Filter, Error> {
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
    let filter = Filter::new(header.input_rate_hz, header.ratio, header.phase, header.origin, taps)
        .map_err(|error| header_error(error.to_string()))?;
    check_gain(&stated, filter.header.dc_gain, path)?;
    Ok(filter)
}

/// What the header states of the gain at 0 Hz is what the taps have, and that is a number: taps
/// may be finite and their sum not.
fn check_gain(stated: &Header, measured: f64, path: &Path) -> Result<(), Error> {
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
    fn a_saved_filter_loads_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.filter");
        filter().save(&path).unwrap();
        let loaded = Filter::load(&path).unwrap();
        assert_eq!(loaded, filter());
        let (header, taps) = Filter::peek(&path).unwrap();
        assert_eq!((&header, taps), (loaded.header(), 7));
        assert!(loaded.taps()[5].is_sign_negative(), "-0.0 must keep its sign");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no part file may stay");
    }

    #[test]
    fn every_cut_is_refused_and_names_the_file() {
        let bytes = filter().to_bytes(&file()).unwrap();
        for length in 0..bytes.len() {
            let error = parse(&bytes[..length], &file()).unwrap_err();
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
            let error = parse(&damaged, &file()).expect_err("a damaged file must not load");
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
        assert!(matches!(parse(&bytes, &file()), Err(Error::Length { .. })));
    }

    #[test]
    fn a_header_that_lies_about_the_gain_is_refused() {
        let mut wrong = filter();
        wrong.header.dc_gain *= 2.0;
        let bytes = wrong.to_bytes(&file()).unwrap();
        let error = parse(&bytes, &file()).unwrap_err().to_string();
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
        let error = parse(&changed, &file()).unwrap_err().to_string();
        assert!(error.contains("ratiq"), "{error}");
    }

    #[test]
    fn checking_says_the_same_as_loading() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.filter");
        let both = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let checked = Filter::check(&mut File::open(&path).unwrap(), &path);
            let loaded = Filter::load(&path);
            let loaded = loaded.map(|filter| (filter.header().clone(), filter.taps().len()));
            match (checked, loaded) {
                (Ok(checked), Ok(loaded)) => assert_eq!(checked, loaded),
                (Err(checked), Err(loaded)) => assert_eq!(checked.to_string(), loaded.to_string()),
                (checked, loaded) => panic!("{checked:?} and {loaded:?}"),
            }
        };
        // More taps than fit into a chunk.
        let taps: Vec<f64> = (0..20_000).map(|n| f64::from(n).sin()).collect();
        let origin = Origin::Imported { source: "x".into() };
        let long = Filter::new(48_000, 16, Phase::Unknown, origin, taps).unwrap();
        both(&long.to_bytes(&path).unwrap());
        let bytes = filter().to_bytes(&path).unwrap();
        let sealed = |mut bytes: Vec<u8>| {
            let end = bytes.len() - 4;
            let checksum = crc32fast::hash(&bytes[..end]);
            bytes[end..].copy_from_slice(&checksum.to_le_bytes());
            bytes
        };
        for end in 0..bytes.len() {
            both(&bytes[..end]);
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x55;
            both(&changed);
            both(&sealed(changed));
        }
        let last = bytes.len() - 12;
        for tap in [f64::NAN, f64::INFINITY] {
            let mut changed = bytes.clone();
            changed[last..last + 8].copy_from_slice(&tap.to_le_bytes());
            both(&sealed(changed));
        }
    }

    #[test]
    fn a_file_of_taps_whose_sum_is_no_number_is_refused() {
        let mut loud = filter();
        loud.taps[..2].fill(f64::MAX);
        loud.header.dc_gain = 1.0;
        let bytes = loud.to_bytes(&file()).unwrap();
        let error = parse(&bytes, &file()).unwrap_err().to_string();
        assert!(error.contains("gain at 0 Hz = inf"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("loud.filter");
        std::fs::write(&path, bytes).unwrap();
        let error = Filter::check(&mut File::open(&path).unwrap(), &path).unwrap_err().to_string();
        assert!(error.contains("the taps inf"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Filter::load(Path::new("/nowhere/x.filter")).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/x.filter: cannot read: "), "{error}");
    }
}
