//! The update feed: its address, the newest list that was seen of it, the bundle that is fetched.
//!
//! The box has no internet: the browser fetches the list and the bundle and hands them over. Nothing
//! that it says is believed: the list is signed ([`totton_releases`]), and the bundle has the hash
//! that the list says. The list is kept as it came and verified each time that it is read.
//!
//! - [`address`]: the address of a feed
//! - [`bundle`]: the bundle, piece by piece

pub mod address;
pub mod bundle;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use actix_web::http::StatusCode;
use serde::{Deserialize, Serialize};
use totton_releases::{Board, Channel, Device, Index, Key, Refused, Release, Sha256, Verdict, key};
use utoipa::ToSchema;

use crate::VERSION;
use crate::problem::Problem;
use crate::store::Store;
pub use address::FeedAddress;
use bundle::Bundles;

/// The documents with what the owner chose, and with the newest list.
const FEED: &str = "update-feed.json";
const LIST: &str = "update-list.json";

/// What the owner chose. No feed unless one is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// The feed's folder; null for none.
    pub address: Option<FeedAddress>,
    /// Which releases.
    pub channel: Channel,
}

/// The newest list, as it came.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    address: FeedAddress,
    /// The list's number: stays known when another key cannot verify the list any more.
    serial: u64,
    list: String,
}

/// The feed of this box.
pub struct Releases {
    store: Store,
    key: PathBuf,
    board: PathBuf,
    pub bundles: Bundles,
    /// Held from the look at the list that is kept until the new one is.
    turn: Mutex<()>,
}

impl Releases {
    /// The feed of the box with this public key and `/etc/hwrevision`; nothing is read yet.
    pub fn new(store: &Store, key: &Path, board: &Path) -> Self {
        Self {
            store: store.clone(),
            key: key.to_owned(),
            board: board.to_owned(),
            bundles: Bundles::new(store),
            turn: Mutex::default(),
        }
    }

    /// What the owner chose.
    ///
    /// # Errors
    /// 500 when the document cannot be read.
    pub fn feed(&self) -> Result<Feed, Problem> {
        Ok(self.store.read(FEED)?.unwrap_or_default())
    }

    /// Keeps what the owner chose. The list and the bundle of another feed go.
    ///
    /// # Errors
    /// 500 when it cannot be written.
    pub fn choose(&self, feed: &Feed) -> Result<(), Problem> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let moved = self.feed().map_or(true, |before| before.address != feed.address);
        self.store.write(FEED, feed)?;
        if moved {
            self.store.remove(LIST)?;
            self.bundles.keep_only(&[])?;
        }
        Ok(())
    }

    /// This box, as a list sees it.
    ///
    /// # Errors
    /// 409 when its board is not known.
    pub fn device(&self, channel: Channel) -> Result<Device, Problem> {
        let text = text(&self.board).map_err(|reason| not_here(&self.board, &reason))?;
        let board = Board::parse(&text).map_err(|error| not_here(&self.board, &error))?;
        Device::new(VERSION, board, channel).map_err(|error| not_here(&self.board, &error))
    }

    /// The newest list that was seen of the feed.
    ///
    /// # Errors
    /// 500 when the document cannot be read, 409 when there is no key.
    pub fn list(&self) -> Result<Option<Index>, Problem> {
        let Some(kept) = self.kept(self.feed()?.address.as_ref())? else { return Ok(None) };
        match Index::open(&self.key()?, kept.list.as_bytes()) {
            Ok(index) => Ok(Some(index)),
            // An update has brought another key.
            Err(refused) => {
                log::warn!("the list of releases that is kept: {refused}");
                Ok(None)
            }
        }
    }

    /// Takes a list that the browser has fetched.
    ///
    /// # Errors
    /// 409 when there is no feed or no key, 422 when the list is refused, 500 when it cannot be
    /// kept. What was kept before stays.
    pub fn take(&self, file: Vec<u8>) -> Result<Index, Problem> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let address = self.feed()?.address.ok_or_else(|| {
            Problem::new(
                StatusCode::CONFLICT,
                "no-feed",
                "No update feed is set",
                "the list of releases belongs to no feed",
                "Set the feed's address in the Update view.",
            )
        })?;
        let index = Index::open(&self.key()?, &file).map_err(refused)?;
        if let Some(kept) = self.kept(Some(&address))? {
            index.not_before(kept.serial).map_err(refused)?;
        }
        // Signed JSON is UTF-8, and so is a first line that was understood.
        let list = String::from_utf8(file).map_err(|_| refused(Refused::NotAnIndex))?;
        self.store.write(LIST, &Kept { address, serial: index.serial(), list })?;
        let listed: Vec<_> = index.releases().iter().map(|release| &release.sha256).collect();
        self.bundles.keep_only(&listed)?;
        Ok(index)
    }

    /// The release of the newest list whose bundle has this hash, if this box may take it;
    /// `go_back` when an older one is wanted.
    ///
    /// # Errors
    /// 404 when there is none, 409 with the reason against it.
    pub fn release(&self, bundle: &Sha256, go_back: bool) -> Result<Release, Problem> {
        let device = self.device(self.feed()?.channel)?;
        let found = self.list()?.and_then(|index| index.find(bundle).cloned());
        let release = found.ok_or_else(|| Problem::no_such("release", bundle.as_str()))?;
        let verdict = device.verdict(&release);
        if verdict.allows(go_back) { Ok(release) } else { Err(not_allowed(&release, verdict)) }
    }

    fn kept(&self, address: Option<&FeedAddress>) -> Result<Option<Kept>, Problem> {
        let kept: Option<Kept> = self.store.read(LIST)?;
        Ok(kept.filter(|kept| Some(&kept.address) == address))
    }

    fn key(&self) -> Result<Key, Problem> {
        let pem = text(&self.key).map_err(|reason| not_here(&self.key, &reason))?;
        Key::from_pem(&pem).map_err(|error| not_here(&self.key, &error))
    }
}

/// A small file of the image.
fn text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(key::LARGEST as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

fn not_here(path: &Path, reason: &dyn std::fmt::Display) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "no-feed-here",
        "This device cannot look for updates",
        format!("{}: {reason}", path.display()),
        "Hand over the update as a file, or use an image that was built with updates.",
    )
}

fn refused(refused: Refused) -> Problem {
    let action = match refused {
        Refused::Replayed { .. } => {
            "Ask who runs the feed: an old list is served, or a copy is behind."
        }
        Refused::Signature => {
            "Set the address of the feed that this device's image belongs to; its updates are signed by the same key."
        }
        _ => "Set the address of an update feed: the folder that publish-update has made.",
    };
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "list-refused",
        "The list of releases is not accepted",
        refused.to_string(),
        action,
    )
}

fn not_allowed(release: &Release, verdict: Verdict) -> Problem {
    let Release { version, from, board, .. } = release;
    let (kind, title, detail, action) = match verdict {
        Verdict::OtherChannel => (
            "other-channel",
            "This release is a beta",
            format!("version {version} is in the channel beta, this device takes stable releases"),
            "Choose the channel beta first, if you want to try it.".to_owned(),
        ),
        Verdict::NeedsBetween => (
            "needs-between",
            "Another version has to be installed before",
            format!("version {version} installs over {from} or newer; {VERSION} runs"),
            format!("Install {from} first."),
        ),
        Verdict::OtherBoard => (
            "other-board",
            "This release is for another board",
            format!("version {version} is for {board}"),
            "Choose a release for this board.".to_owned(),
        ),
        Verdict::Older | Verdict::Same | Verdict::Newer => return older(version),
    };
    Problem::new(StatusCode::CONFLICT, kind, title, detail, action)
}

/// The bundle is older than what runs, and nobody has said that it shall be.
pub fn older(version: &dyn std::fmt::Display) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "older-version",
        "This is an older version",
        format!("version {version} is older than {VERSION}, which runs"),
        "Say \"go back\" (go_back=true) when the older version is what you want.",
    )
}
