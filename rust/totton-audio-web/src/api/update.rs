//! Updates: a bundle goes through to SWUpdate, which checks and writes it.

use std::io::Write;
use std::net::Shutdown;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use actix_web::{get, post, web};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::VERSION;
use crate::body::Upload;
use crate::device::updater::{Listener, Phase, Progress, Updater};
use crate::problem::Problem;
use crate::settings::Settings;
use crate::store::{Store, waiting};

/// The document with the last result.
const LAST: &str = "update.json";

/// Pieces of the bundle that wait for the updater: the sender waits, too.
const WAITING: usize = 16;

/// Longest silence of the updater after the bundle is whole; it may have to sync a slow disk.
const SILENCE: Duration = Duration::from_secs(120);

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(get_update).service(install);
}

/// The update under way.
pub struct Update {
    updater: Updater,
    /// One at a time.
    place: Semaphore,
    progress: Arc<Mutex<Option<Progress>>>,
}

impl Update {
    /// The updater of these settings.
    pub fn new(settings: &Settings) -> Self {
        Self {
            updater: Updater::new(settings.updater_sockets()),
            place: Semaphore::new(1),
            progress: Arc::default(),
        }
    }
}

/// How the last update ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LastUpdate {
    /// Whether it worked.
    success: bool,
    /// Whether the bundle was only checked.
    checked_only: bool,
    /// What the updater said.
    words: String,
    /// The version that ran then.
    from_version: String,
    /// Seconds since 1970.
    at: u64,
}

/// How updates stand.
#[derive(Serialize, ToSchema)]
struct UpdateState {
    /// The version that runs.
    version: &'static str,
    /// Whether an update is possible.
    available: bool,
    /// Why not.
    reason: Option<String>,
    /// Whether one is under way.
    running: bool,
    progress: Option<Progress>,
    last: Option<LastUpdate>,
}

/// How updates stand.
#[utoipa::path(tag = "update", responses((status = 200, body = UpdateState)))]
#[get("/update")]
async fn get_update(
    update: web::Data<Update>,
    store: web::Data<Store>,
) -> Result<web::Json<UpdateState>, Problem> {
    waiting(move || {
        let reason = update.updater.state().err().map(|problem| problem.detail().to_owned());
        let progress = update.progress.lock().ok().and_then(|progress| progress.clone());
        Ok(web::Json(UpdateState {
            version: VERSION,
            available: reason.is_none(),
            reason,
            running: update.place.available_permits() == 0,
            progress,
            last: store.read(LAST)?,
        }))
    })
    .await
}

/// What to do with the bundle.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct How {
    /// Only check the bundle, install nothing.
    #[serde(default)]
    check: bool,
}

/// What came of it.
#[derive(Serialize, ToSchema)]
struct UpdateOutcome {
    /// Whether only a check was made.
    checked_only: bool,
    /// What the updater said.
    words: String,
}

/// Takes a bundle (`.swu`) and gives it to the updater piece by piece. Answers when the updater
/// has ended; `GET /update` tells the progress meanwhile. A restart then starts the new system.
#[utoipa::path(
    tag = "update",
    params(How),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = UpdateOutcome))
)]
#[post("/update")]
async fn install(
    update: web::Data<Update>,
    store: web::Data<Store>,
    how: web::Query<How>,
    mut upload: Upload,
) -> Result<web::Json<UpdateOutcome>, Problem> {
    let Ok(_place) = update.place.try_acquire() else {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "updater-busy",
            "The updater does not take a bundle now",
            "an update is under way",
            "Wait until it has ended.",
        ));
    };
    let checked_only = how.check;
    let (pieces, receiver) = mpsc::channel(WAITING);
    let (updater, progress) = (update.updater.clone(), Arc::clone(&update.progress));
    let installing = actix_web::rt::task::spawn_blocking(move || {
        run(&updater, &progress, checked_only, receiver)
    });
    let (mut broken, mut taken) = (None, true);
    loop {
        match upload.piece().await {
            Ok(Some(piece)) => {
                // When the updater has given up already, the rest is read all the same: a
                // browser that cannot send it all does not see the answer with the reason.
                taken = taken && pieces.send(Some(piece)).await.is_ok();
            }
            Ok(None) => {
                let _ = pieces.send(None).await;
                break;
            }
            Err(problem) => {
                broken = Some(problem);
                break;
            }
        }
    }
    drop(pieces);
    let result = installing.await.map_err(Problem::stopping)?;
    let result = broken.map_or(result, Err);
    let words = match &result {
        Ok(words) => words.clone(),
        Err(problem) => problem.detail().to_owned(),
    };
    let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let last = LastUpdate {
        success: result.is_ok(),
        checked_only,
        words,
        from_version: VERSION.to_owned(),
        at: at.map_or(0, |at| at.as_secs()),
    };
    log::info!("an update ended: {last:?}");
    waiting(move || store.write(LAST, &last)).await?;
    Ok(web::Json(UpdateOutcome { checked_only, words: result? }))
}

/// Feeds the updater and follows it to its end; its last words.
fn run(
    updater: &Updater,
    progress: &Mutex<Option<Progress>>,
    check: bool,
    mut pieces: mpsc::Receiver<Option<Bytes>>,
) -> Result<String, Problem> {
    let show = |now: Progress| {
        if let Ok(mut progress) = progress.lock() {
            *progress = Some(now);
        }
    };
    show(Progress { phase: Phase::Start, ..Progress::default() });
    // Listening first: no end can be missed.
    let mut listener = updater.listen()?;
    let mut bundle = updater.install(check)?;
    let failed = |detail: String| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "update-failed",
            "The bundle was not installed",
            detail,
            "Check that the bundle is for this device and signed; the running system is as it was.",
        )
    };
    // When the updater takes no more it has failed, and the follower hears why.
    let ended = std::thread::scope(|scope| {
        let follower = scope.spawn(move || follow(&mut listener, show));
        feed(&mut bundle, &mut pieces);
        // The end of the bundle; dropping it early makes the updater give up.
        let _ = bundle.shutdown(Shutdown::Write);
        pieces.close();
        follower.join().unwrap_or_else(|_| Err("the follower ended".to_owned()))
    });
    ended.map_err(|words| {
        let words = if words.is_empty() {
            updater.state().map(|(_, words)| words).unwrap_or_default()
        } else {
            words
        };
        failed(if words.is_empty() { "the updater gives no reason".into() } else { words })
    })
}

/// Hears the updater to its end: its last words.
fn follow(listener: &mut Listener, show: impl Fn(Progress)) -> Result<String, String> {
    let mut heard = Instant::now();
    let mut words = String::new();
    loop {
        match listener.heard() {
            Ok(Some(now)) => {
                heard = Instant::now();
                if !now.info.is_empty() {
                    words.clone_from(&now.info);
                }
                let phase = now.phase;
                show(now);
                match phase {
                    Phase::Success => return Ok(words),
                    Phase::Failure => return Err(words),
                    _ => {}
                }
            }
            Ok(None) if heard.elapsed() > SILENCE => {
                return Err("the updater says nothing any more".to_owned());
            }
            Ok(None) => {}
            Err(error) => return Err(format!("the updater has gone: {error}")),
        }
    }
}

/// Gives the updater the pieces, up to the last or to the first that it does not take.
fn feed(bundle: &mut impl Write, pieces: &mut mpsc::Receiver<Option<Bytes>>) {
    while let Some(Some(piece)) = pieces.blocking_recv() {
        if bundle.write_all(&piece).is_err() {
            return;
        }
    }
}
