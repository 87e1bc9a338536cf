//! Filters that are designed when they are wanted, and kept for the next time.
//!
//! A design of 640,000 taps takes seconds. It is kept as a `.filter` file in the folder
//! `totton-audio` of the user's cache, under a name that says what it is and which version
//! designed it. The folder may be emptied at any time.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use totton_dsp::{DesignSpec, Filter, Origin, Phase, RateFamily};

use crate::error::Error;

/// What to design; the attenuation and the passband are those of [`DesignSpec::default`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// At the output rate. `None`: as the product's own filter, [`DesignSpec::default`].
    pub taps: Option<usize>,
    pub phase: Phase,
}

impl Default for Wish {
    fn default() -> Self {
        Self { taps: None, phase: DesignSpec::default().phase }
    }
}

impl Wish {
    /// The design for inputs of `rate` Hz. A filter's shape scales with the rate: one for
    /// 44.1 kHz or 48 kHz serves, and [`Filter::at`] makes it fit.
    fn spec(self, rate: u32, ratio: u32) -> DesignSpec {
        let input_rate_hz = match RateFamily::of(rate) {
            Some(RateFamily::Hz44100) => 44_100,
            _ => 48_000,
        };
        let spec = DesignSpec { input_rate_hz, phase: self.phase, ..DesignSpec::default() };
        match self.taps {
            Some(taps) => DesignSpec { taps, ratio, ..spec },
            None => spec,
        }
    }
}

/// A designed filter, and what became of keeping it.
#[derive(Debug)]
pub struct Designed {
    pub filter: Filter,
    /// Where it is kept.
    pub file: Option<PathBuf>,
    /// Why it is not kept although there is a place for it.
    pub problem: Option<io::Error>,
}

/// Where designs are kept.
#[derive(Debug, Clone, Default)]
pub struct Cache {
    folder: Option<PathBuf>,
}

impl Cache {
    /// The user's: `totton-audio` in `$XDG_CACHE_HOME`, or in `~/.cache`. Without a home nothing
    /// is kept. (XDG Base Directory Specification: a path that is not absolute does not count.)
    #[must_use]
    pub fn of_user() -> Self {
        let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
        let caches = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
        Self { folder: caches.map(|caches| caches.join("totton-audio")) }
    }

    /// A folder, which need not be there yet.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()) }
    }

    /// The filter of `wish` for inputs of `rate` Hz at `ratio`: what was kept, if it is whole and
    /// what its name says, else designed; `progress` hears from 0 to 1.
    ///
    /// # Errors
    /// [`Error::Filter`] when it cannot be designed, or not for this rate.
    pub fn design(
        &self,
        wish: Wish,
        (rate, ratio): (u32, u32),
        progress: &mut dyn FnMut(f64, &'static str),
    ) -> Result<Designed, Error> {
        let spec = wish.spec(rate, ratio);
        let file = self.folder.as_ref().map(|folder| folder.join(name(&spec)));
        let kept = file.as_deref().and_then(|file| kept(file, &spec));
        let mut problem = None;
        let filter = match kept {
            Some(filter) => filter,
            None => {
                let filter = totton_dsp::design(&spec, progress).map_err(Error::Filter)?;
                problem = file.as_deref().and_then(|file| keep(&filter, file).err());
                filter
            }
        };
        let filter = filter.at(rate, ratio).map_err(Error::Filter)?;
        let file = file.filter(|_| problem.is_none());
        Ok(Designed { filter, file, problem })
    }
}

fn name(spec: &DesignSpec) -> String {
    let DesignSpec { taps, ratio, input_rate_hz, phase, .. } = spec;
    let version = env!("CARGO_PKG_VERSION");
    format!("{phase}-{taps}-{input_rate_hz}-x{ratio}-v{version}.filter")
}

/// The filter in `file`, when it is the one of `spec`.
fn kept(file: &Path, spec: &DesignSpec) -> Option<Filter> {
    let filter = Filter::load(file).ok()?;
    let header = filter.header();
    let same = matches!(header.origin, Origin::Kaiser { attenuation_db, .. } if attenuation_db == spec.attenuation_db)
        && header.input_rate_hz == spec.input_rate_hz
        && header.ratio == spec.ratio
        && header.phase == spec.phase
        && filter.taps().len() == spec.taps;
    same.then_some(filter)
}

/// Two may design the same at once: each writes a file of its own, and either's will do.
fn keep(filter: &Filter, file: &Path) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let bytes = filter.to_bytes(file).map_err(io::Error::other)?;
    let mut part = tempfile::Builder::new().prefix(".").suffix(".part").tempfile_in(folder)?;
    part.write_all(&bytes)?;
    part.as_file().sync_all()?;
    part.persist(file).map_err(|refused| refused.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISH: Wish = Wish { taps: Some(4000), phase: Phase::Linear };

    /// Designs; tells whether it took a design.
    fn design(cache: &Cache, rate: u32, ratio: u32) -> (Designed, bool) {
        let mut heard = false;
        let found = cache.design(WISH, (rate, ratio), &mut |_, _| heard = true).unwrap();
        (found, heard)
    }

    #[test]
    fn a_design_is_kept_and_read_again_unless_it_is_damaged_or_another() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(&folder.path().join("not/yet"));
        let (first, designed) = design(&cache, 44_100, 4);
        assert!(designed && first.problem.is_none());
        let file = first.file.unwrap();
        let name = format!("linear-4000-44100-x4-v{}.filter", env!("CARGO_PKG_VERSION"));
        assert_eq!(file.file_name().unwrap(), name.as_str());
        let again = |designed: bool| {
            let (found, heard) = design(&cache, 44_100, 4);
            assert_eq!(heard, designed);
            assert_eq!(found.filter, first.filter);
            let alone = std::fs::read_dir(file.parent().unwrap()).unwrap().count();
            assert_eq!(alone, 1, "no unfinished file stays");
        };
        again(false);
        let whole = std::fs::read(&file).unwrap();
        std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        again(true);
        again(false);
        let mut damaged = whole;
        damaged[500] ^= 1;
        std::fs::write(&file, damaged).unwrap();
        again(true);
        // A good filter, but not of this name.
        let other = Cache::at(&folder.path().join("other"));
        let other = other.design(WISH, (48_000, 4), &mut |_, _| ()).unwrap().file.unwrap();
        std::fs::copy(other, &file).unwrap();
        again(true);
    }

    #[test]
    fn where_nothing_can_be_kept_it_is_designed_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (none, _) = design(&Cache::default(), 44_100, 2);
        assert!(none.file.is_none() && none.problem.is_none());
        let blocked = folder.path().join("a file");
        std::fs::write(&blocked, "").unwrap();
        let (found, _) = design(&Cache::at(&blocked.join("cache")), 44_100, 2);
        assert!(found.file.is_none() && found.problem.is_some());
        assert_eq!(found.filter, none.filter);
    }

    #[test]
    fn without_a_number_of_taps_it_is_the_products_filter_at_any_rate() {
        let spec = |wish: Wish, rate| {
            let DesignSpec { taps, ratio, input_rate_hz, phase, .. } = wish.spec(rate, 2);
            (taps, ratio, input_rate_hz, phase)
        };
        let own = Wish::default();
        for (rate, family) in [(44_100, 44_100), (176_400, 44_100), (96_000, 48_000)] {
            assert_eq!(spec(own, rate), (640_000, 16, family, Phase::Minimum));
        }
        assert_eq!(spec(own, 32_000), (640_000, 16, 48_000, Phase::Minimum));
        assert_eq!(spec(WISH, 88_200), (4000, 2, 44_100, Phase::Linear));
        let (found, _) = design(&Cache::default(), 32_000, 2);
        assert_eq!(found.filter.header().input_rate_hz, 32_000);
    }

    #[test]
    fn a_rate_that_no_filter_has_is_refused() {
        let error = Cache::default().design(WISH, (4000, 2), &mut |_, _| ()).unwrap_err();
        assert!(error.to_string().contains("8000 to 768000 Hz"), "{error}");
    }
}
