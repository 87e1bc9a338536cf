//! The filters: list, upload, plot, delete.

use std::path::{Path, PathBuf};

use actix_web::http::StatusCode;
use actix_web::{delete, get, post, web};
use serde::{Deserialize, Serialize};
use totton_protocol::{Answer, Command, FilterChoice};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::Done;
use crate::body::{Json, Upload};
use crate::daemon::{Daemon, unexpected};
use crate::filter_file::{Checked, Kept};
use crate::plot::{Plot, Plots};
use crate::problem::Problem;
use crate::settings::Settings;
use crate::store::{Id, Kind, Store, waiting};

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(get_filters).service(get_plot).service(upload_filter).service(delete_filter);
}

/// The daemon's filters.
///
/// # Errors
/// As [`Daemon::ask`].
pub async fn choices(daemon: &Daemon) -> Result<Vec<FilterChoice>, Problem> {
    match daemon.ask(Command::Filters).await? {
        Answer::Filters { filters } => Ok(filters),
        answer => Err(unexpected("filters", answer)),
    }
}

/// A filter to choose.
#[derive(Serialize, ToSchema)]
struct ListedFilter {
    #[serde(flatten)]
    choice: FilterChoice,
    /// Whether it was uploaded, and may be deleted.
    uploaded: bool,
}

/// The filters.
#[derive(Serialize, ToSchema)]
struct Filters {
    filters: Vec<ListedFilter>,
}

/// The filters of the image and those that were uploaded.
#[utoipa::path(tag = "filters", responses((status = 200, body = Filters)))]
#[get("/filters")]
async fn get_filters(
    daemon: web::Data<Daemon>,
    store: web::Data<Store>,
) -> Result<web::Json<Filters>, Problem> {
    let folder = store.path(Kind::Filters.folder());
    let filters = choices(&daemon).await?.into_iter().map(|choice| ListedFilter {
        uploaded: Path::new(&choice.path).parent() == Some(&folder),
        choice,
    });
    Ok(web::Json(Filters { filters: filters.collect() }))
}

/// Which file of which filter.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// A file, as the list tells it.
    file: String,
}

/// What a filter does, measured on its taps.
#[utoipa::path(tag = "filters", params(Which), responses((status = 200, body = Plot)))]
#[get("/filters/plot")]
async fn get_plot(
    daemon: web::Data<Daemon>,
    plots: web::Data<Plots>,
    which: web::Query<Which>,
) -> Result<web::Json<Plot>, Problem> {
    // What is opened is the list's own path, never the client's.
    let filters = choices(&daemon).await?;
    let files = filters.iter().flat_map(|filter| &filter.files);
    let Some(file) = files.map(|file| &file.file).find(|file| **file == which.file) else {
        return Err(Problem::no_such("filter file", &which.file));
    };
    let path = PathBuf::from(file);
    waiting(move || plots.of(&path)).await.map(web::Json)
}

/// What to call it.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Name {
    /// A name for people; the file's name is made of it.
    #[param(min_length = 1, max_length = 100)]
    name: String,
    /// Whether it may take the place of another that is kept under this name.
    #[serde(default)]
    replace: bool,
}

/// The filter that was put in.
#[derive(Serialize, ToSchema)]
struct UploadedFilter {
    /// The file's name on the box.
    file: String,
    /// Input rate in Hz that it is meant for.
    input_rate: u32,
    /// Output frames for each input frame.
    ratio: u32,
    /// Taps, counted at the output rate.
    taps: usize,
}

/// Takes a filter file of `totton-filter`, whole and with the right checksum. Another filter that
/// is kept under this name stays as it is (409), but where `replace` is true.
#[utoipa::path(
    tag = "filters",
    params(Name),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = UploadedFilter))
)]
#[post("/filters")]
async fn upload_filter(
    store: web::Data<Store>,
    settings: web::Data<Settings>,
    name: web::Query<Name>,
    upload: Upload,
) -> Result<web::Json<UploadedFilter>, Problem> {
    if !(1..=100).contains(&name.name.chars().count()) {
        return Err(Problem::not_accepted(
            "name is too short or too long",
            "Send 1 to 100 characters.",
        ));
    }
    let part = upload.store(&store, settings.max_upload_bytes()).await?;
    waiting(move || {
        let stem = Id::telling(name.name.trim_end_matches(".filter"));
        let checked = Checked::new(part)?;
        let file = checked.file_name(&stem);
        let (input_rate, ratio) = (checked.header.input_rate_hz, checked.header.ratio);
        let taps = checked.taps;
        if checked.keep(&store, &file, name.replace)? == Kept::Other {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "filter-exists",
                "Another filter has this name",
                format!("{file} is kept already, with other taps"),
                "Send it under another name, or with replace=true in place of the other.",
            ));
        }
        log::info!("filter {file} was uploaded: {taps} taps");
        Ok(web::Json(UploadedFilter { file, input_rate, ratio, taps }))
    })
    .await
}

/// An uploaded filter.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ForgetFilter {
    /// Its path, as the list tells it.
    path: String,
}

/// Deletes the files of an uploaded filter.
#[utoipa::path(tag = "filters", request_body = ForgetFilter, responses((status = 200, body = Done)))]
#[delete("/filters")]
async fn delete_filter(
    daemon: web::Data<Daemon>,
    store: web::Data<Store>,
    body: Json<ForgetFilter>,
) -> Result<web::Json<Done>, Problem> {
    let folder = store.path(Kind::Filters.folder());
    let filters = choices(&daemon).await?;
    let chosen = filters.iter().find(|choice| {
        choice.path == body.0.path && Path::new(&choice.path).parent() == Some(&folder)
    });
    let Some(chosen) = chosen else {
        return Err(Problem::no_such("uploaded filter", &body.0.path));
    };
    if chosen.in_use {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "filter-in-use",
            "The filter is in use",
            chosen.label.clone(),
            "Choose another filter first.",
        ));
    }
    let files: Vec<_> = chosen.files.iter().map(|file| PathBuf::from(&file.file)).collect();
    waiting(move || {
        for file in files.iter().filter(|file| file.parent() == Some(&folder)) {
            std::fs::remove_file(file).map_err(|error| {
                Problem::failed(format!("cannot delete {}: {error}", file.display()))
            })?;
        }
        Ok(())
    })
    .await?;
    Ok(web::Json(Done {}))
}
