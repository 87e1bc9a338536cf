//! The times that the clock may show.

use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::error::Error;
use crate::unix_ms;

/// The file whose modification time is the date of the image. systemd looks at it before
/// anything else (`clock_apply_epoch`) and sets a clock that is behind it.
pub const EPOCH: &str = "/usr/lib/clock-epoch";

/// How long after the image's date a time is believed: 20 years of 365.25 days.
const BELIEVED: Duration = Duration::from_secs(20 * 31_557_600);

/// From the image's date, for 20 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    from: SystemTime,
    to: SystemTime,
}

impl Range {
    /// The range that begins at `from`.
    pub fn beginning(from: SystemTime) -> Self {
        Self { from, to: from + BELIEVED }
    }

    /// The range of the image that has this file.
    ///
    /// # Errors
    /// [`Error::Epoch`] when the file is not there: without it any time would do.
    pub fn of(epoch: &Path) -> Result<Self, Error> {
        let modified = std::fs::metadata(epoch).and_then(|metadata| metadata.modified());
        modified.map(Self::beginning).map_err(|source| Error::Epoch { path: epoch.into(), source })
    }

    /// Why the time is outside of the range; `None` within.
    pub fn refuses(&self, time: SystemTime) -> Option<String> {
        let (bound, side) = if time < self.from {
            (self.from, "before the image was built")
        } else if time > self.to {
            (self.to, "more than 20 years after the image was built")
        } else {
            return None;
        };
        Some(format!(
            "{} is {side} (bound {}), in Unix milliseconds",
            unix_ms(time),
            unix_ms(bound)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bounds_belong_to_the_range_and_nothing_beyond_does() {
        let from = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let (range, tick) = (Range::beginning(from), Duration::from_millis(1));
        for inside in [from, from + tick, from + BELIEVED] {
            assert_eq!(range.refuses(inside), None);
        }
        assert!(range.refuses(from - tick).unwrap().contains("before the image was built"));
        assert!(range.refuses(from + BELIEVED + tick).unwrap().contains("more than 20 years"));
    }

    #[test]
    fn the_file_s_time_is_the_first_and_without_the_file_there_is_no_range() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock-epoch");
        assert!(Range::of(&file).unwrap_err().to_string().contains("clock-epoch"));
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        std::fs::File::create(&file).unwrap().set_modified(date).unwrap();
        assert_eq!(Range::of(&file).unwrap(), Range::beginning(date));
    }
}
