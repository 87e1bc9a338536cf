//! The USB side of the device: a composite gadget, a sound card (UAC2) and a
//! network (NCM), built over ConfigFS when the device starts.
//!
//! Each command is one module; they see the kernel only through [`kernel::Kernel`].
//!
//! - [`cli`]: the command line
//! - [`config`]: `/etc/totton-audio/gadget.toml` and its fragments
//! - [`identity`]: serial number and MAC addresses that outlive a reflash
//! - [`description`]: what is to be built, as plain data
//! - [`kernel`]: what the commands need of the kernel
//! - [`configfs`]: the same, done by ConfigFS and sysfs
//! - [`record`]: what the last start did, in `/run/totton-audio-gadget/state.json`
//! - [`start`], [`stop`], [`status`]: the commands (a restart is a stop and a start)
//! - [`logging`]: stderr, with priorities where the journal reads it
//! - [`error`]: everything that can go wrong, and the exit codes

pub mod cli;
pub mod config;
pub mod configfs;
pub mod description;
pub mod error;
pub mod identity;
pub mod kernel;
pub mod logging;
pub mod record;
pub mod start;
pub mod status;
pub mod stop;

#[cfg(test)]
mod simulation;

pub use error::Error;

/// The gadget's folder in ConfigFS. Gadgets of other names are never touched.
pub const GADGET_NAME: &str = "totton-audio";

/// Where the record of the last start lies, and where concurrent runs queue up.
pub const RUNTIME_DIRECTORY: &str = "/run/totton-audio-gadget";
