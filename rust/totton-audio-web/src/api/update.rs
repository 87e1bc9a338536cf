//! Updates: a bundle goes through to SWUpdate, which checks and writes it.

use std::io::Write;

use actix_web::web::Bytes;
use actix_web::{get, post, web};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use totton_releases::bundle::{HEAD, Head};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::VERSION;
use crate::api::Done;
use crate::body::{Json, Upload};
use crate::device::installer::Installer;
use crate::device::slot;
use crate::device::updater::Progress;
use crate::last_update::{LastUpdate, Outcome};
use crate::problem::Problem;
use crate::quiet::QuietRestart;
use crate::releases::older;
use crate::store::{Store, waiting};

/// Pieces of the bundle that wait for the updater: the sender waits, too.
const WAITING: usize = 16;

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(get_update).service(install).service(restart);
}

/// How updates stand.
#[derive(Serialize, ToSchema)]
struct UpdateState {
    /// The version that runs.
    version: &'static str,
    /// The slot that runs, `a` or `b`; null where there are no slots.
    slot: Option<char>,
    /// The version in the other slot, as far as the last update tells.
    other_version: Option<String>,
    /// Whether an update is possible.
    available: bool,
    /// Why not.
    reason: Option<String>,
    /// Whether one is under way.
    running: bool,
    progress: Option<Progress>,
    last: Option<LastUpdate>,
    /// What became of the last one.
    outcome: Option<Outcome>,
    /// Whether the box restarts as soon as nobody listens.
    restart_waits: bool,
}

/// How updates stand.
#[utoipa::path(tag = "update", responses((status = 200, body = UpdateState)))]
#[get("/update")]
async fn get_update(
    installer: web::Data<Installer>,
    quiet: web::Data<QuietRestart>,
    store: web::Data<Store>,
) -> Result<web::Json<UpdateState>, Problem> {
    waiting(move || {
        let reason = installer.away();
        let last = LastUpdate::read(&store)?;
        let slot = slot::running();
        let outcome =
            last.as_ref().map(|last| last.outcome(VERSION, slot, slot::boot().as_deref()));
        let other = last.as_ref().zip(outcome).and_then(|(last, now)| last.other_slot(now));
        Ok(web::Json(UpdateState {
            version: VERSION,
            slot,
            other_version: other.map(str::to_owned),
            available: reason.is_none(),
            reason,
            running: installer.is_busy(),
            progress: installer.progress(),
            last,
            outcome,
            restart_waits: quiet.is_wanted(),
        }))
    })
    .await
}

/// When the box restarts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// When it is asked for (`POST /power`).
    #[default]
    Ask,
    /// As soon as no sound has flowed for a minute.
    Quiet,
}

/// When to restart.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct When {
    restart: Restart,
}

/// Restarts the box as soon as nobody listens, or takes that back. It is forgotten when the service
/// restarts.
#[utoipa::path(tag = "update", request_body = When, responses((status = 200, body = Done)))]
#[post("/update/restart")]
async fn restart(quiet: web::Data<QuietRestart>, body: Json<When>) -> web::Json<Done> {
    quiet.want(body.0.restart == Restart::Quiet);
    web::Json(Done {})
}

/// What to do with the bundle.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct How {
    /// Only check the bundle, install nothing.
    #[serde(default)]
    check: bool,
    /// Install it though it is older than what runs.
    #[serde(default)]
    go_back: bool,
}

/// What came of it.
#[derive(Serialize, ToSchema)]
pub struct UpdateOutcome {
    /// Whether only a check was made.
    pub checked_only: bool,
    /// What the updater said.
    pub words: String,
}

/// Takes a bundle (`.swu`) and gives it to the updater piece by piece. Answers when the updater
/// has ended; `GET /update` tells the progress meanwhile. A restart then starts the new system. A
/// bundle that is older than what runs is refused, unless `go_back` is true.
#[utoipa::path(
    tag = "update",
    params(How),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = UpdateOutcome))
)]
#[post("/update")]
async fn install(
    installer: web::Data<Installer>,
    store: web::Data<Store>,
    how: web::Query<How>,
    mut upload: Upload,
) -> Result<web::Json<UpdateOutcome>, Problem> {
    let _place = installer.place()?;
    let checked_only = how.check;
    let start = Start::of(&mut upload).await;
    let to = start.head.as_ref().map(|head| head.version.to_string());
    let (pieces, receiver) = mpsc::channel(WAITING);
    let allowed = start.allowed(how.check || how.go_back);
    let installing = allowed.as_ref().ok().map(|()| {
        let installer = (**installer).clone();
        actix_web::rt::task::spawn_blocking(move || {
            installer.install(checked_only, |bundle| give(bundle, receiver))
        })
    });
    let mut taken = true;
    for piece in start.pieces {
        taken = taken && pieces.send(Some(piece)).await.is_ok();
    }
    let mut broken = start.broken;
    let mut whole = start.whole;
    while !whole && broken.is_none() {
        match upload.piece().await {
            // When the updater has given up already, the rest is read all the same: a browser that
            // cannot send it all does not see the answer with the reason.
            Ok(Some(piece)) => taken = taken && pieces.send(Some(piece)).await.is_ok(),
            Ok(None) => whole = true,
            Err(problem) => broken = Some(problem),
        }
    }
    if broken.is_none() {
        let _ = pieces.send(None).await;
    }
    drop(pieces);
    let result = match installing {
        Some(installing) => installing.await.map_err(Problem::stopping)?,
        None => Err(allowed.err().unwrap_or_else(|| older(&VERSION))),
    };
    let result = broken.map_or(result, Err);
    let last = LastUpdate::now(&result, checked_only, to);
    waiting(move || last.keep(&store)).await?;
    Ok(web::Json(UpdateOutcome { checked_only, words: result? }))
}

/// The start of a bundle that is uploaded, up to where its version is known.
struct Start {
    pieces: Vec<Bytes>,
    whole: bool,
    broken: Option<Problem>,
    /// None where it is no bundle of ours: what SWUpdate says of it is told.
    head: Option<Head>,
}

impl Start {
    async fn of(upload: &mut Upload) -> Self {
        let mut start = Self { pieces: Vec::new(), whole: false, broken: None, head: None };
        let mut text = Vec::new();
        while text.len() < HEAD {
            match upload.piece().await {
                Ok(Some(piece)) => {
                    text.extend_from_slice(&piece[..piece.len().min(HEAD - text.len())]);
                    start.pieces.push(piece);
                }
                Ok(None) => start.whole = true,
                Err(problem) => start.broken = Some(problem),
            }
            start.head = Head::read(&text).ok();
            if start.head.is_some() || start.whole || start.broken.is_some() {
                break;
            }
        }
        start
    }

    /// Whether it may be installed; `older_too` when that was said.
    fn allowed(&self, older_too: bool) -> Result<(), Problem> {
        match &self.head {
            Some(head) if !older_too && head.is_older_than(VERSION) => Err(older(&head.version)),
            _ => Ok(()),
        }
    }
}

/// Gives the updater the pieces, up to the last or to the first that it does not take.
fn give(bundle: &mut dyn Write, mut pieces: mpsc::Receiver<Option<Bytes>>) {
    while let Some(Some(piece)) = pieces.blocking_recv() {
        if bundle.write_all(&piece).is_err() {
            return;
        }
    }
}
