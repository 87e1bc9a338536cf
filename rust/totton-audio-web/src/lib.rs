//! The page and the HTTP API of the device.
//!
//! Commands go browser → [`api`] → [`daemon`] → ZeroMQ → audio daemon; telemetry
//! comes audio daemon → ZeroMQ → [`feed`] → [`events`] → browser. Everything that
//! arrives over HTTP passes [`guard`] first.
//!
//! - [`settings`]: reads `web.toml`, its fragments and the environment, validated
//! - [`listen`]: the listening sockets, each on its network interface
//! - [`serve`]: an HTTP server for each interface, while it is there
//! - [`app`]: what the handlers share, and the routes behind the guard
//! - [`server`]: puts the parts together, serves, stops on SIGTERM
//! - [`guard`]: who may ask (Host, Origin, content type, how often, password), and
//!   the security headers
//! - [`api`]: the routes below `/api/v1`, one file a subject
//! - [`openapi`]: their description, generated from them; [`cookie`]: the cookies of a request
//! - [`body`]: JSON bodies and uploads, limited in size and time
//! - [`events`]: server-sent events
//! - [`daemon`]: asks the audio daemon
//! - [`feed`]: listens to the audio daemon
//! - [`device`]: services, board, journal, check, power, updater
//! - [`equaliser`], [`sides`]: equaliser profiles, and two of them to compare
//! - [`preset`]: the sound under a name
//! - [`plot`]: what a filter does, in points
//! - [`backup`]: what a backup is, and what of a stranger's is put in place
//! - [`filter_file`]: filter files that came from outside
//! - [`store`]: what the user keeps, in the data folder
//! - [`releases`]: the update feed; [`last_update`], [`quiet`]: what became of an update, and the
//!   restart when nobody listens
//! - [`problem`]: errors as `application/problem+json`
//! - [`redact`]: takes serial numbers out of texts that are given away
//! - [`page`]: the page's files, inside the binary
//! - [`logging`]: log lines as journald reads them
//! - [`error`]: why the service cannot start

pub mod api;
pub mod app;
pub mod backup;
pub mod body;
pub mod cookie;
pub mod daemon;
pub mod device;
pub mod equaliser;
pub mod error;
pub mod events;
pub mod feed;
pub mod filter_file;
pub mod guard;
pub mod last_update;
pub mod listen;
pub mod logging;
pub mod openapi;
pub mod page;
pub mod plot;
pub mod preset;
pub mod problem;
pub mod quiet;
pub mod redact;
pub mod releases;
pub mod serve;
pub mod server;
pub mod settings;
pub mod sides;
pub mod store;

pub use error::Error;
pub use settings::{Overrides, Settings};

/// Version of this service; the image's services are released together.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
