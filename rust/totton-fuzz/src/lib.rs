//! Fuzz targets: one for each parser that takes bytes from outside.
//!
//! A target takes any bytes and panics when something does not hold that has to hold for
//! every input: a value that is accepted is within its bounds, what is written comes back as
//! it was, the memory in use stays in proportion to the input. That no input makes the
//! parser panic goes without saying.
//!
//! Two programs run the targets:
//! - `tests/replay.rs`, with every `cargo test`: the files of `corpus/`;
//! - `driver/`, a workspace of its own: libFuzzer, which looks for new inputs. `tests/fuzz`
//!   builds and starts it, `docs/fuzzing.md` says how.
//!
//! The targets by subject:
//! - [`filters`]: the `.filter` file and the taps of other programs
//! - [`equaliser`]: the text of an equaliser
//! - [`sound`]: WAV and FLAC
//! - [`http`]: requests to the page's service, with a stand-in for the [`daemon`]
//! - [`backup`]: a backup that somebody else has made
//! - [`settings`]: settings from everywhere, names and texts
//! - [`messages`]: between the page and the audio daemon
//! - [`clock`]: orders to set the clock
//! - [`headphones`]: OPRA's database
//! - [`machine`]: what journald, systemd and SWUpdate tell the page
//! - [`releases`]: the signed list of an update feed, the head of a bundle
//! - [`configuration`]: the configuration files of the three services
//!
//! What they share: [`memory`], the memory in use; [`file`], a file that is only in memory.

// A target's verdict is a panic.
#![allow(clippy::expect_used)]

pub mod backup;
pub mod clock;
pub mod configuration;
pub mod daemon;
pub mod equaliser;
pub mod file;
pub mod filters;
pub mod headphones;
pub mod http;
pub mod machine;
pub mod memory;
pub mod messages;
pub mod releases;
pub mod settings;
pub mod sound;

/// A parser under test.
pub struct Target {
    /// As the command line and the folder of its corpus name it.
    pub name: &'static str,
    /// The most bytes of an input that the fuzzer makes.
    pub max_len: usize,
    /// Panics when something does not hold.
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, max_len: usize, run: fn(&[u8])) -> Target {
    Target { name, max_len, run }
}

/// All targets, the most exposed first.
pub const TARGETS: &[Target] = &[
    target("http_request", 4096, http::request),
    target("http_conversation", 4096, http::conversation),
    target("backup_document", 8192, backup::document),
    target("backup_archive", 8192, backup::archive),
    target("settings", 4096, settings::settings),
    target("merge_patch", 4096, settings::merge_patch),
    target("message_request", 4096, messages::request),
    target("filter_file", 4096, filters::filter_file),
    target("equaliser", 4096, equaliser::text),
    target("headphones", 8192, headphones::database),
    target("names", 512, settings::names),
    target("clock_order", 512, clock::orders),
    target("journal", 4096, machine::journal),
    target("taps_text", 4096, filters::taps_text),
    target("taps_wav", 1024, filters::taps_wav),
    target("wav", 2048, sound::wav),
    target("flac", 8192, sound::flac),
    target("gadget_toml", 6144, configuration::gadget),
    target("upsampler_toml", 6144, configuration::upsampler),
    target("web_toml", 6144, configuration::web),
    target("message_reply", 8192, messages::reply),
    target("systemctl", 4096, machine::systemctl),
    target("swupdate", 3120, machine::swupdate),
    target("release_list", 8192, releases::list),
    target("bundle_head", 4096, releases::head),
];

/// The target of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
