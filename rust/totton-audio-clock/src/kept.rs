//! The time last seen, as the modification time of a file: what systemd-timesyncd does, without
//! its network.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;

use crate::clock::Clock;
use crate::error::Error;
use crate::range::Range;

/// Sets a clock that is behind the time last seen; the time then, if it was set. A clock that
/// is ahead is left alone: the board has one of its own that goes.
///
/// # Errors
/// When the file is there and cannot be looked at, or the kernel refuses.
pub fn restore(
    clock: &mut impl Clock,
    range: &Range,
    file: &Path,
) -> Result<Option<SystemTime>, Error> {
    let seen = match std::fs::symlink_metadata(file).and_then(|metadata| metadata.modified()) {
        Ok(seen) => seen,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::File { path: file.into(), source }),
    };
    if let Some(reason) = range.refuses(seen) {
        eprintln!("<4>{}: not taken for the time last seen: {reason}", file.display());
        return Ok(None);
    }
    if seen <= clock.now() {
        return Ok(None);
    }
    clock.set(seen)?;
    Ok(Some(seen))
}

/// Notes the time, on the disk.
///
/// # Errors
/// When the file cannot be written.
pub fn save(clock: &impl Clock, file: &Path) -> Result<(), Error> {
    let failed = |source| Error::File { path: file.into(), source };
    let note = || -> std::io::Result<()> {
        let note: File = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .custom_flags(libc::O_NOFOLLOW)
            .open(file)?;
        note.set_modified(clock.now())?;
        note.sync_all()
    };
    note().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::simulated::Simulated;
    use std::time::{Duration, UNIX_EPOCH};

    const BUILT: u64 = 1_790_000_000;

    fn range() -> Range {
        Range::beginning(UNIX_EPOCH + Duration::from_secs(BUILT))
    }

    #[test]
    fn time_goes_on_where_it_was_last_seen() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock");
        let mut started = Simulated::at(BUILT);
        assert_eq!(restore(&mut started, &range(), &file).unwrap(), None, "the first start");
        let seen = Simulated::at(BUILT + 86_400);
        save(&seen, &file).unwrap();
        assert_eq!(restore(&mut started, &range(), &file).unwrap(), Some(seen.now));
        assert_eq!(started.now, seen.now);
        // Where the board's clock has gone on, nothing is changed.
        let mut ahead = Simulated::at(BUILT + 90_000);
        assert_eq!(restore(&mut ahead, &range(), &file).unwrap(), None);
        // A clock that was set back is noted, too: it was set for a reason.
        let back = Simulated::at(BUILT + 3600);
        save(&back, &file).unwrap();
        let mut again = Simulated::at(BUILT);
        assert_eq!(restore(&mut again, &range(), &file).unwrap(), Some(back.now));
    }

    #[test]
    fn a_time_that_the_clock_may_not_show_is_not_restored() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock");
        for seconds in [0, BUILT - 1, BUILT + 30 * 31_557_600] {
            save(&Simulated::at(seconds), &file).unwrap();
            let mut started = Simulated::at(BUILT);
            assert_eq!(restore(&mut started, &range(), &file).unwrap(), None, "{seconds}");
        }
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        File::create(&file).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(save(&Simulated::at(BUILT), &link).unwrap_err().to_string().contains("link"));
    }
}
