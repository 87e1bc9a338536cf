//! `.filter` files on the disk; [`format`](super::format) has what is in them.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use super::format::{CHECKSUM_BYTES, FIXED_BYTES, MAX_HEADER_BYTES, check_gain, extent, header};
use super::{Filter, Header, MAX_TAPS, check_shape};
use crate::Error;

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
        Self::from_bytes(&bytes, path)
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Origin, Phase};

    fn filter() -> Filter {
        let origin = Origin::Imported { source: "seven.txt".into() };
        let taps = vec![0.1, -0.2, 1.0, 3.5, 1e-300, -0.0, 0.25];
        Filter::new(44_100, 2, Phase::Unknown, origin, taps).unwrap()
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
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("loud.filter");
        let bytes = loud.to_bytes(&path).unwrap();
        let error = Filter::from_bytes(&bytes, &path).unwrap_err().to_string();
        assert!(error.contains("gain at 0 Hz = inf"), "{error}");
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
