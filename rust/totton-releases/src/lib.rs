//! The signed list of releases that an update feed offers, and what a device may take of it.
//!
//! A feed is a folder on any web server: bundles (`.swu`) and one file, [`INDEX`]:
//!
//! ```text
//! totton-releases-1 BASE64      RSASSA-PSS, SHA-256, 32 bytes of salt, over all that follows
//! {"serial": …, "releases": …}  JSON, to the end of the file
//! ```
//!
//! The key is the one that bundles are signed with. List and signature are one file: a web server
//! or a cache cannot give the one without the other. A bundle's `sw-description`, which is signed by
//! the same key, cannot pass for a list, nor a list for it: it is no JSON, and a list has no `=`.
//!
//! What a device may rely on after [`Index::open`]:
//!
//! - **Nothing is read before the signature is right**, and the file has at most [`LARGEST`] bytes.
//! - **Every value is harmless**: a file's name has no folder, numbers have bounds, texts no control
//!   characters, and a hash is a hash.
//! - **Replay**: each list has a higher [`serial`](Index::serial) than the one before; a device keeps
//!   the highest that it has seen and refuses less ([`Index::not_before`]). A date of expiry would
//!   need a clock, and the box has none that it could trust. Who holds back new lists is not found
//!   out by the box: the page tells the list's age, by the clock of the computer.
//! - **An older bundle** in place of a newer one fails: the list has the bundle's SHA-256.
//!
//! A field that is not known is passed over: a device has to find its way from any version. What
//! older devices must not read gets another first line.
//!
//! - [`index`]: the list and its types
//! - [`verdict`]: what a device may take
//! - [`bundle`]: what the first bytes of a bundle say of it
//! - [`key`]: the public key

pub mod bundle;
pub mod index;
pub mod key;
pub mod verdict;

pub use index::{Channel, INDEX, Index, LARGEST, Release, Sha256};
pub use key::Key;
pub use verdict::{Board, Device, Verdict};

/// Why a list, a key or the head of a bundle is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The list's file is too large.
    #[error("the list has more than {LARGEST} bytes")]
    TooLarge,
    /// The first line is not a list's.
    #[error("{INDEX} does not begin with a line \"totton-releases-1\" and a signature")]
    NotAnIndex,
    /// Another key, or changed bytes.
    #[error("the list is not signed by this device's key, or was changed")]
    Signature,
    /// A list that says what is not accepted.
    #[error("the list is signed, and says what is not accepted: {0}")]
    Content(String),
    /// An older list than one that was seen.
    #[error("the list is older than one that was seen here (number {found}, seen {seen})")]
    Replayed {
        /// The number of this list.
        found: u64,
        /// The highest number that was seen.
        seen: u64,
    },
    /// The public key's file holds none.
    #[error("{0}")]
    Key(String),
    /// What `/etc/hwrevision` says.
    #[error("found {0:?}; accepted: the board's name, a space, its revision")]
    Board(String),
    /// The first bytes of a bundle.
    #[error("this is no update bundle: {0}")]
    Bundle(&'static str),
}
