//! The update feed. The browser fetches the list of releases and the bundle, and hands them over;
//! the box verifies both, and says what is new, what it may take and how much of it is here.

use std::io::{Read, Write};

use actix_web::{delete, get, post, put, web};
use serde::{Deserialize, Serialize};
use totton_releases::{Board, Channel, Device, Index, LARGEST, Release, Sha256, Verdict};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::api::Done;
use crate::api::update::{Restart, UpdateOutcome};
use crate::body::{Json, Upload};
use crate::device::installer::Installer;
use crate::guard::Gate;
use crate::last_update::LastUpdate;
use crate::problem::Problem;
use crate::quiet::QuietRestart;
use crate::releases::{Feed, FeedAddress, Releases};
use crate::store::{Store, waiting};

/// The most bytes of one piece of a bundle.
const LARGEST_PIECE: u64 = 32 * 1024 * 1024;

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(get_feed)
        .service(choose_feed)
        .service(take_list)
        .service(take_piece)
        .service(forget_bundle)
        .service(install_release);
}

/// The feed and what it offers.
#[derive(Serialize, ToSchema)]
struct FeedState {
    /// The feed's folder; null for none.
    address: Option<FeedAddress>,
    /// Which releases.
    channel: Channel,
    /// The board that releases must be for; null where it is not known.
    board: Option<Board>,
    /// Why this box cannot look for updates.
    reason: Option<String>,
    /// The newest list that was handed over.
    list: Option<List>,
}

/// A list that this box's key has signed.
#[derive(Serialize, ToSchema)]
struct List {
    /// A newer list has a higher number.
    serial: u64,
    /// When it was made, by the clock of who made it: seconds since 1970.
    made: u64,
    /// The `sha256` of the newest release that can be installed now.
    offer: Option<String>,
    releases: Vec<Offered>,
}

/// A release of the list.
#[derive(Serialize, ToSchema)]
struct Offered {
    version: String,
    channel: Channel,
    /// How it stands to this box.
    verdict: Verdict,
    /// The bundle's name in the feed's folder.
    file: String,
    /// The bundle's size.
    bytes: u64,
    /// The bundle's SHA-256: what the other requests name it by.
    sha256: String,
    /// How many bytes of the bundle are on the box.
    have: u64,
    /// The least version that it installs over.
    from: String,
    /// When it was published: seconds since 1970.
    published: u64,
    /// What is new.
    notes: Notes,
}

/// What is new, in both languages; lines of text.
#[derive(Serialize, ToSchema)]
struct Notes {
    en: String,
    ja: String,
}

fn state(releases: &Releases) -> Result<FeedState, Problem> {
    let Feed { address, channel } = releases.feed()?;
    let known = releases.device(channel).and_then(|device| {
        let index = releases.list()?;
        Ok((device.board.clone(), index.map(|index| list(releases, &device, &index)).transpose()?))
    });
    Ok(match known {
        Ok((board, list)) => FeedState { address, channel, board: Some(board), reason: None, list },
        Err(problem) => {
            let reason = Some(problem.detail().to_owned());
            FeedState { address, channel, board: None, reason, list: None }
        }
    })
}

fn list(releases: &Releases, device: &Device, index: &Index) -> Result<List, Problem> {
    let offered = |release: &Release| {
        Ok(Offered {
            version: release.version.to_string(),
            channel: release.channel,
            verdict: device.verdict(release),
            file: release.file.to_string(),
            bytes: release.bytes.get(),
            sha256: release.sha256.to_string(),
            have: releases.bundles.have(&release.sha256)?,
            from: release.from.to_string(),
            published: release.published.get(),
            notes: Notes { en: release.notes.en.to_string(), ja: release.notes.ja.to_string() },
        })
    };
    Ok(List {
        serial: index.serial(),
        made: index.made(),
        offer: device.offer(index).map(|release| release.sha256.to_string()),
        releases: index.releases().iter().map(offered).collect::<Result<_, Problem>>()?,
    })
}

/// The feed, the newest list that was handed over, and what this box may take of it.
#[utoipa::path(tag = "update", responses((status = 200, body = FeedState)))]
#[get("/update/feed")]
async fn get_feed(releases: web::Data<Releases>) -> Result<web::Json<FeedState>, Problem> {
    waiting(move || state(&releases)).await.map(web::Json)
}

/// Names the feed, or none; a page that is open has to be loaded again before it may ask there. The
/// list and the bundle of another feed are removed.
#[utoipa::path(tag = "update", request_body = Feed, responses((status = 200, body = FeedState)))]
#[put("/update/feed")]
async fn choose_feed(
    releases: web::Data<Releases>,
    installer: web::Data<Installer>,
    gate: web::Data<Gate>,
    body: Json<Feed>,
) -> Result<web::Json<FeedState>, Problem> {
    let place = installer.place()?;
    let feed = body.0;
    let address = feed.address.clone();
    let state = waiting(move || {
        // Until it is done, also when who asked has gone.
        let _place = place;
        releases.choose(&feed)?;
        state(&releases)
    })
    .await?;
    gate.policy.allow(address.as_ref());
    Ok(web::Json(state))
}

/// Takes the feed's list, `releases.signed`, as it is there; tells what is new. A list that another
/// key has signed, that was changed, or that is older than one that was seen is refused.
#[utoipa::path(
    tag = "update",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = FeedState))
)]
#[post("/update/list")]
async fn take_list(
    releases: web::Data<Releases>,
    installer: web::Data<Installer>,
    upload: Upload,
) -> Result<web::Json<FeedState>, Problem> {
    // Not while a bundle is read that a new list could remove.
    let place = installer.place()?;
    upload
        .through(LARGEST as u64, move |mut reader| {
            let _place = place;
            let mut file = Vec::new();
            if reader.read_to_end(&mut file).is_ok() {
                releases.take(file)?;
            }
            state(&releases)
        })
        .await
        .map(web::Json)
}

/// Which piece it is.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Piece {
    /// The bundle, by the `sha256` of the list.
    #[param(value_type = String)]
    sha256: Sha256,
    /// The byte at which the piece begins: as many as are on the box.
    at: u64,
}

/// How much of the bundle is on the box.
#[derive(Serialize, ToSchema)]
struct Arrived {
    /// Bytes of the bundle that are here.
    have: u64,
    /// Bytes of the whole bundle.
    bytes: u64,
}

/// Takes the next piece of a release's bundle, at most 32 MiB. What has arrived of a piece that broke
/// off stays: `have` of the list says where to go on. Begins another bundle anew when it is named.
#[utoipa::path(
    tag = "update",
    params(Piece),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Arrived))
)]
#[post("/update/bundle")]
async fn take_piece(
    releases: web::Data<Releases>,
    installer: web::Data<Installer>,
    piece: web::Query<Piece>,
    upload: Upload,
) -> Result<web::Json<Arrived>, Problem> {
    let place = installer.place()?;
    let Piece { sha256, at } = piece.into_inner();
    let (found, release) = waiting({
        let releases = releases.clone();
        move || releases.release(&sha256, true).map(|release| (releases, release))
    })
    .await?;
    let bytes = release.bytes.get();
    let limit = bytes.saturating_sub(at).min(LARGEST_PIECE);
    let have = upload
        .through(limit, move |reader| {
            // As long as it is written, also when who sends has gone.
            let _place = place;
            found.bundles.append(&release, at, reader)
        })
        .await?;
    Ok(web::Json(Arrived { have, bytes }))
}

/// Removes what is here of a bundle.
#[utoipa::path(tag = "update", responses((status = 200, body = Done)))]
#[delete("/update/bundle")]
async fn forget_bundle(
    releases: web::Data<Releases>,
    installer: web::Data<Installer>,
) -> Result<web::Json<Done>, Problem> {
    let place = installer.place()?;
    waiting(move || {
        let _place = place;
        releases.bundles.keep_only(&[])
    })
    .await?;
    Ok(web::Json(Done {}))
}

/// Which release to install.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Chosen {
    /// The bundle, by the `sha256` of the list.
    #[schema(value_type = String)]
    sha256: Sha256,
    /// Install it though it is older than what runs.
    #[serde(default)]
    go_back: bool,
    /// When to restart afterwards.
    #[serde(default)]
    restart: Restart,
}

/// Installs a release whose bundle is whole on the box: when it has the hash of the signed list, the
/// updater gets it, which verifies it once more. Goes on when the page is closed meanwhile;
/// `GET /update` tells the progress.
#[utoipa::path(tag = "update", request_body = Chosen, responses((status = 200, body = UpdateOutcome)))]
#[post("/update/install")]
async fn install_release(
    releases: web::Data<Releases>,
    installer: web::Data<Installer>,
    quiet: web::Data<QuietRestart>,
    store: web::Data<Store>,
    body: Json<Chosen>,
) -> Result<web::Json<UpdateOutcome>, Problem> {
    let place = installer.place()?;
    let Chosen { sha256, go_back, restart } = body.0;
    waiting(move || {
        let _place = place;
        let release = releases.release(&sha256, go_back)?;
        let mut file = releases.bundles.whole(&release)?;
        let result = installer.install(false, |bundle| give(bundle, &mut file));
        LastUpdate::now(&result, false, Some(release.version.to_string())).keep(&store)?;
        let words = result?;
        releases.bundles.keep_only(&[])?;
        quiet.want(restart == Restart::Quiet);
        Ok(web::Json(UpdateOutcome { checked_only: false, words }))
    })
    .await
}

/// Gives the updater the file, up to its end or to the first piece that it does not take.
fn give(bundle: &mut dyn Write, file: &mut dyn Read) {
    let mut piece = vec![0; 256 * 1024];
    while let Ok(count @ 1..) = file.read(&mut piece) {
        if bundle.write_all(&piece[..count]).is_err() {
            return;
        }
    }
}
