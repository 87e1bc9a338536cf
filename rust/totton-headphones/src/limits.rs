//! What a database may have. It may come from anybody, and a small gzipped file can unpack to
//! thousands of times its size.
//!
//! OPRA of 2026 has 12,594 equalisers in 20 MB. The limits leave room for three times as many;
//! together they keep what is in memory below [`HELD_BYTES`].

/// Bytes of all lines, unpacked.
pub const PLAIN_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes of one line. It is in memory several times over while it is parsed.
pub const LINE_BYTES: usize = 64 * 1024;

/// Bytes that the database takes in memory, as they are counted while it is read: texts, bands,
/// and the tables that they are found by.
pub const HELD_BYTES: usize = 48 * 1024 * 1024;

/// Vendors, products and equalisers.
pub const VENDORS: usize = 10_000;
pub const PRODUCTS: usize = 50_000;
pub const CURVES: usize = 100_000;

/// Equalisers of one headphone: they are one answer of the API.
pub const CURVES_OF_ONE: usize = 200;

/// Bands of one equaliser; OPRA's have ten or twenty.
pub const BANDS: usize = 100;

/// Bytes of an id, a name or an author.
pub const NAME_BYTES: usize = 512;

/// Bytes of a link or of the details.
pub const TEXT_BYTES: usize = 4096;
