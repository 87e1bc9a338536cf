//! What a board has to show, as a program: `docs/hardware-bring-up.md` step by step. It reads,
//! changes nothing, needs no network, and ends whatever hangs.
//!
//! - [`report`]: a step's outcome, the report, as words and as JSON
//! - [`steps`]: the steps, one file a subject
//! - [`device`]: the device under a root prefix, read with limits
//! - [`answers`]: what is not in a file: programs and the audio daemon, each with a time limit
//! - [`systemd`]: units and milestones of the boot, by `systemctl show`
//! - [`mounts`]: the system's mounts
//! - [`thermal`]: the board's thermometers
//! - [`slots`]: what the slot program says
//!
//! The page's service reads units, thermometers and reports by this crate, too.

pub mod answers;
pub mod device;
pub mod mounts;
pub mod report;
pub mod slots;
pub mod steps;
pub mod systemd;
pub mod thermal;

pub use device::Device;
pub use report::{Report, Step, Verdict};

/// Version of this program; the image's programs are released together.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
