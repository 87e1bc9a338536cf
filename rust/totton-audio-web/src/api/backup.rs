//! Backup and restore.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use actix_web::body::SizedStream;
use actix_web::http::{StatusCode, header};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, get, put, web};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};
use totton_protocol::{Answer, Command, Settings};
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use super::filters::choices;
use crate::backup::archive::{self, Contents, Look};
use crate::backup::form::{self, Backup, BackupContent, Parts};
use crate::backup::plan::{self, Now, Plan};
use crate::backup::report::{Part, Report, Why};
use crate::body::{PieceReader, Upload};
use crate::daemon::{Daemon, unexpected};
use crate::filter_file::Kept;
use crate::problem::Problem;
use crate::sides::{SIDES, Turn};
use crate::store::{Id, Kind, Store, waiting};

/// The last state before a restore is kept under this name.
const BEFORE: &str = "before-restore.json";

/// Bytes of an archive that are sent at once, and how many such pieces wait for the browser.
const PIECE: usize = 256 * 1024;
const PIECES: usize = 4;

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(get_backup).service(restore);
}

/// How many at a time are made and sent, and put in place: each is in memory, and a browser may
/// take its time to read one.
pub struct Desk {
    sending: Arc<Semaphore>,
    restoring: Semaphore,
}

impl Default for Desk {
    fn default() -> Self {
        Self { sending: Arc::new(Semaphore::new(2)), restoring: Semaphore::new(1) }
    }
}

fn busy(detail: &str) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "busy",
        "Other backups are on their way",
        detail,
        "Wait until one of them has ended.",
    )
    .retry_after(std::time::Duration::from_secs(5))
}

/// Reads what the user has set.
///
/// # Errors
/// When the daemon is away or a file cannot be read.
pub async fn collect(daemon: &Daemon, store: web::Data<Store>) -> Result<Backup, Problem> {
    let settings = match daemon.ask(Command::Settings).await? {
        Answer::Settings { settings, .. } => *settings,
        answer => return Err(unexpected("settings", answer)),
    };
    waiting(move || {
        fn by_id<T>((id, thing): (Id, T)) -> (String, T) {
            (id.as_str().to_owned(), thing)
        }
        Backup::of(BackupContent {
            settings,
            equaliser: store.read(SIDES)?.unwrap_or_default(),
            equalisers: store.shelf(Kind::Equalisers).list()?.into_iter().map(by_id).collect(),
            presets: store.shelf(Kind::Presets).list()?.into_iter().map(by_id).collect(),
        })
    })
    .await
}

/// What goes into the file.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct What {
    /// The uploaded filters, too: the file is a tar archive then.
    #[serde(default)]
    filters: bool,
}

/// Settings, presets and equalisers in one file; with the uploaded filters if asked for.
#[utoipa::path(
    tag = "backup",
    params(What),
    responses((status = 200, description = "A JSON document, or a tar archive with it and the filters",
        content((Backup = "application/json"), (Vec<u8> = "application/x-tar"))))
)]
#[get("/backup")]
async fn get_backup(
    daemon: web::Data<Daemon>,
    store: web::Data<Store>,
    desk: web::Data<Desk>,
    what: web::Query<What>,
) -> Result<HttpResponse, Problem> {
    let place = Arc::clone(&desk.sending).try_acquire_owned();
    let place = place.map_err(|_| busy("two are being sent"))?;
    let backup = collect(&daemon, store.clone()).await?;
    let document =
        serde_json::to_vec(&backup).map_err(|error| Problem::failed(error.to_string()))?;
    drop(backup);
    let largest = form::largest(store.limits());
    if document.len() as u64 > largest {
        // Only where more was kept by an older version, or under larger limits.
        return Err(Problem::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "storage-full",
            "There is too much for a backup",
            format!("{} bytes; a restore takes at most {largest}", document.len()),
            "Delete presets or equalisers that are not used, then make the backup.",
        ));
    }
    let mut response = HttpResponse::Ok();
    let name = |end| format!("attachment; filename=\"totton-audio-backup.{end}\"");
    if !what.filters {
        response.insert_header((header::CONTENT_DISPOSITION, name("json")));
        let length = document.len() as u64;
        let piece = (Some(Ok::<_, std::io::Error>(Bytes::from(document))), place);
        let stream = futures_util::stream::unfold(piece, |(piece, place)| async {
            piece.map(|piece| (piece, (None, place)))
        });
        let body = SizedStream::new(length, Box::pin(stream));
        return Ok(response.content_type("application/json").body(body));
    }
    let filters = waiting({
        let store = store.clone();
        move || archive::filters(&store)
    })
    .await?;
    let length = archive::length(&document, &filters);
    let (pieces, receiver) = mpsc::channel(PIECES);
    let folder = store.path(Kind::Filters.folder());
    actix_web::rt::task::spawn_blocking(move || {
        let sender = std::io::BufWriter::with_capacity(PIECE, Sender(pieces.clone()));
        if let Err(error) = archive::write(sender, &document, &folder, &filters) {
            log::warn!("a backup with filters broke off: {error}");
            // The browser must not take what it has for the whole.
            let _ = pieces.blocking_send(Err(error));
        }
    });
    let stream = futures_util::stream::unfold((receiver, place), |(mut receiver, place)| async {
        receiver.recv().await.map(|piece| (piece, (receiver, place)))
    });
    response.insert_header((header::CONTENT_DISPOSITION, name("tar")));
    Ok(response.content_type("application/x-tar").body(SizedStream::new(length, Box::pin(stream))))
}

/// Gives what is written to the response.
struct Sender(mpsc::Sender<Result<Bytes, std::io::Error>>);

impl Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let piece = Ok(Bytes::copy_from_slice(bytes));
        let gone = |_| std::io::Error::other("the browser has gone");
        self.0.blocking_send(piece).map(|()| bytes.len()).map_err(gone)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What to do with the file.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct How {
    /// Only look: tell what would be done, change nothing.
    #[serde(default)]
    check: bool,
}

/// Puts a backup in place: the document or the archive. Each part passes the checks of the API by
/// itself; what does not is left out and told. The volume never becomes louder than it is. Filters
/// that are on the box stay. What was there before stays in the data folder as
/// `before-restore.json`, which is a backup, too.
#[utoipa::path(
    tag = "backup",
    params(How),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Report))
)]
#[put("/backup")]
async fn restore(
    daemon: web::Data<Daemon>,
    store: web::Data<Store>,
    turn: web::Data<Turn>,
    desk: web::Data<Desk>,
    settings: web::Data<crate::Settings>,
    how: web::Query<How>,
    upload: Upload,
) -> Result<web::Json<Report>, Problem> {
    let Ok(_place) = desk.restoring.try_acquire() else {
        return Err(busy("one is being put in place"));
    };
    let (check, largest_filter) = (how.check, settings.max_upload_bytes());
    let (contents, mut report) = upload
        .through(Look::largest(&store), {
            let store = store.clone();
            move |file: PieceReader| {
                let look = Look { store: &store, largest_filter, check };
                let mut report = Report { checked_only: check, ..Report::default() };
                look.read(file, &mut report).map(|contents| (contents, report))
            }
        })
        .await?;
    let before = collect(&daemon, store.clone()).await?;
    let mut filters: BTreeSet<_> =
        choices(&daemon).await?.into_iter().map(|choice| choice.path).collect();
    let folder = store.path(Kind::Filters.folder());
    let told = |name: &String| folder.join(name).display().to_string();
    filters.extend(contents.templates.iter().map(told));
    waiting(move || {
        let _turn = turn.take();
        let parts = Parts::of(&contents.document)?;
        let now = Now { content: &before.content, store: &store, filters: &filters };
        let plan = now.plan(&parts, &mut report)?;
        if !check {
            drop(parts);
            store.write(BEFORE, &before)?;
            place(&daemon, &store, contents, plan, &before.content.settings, &mut report);
            log::info!(
                "a backup was put in place: {} presets, {} equalisers, {} filters; {} left out",
                report.presets,
                report.equalisers,
                report.filters,
                report.left_out.len()
            );
        }
        Ok(web::Json(report))
    })
    .await
}

/// Carries the plan out. Filters come first, for the settings to find them; documents are removed
/// last. A power cut in the middle leaves documents that are each whole, old or new, and what was
/// before in [`BEFORE`].
fn place(
    daemon: &Daemon,
    store: &Store,
    contents: Contents,
    plan: Plan,
    now: &Settings,
    report: &mut Report,
) {
    for (name, filter) in contents.filters {
        match filter.keep(store, &name, false) {
            Ok(Kept::New | Kept::Same) => {}
            Ok(Kept::Other) => {
                report.filters -= 1;
                let detail = "another filter was uploaded under this name meanwhile";
                report.leave_out(Part::Filters, &name, Why::OtherFilter, detail);
            }
            Err(problem) => {
                report.filters -= 1;
                report.leave_out(Part::Filters, &name, Why::NotWritten, problem.detail());
            }
        }
    }
    let settings = settle(daemon, plan.settings, now, report);
    report.changes = plan::changes(now, &settings);
    let sides = plan.sides.map_or(Ok(()), |sides| store.write(SIDES, &sides));
    if let Err(problem) = sides {
        report.leave_out(Part::Equaliser, "equaliser", Why::NotWritten, problem.detail());
    }
    let (equalisers, presets) = (plan.equalisers, plan.presets);
    let placed = match equalisers.given {
        true => store.shelf(Kind::Equalisers).replace_all(&equalisers.wanted, &equalisers.spared),
        false => Ok(()),
    };
    if let Err(problem) = placed {
        report.equalisers = 0;
        report.leave_out(Part::Equalisers, "equalisers", Why::NotWritten, problem.detail());
    }
    let placed = match presets.given {
        true => store.shelf(Kind::Presets).replace_all(&presets.wanted, &presets.spared),
        false => Ok(()),
    };
    if let Err(problem) = placed {
        report.presets = 0;
        report.leave_out(Part::Presets, "presets", Why::NotWritten, problem.detail());
    }
}

/// Settings that the daemon may refuse, the likeliest first.
const REFUSABLE: [&[&str]; 5] = [
    &["filter"],
    &["equaliser"],
    &["dac"],
    &["filter", "equaliser"],
    &["filter", "equaliser", "dac"],
];

/// Tells the daemon the settings. It has the last word: what it refuses stays as it is, and the
/// rest is tried without it. The settings that are in force then.
fn settle(daemon: &Daemon, wanted: Settings, now: &Settings, report: &mut Report) -> Settings {
    let Err(refused) = daemon.replace_waiting(wanted.clone()) else { return wanted };
    let differs = |key: &&str| plan::member(&wanted, key) != plan::member(now, key);
    for keys in REFUSABLE {
        if !keys.iter().all(differs) {
            continue;
        }
        let mut less = wanted.clone();
        for key in keys {
            // A filter that cannot be used is better the default than the one of now.
            let value = if *key == "filter" { Value::Null } else { plan::member(now, key) };
            less = plan::replaced(&less, key, value).unwrap_or(less);
        }
        if daemon.replace_waiting(less.clone()).is_ok() {
            for key in keys {
                report.leave_out(Part::Settings, key, Why::Refused, refused.detail());
            }
            return less;
        }
    }
    report.leave_out(Part::Settings, "settings", Why::Refused, refused.detail());
    now.clone()
}
