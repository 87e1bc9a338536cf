//! What a device may take of a list.

use semver::Version;
use serde::Serialize;

use crate::index::version;
use crate::{Channel, Index, Refused, Release};

/// The board that a bundle must be for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = BundleBoard))]
pub struct Board {
    pub name: String,
    pub revision: String,
}

impl Board {
    /// Reads `/etc/hwrevision`, as SWUpdate does: the name, a space, the revision.
    ///
    /// # Errors
    /// [`Refused::Board`] for everything else.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let mut words = text.split_whitespace().map(str::to_owned);
        match (words.next(), words.next(), words.next()) {
            (Some(name), Some(revision), None) => Ok(Self { name, revision }),
            _ => Err(Refused::Board(text.chars().take(100).collect())),
        }
    }
}

/// The device that asks.
#[derive(Debug, Clone)]
pub struct Device {
    /// What runs.
    pub version: Version,
    pub board: Board,
    /// What its owner chose.
    pub channel: Channel,
}

/// How a release stands to a device. Each is looked at in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Verdict {
    /// It is for another board, or another revision of it.
    OtherBoard,
    /// It is a beta, and the device takes stable releases only.
    OtherChannel,
    /// It runs already.
    Same,
    /// It is older: only when the owner says so.
    Older,
    /// Another version has to be installed before.
    NeedsBetween,
    /// It is newer and can be installed.
    Newer,
}

impl Verdict {
    /// Whether it may be installed; `go_back` when the owner asked for an older one.
    #[must_use]
    pub fn allows(self, go_back: bool) -> bool {
        match self {
            Self::Newer | Self::Same => true,
            Self::Older => go_back,
            Self::OtherBoard | Self::OtherChannel | Self::NeedsBetween => false,
        }
    }
}

impl Device {
    /// A device that runs `version`.
    ///
    /// # Errors
    /// [`Refused::Content`] when this is no version.
    pub fn new(version: &str, board: Board, channel: Channel) -> Result<Self, Refused> {
        let version = version::parse(version).map_err(Refused::Content)?;
        Ok(Self { version, board, channel })
    }

    /// How a release stands to this device.
    #[must_use]
    pub fn verdict(&self, release: &Release) -> Verdict {
        let board = release.board.as_str() == self.board.name
            && release.revisions.iter().any(|one| one.as_str() == self.board.revision);
        if !board {
            return Verdict::OtherBoard;
        }
        if release.channel > self.channel {
            return Verdict::OtherChannel;
        }
        match compare(&release.version, &self.version) {
            std::cmp::Ordering::Less => Verdict::Older,
            std::cmp::Ordering::Equal => Verdict::Same,
            std::cmp::Ordering::Greater if compare(&release.from, &self.version).is_gt() => {
                Verdict::NeedsBetween
            }
            std::cmp::Ordering::Greater => Verdict::Newer,
        }
    }

    /// The newest release that can be installed now.
    #[must_use]
    pub fn offer<'a>(&self, index: &'a Index) -> Option<&'a Release> {
        let newer = index.releases().iter().filter(|one| self.verdict(one) == Verdict::Newer);
        newer.max_by(|one, other| compare(&one.version, &other.version))
    }
}

/// By the precedence of semver.org: what stands behind a `+` does not count.
#[must_use]
pub fn compare(one: &Version, other: &Version) -> std::cmp::Ordering {
    one.cmp_precedence(other)
}
