//! Headphone equalisers of the OPRA database
//! (<https://github.com/opra-project/OPRA>): import from its repository, and
//! search without a network.
//!
//! OPRA's data is licensed under CC BY-SA 4.0 and none of it is in this
//! repository: the builder of an image fetches it, or the user uploads it. Where
//! it is shown, [`ATTRIBUTION`] and the curve's author stand beside it.
//!
//! - [`record`]: one line of OPRA's `database_v1.jsonl`
//! - [`repository`]: reads OPRA's folders (`database/vendors/…`) into such lines
//! - [`lines`]: the lines of such a file, plain or gzipped; [`limits`]: how many of what
//! - [`builder`]: the records put together
//! - [`database`]: the headphones in memory, linked and searched
//! - [`file`]: read from such a file, and the file written
//! - [`error`]: what can be wrong with them

pub mod builder;
pub mod database;
pub mod error;
pub mod file;
pub mod limits;
pub mod lines;
pub mod record;
pub mod repository;

pub use database::{Curve, Database, Product};
pub use error::Error;
pub use record::{Band, Record, Shape};

/// What must be said beside the data.
pub const ATTRIBUTION: &str = "Headphone equalisers by their authors, from OPRA \
    (https://github.com/opra-project/OPRA), licensed under CC BY-SA 4.0 \
    (https://creativecommons.org/licenses/by-sa/4.0/)";
