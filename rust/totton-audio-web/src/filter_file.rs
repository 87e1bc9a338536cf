//! Filter files that came from outside: checked through the open file, and kept as they were checked.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use actix_web::http::StatusCode;
use totton_dsp::{Filter, Header, RateFamily};

use crate::problem::Problem;
use crate::store::{Id, Kind, PartialFile, Store};

/// The rate families in Hz, as they stand in a file's name.
const FAMILIES: [u32; 2] = [44_100, 48_000];

/// A file that is a filter, not kept yet.
#[must_use = "the file is removed when this is dropped"]
pub struct Checked {
    part: PartialFile,
    /// What the filter says of itself.
    pub header: Header,
    /// How many taps it has.
    pub taps: usize,
}

/// What came of keeping a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is there now.
    New,
    /// The same file was there already.
    Same,
    /// Another file has the name, and stays.
    Other,
}

impl Checked {
    /// Checks that `part` is a filter: whole, with the right checksum, in constant memory.
    ///
    /// # Errors
    /// 422 with what is wrong with it.
    pub fn new(mut part: PartialFile) -> Result<Self, Problem> {
        let (header, taps) =
            Filter::check(part.rewound()?, Path::new("the file")).map_err(|error| {
                Problem::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "not-a-filter",
                    "The file is no filter that can be used",
                    error.to_string(),
                    "Send a file that totton-filter has made.",
                )
            })?;
        Ok(Self { part, header, taps })
    }

    /// `STEM-FAMILY-xRATIO.filter`: the file says for which rates it is, its name says so to the
    /// daemon.
    pub fn file_name(&self, stem: &Id) -> String {
        let rate = self.header.input_rate_hz;
        let family = self.header.rate_family().map_or(rate, |family| match family {
            RateFamily::Hz44100 => FAMILIES[0],
            RateFamily::Hz48000 => FAMILIES[1],
        });
        format!("{}-{family}-x{}.filter", stem.as_str(), self.header.ratio)
    }

    /// Whether it is among the uploaded filters under `name` already.
    pub fn compare(&mut self, store: &Store, name: &str) -> Kept {
        let target = store.path(Kind::Filters.folder()).join(name);
        let Ok(mut there) = File::open(&target) else { return Kept::New };
        match self.part.rewound().map(|here| same(here, &mut there)) {
            Ok(Ok(true)) => Kept::Same,
            _ => Kept::Other,
        }
    }

    /// Keeps it among the uploaded filters under `name`.
    ///
    /// # Errors
    /// 409 or 507 when the limits are reached, 500 when it cannot be written.
    pub fn keep(mut self, store: &Store, name: &str, replace: bool) -> Result<Kept, Problem> {
        if self.compare(store, name) == Kept::Same {
            return Ok(Kept::Same);
        }
        Ok(if self.part.keep(Kind::Filters, name, replace)? { Kept::New } else { Kept::Other })
    }
}

/// The name by which the daemon lists the files of one filter.
pub fn template(name: &str, header: &Header) -> String {
    let families = FAMILIES.map(|family| format!("-{family}-x"));
    let family = families.iter().find(|family| name.contains(family.as_str()));
    let name = family.map_or(name.to_owned(), |family| name.replacen(family, "-{family}-x", 1));
    name.replacen(&format!("x{}.", header.ratio), "x{ratio}.", 1)
}

/// Whether two files have the same content.
fn same(one: &mut File, other: &mut File) -> std::io::Result<bool> {
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut here, mut there) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let count = one.read(&mut here)?;
        if count == 0 {
            return Ok(true);
        }
        other.read_exact(&mut there[..count])?;
        if here[..count] != there[..count] {
            return Ok(false);
        }
    }
}
