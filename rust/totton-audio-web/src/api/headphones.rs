//! The headphone database: search it, use a curve, put another database in.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use actix_web::http::StatusCode;
use actix_web::{get, put, web};
use serde::{Deserialize, Serialize};
use totton_headphones::{ATTRIBUTION, Curve, Database, Product};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::body::Upload;
use crate::problem::Problem;
use crate::store::{Store, waiting};

/// The file in the data folder, which a user has uploaded.
const UPLOADED: &str = "headphones.jsonl.gz";

/// The file that an image may bring.
const SHIPPED: &str = "/opt/totton_audio/share/headphones.jsonl.gz";

/// The most bytes of an uploaded database: OPRA's own file has about 20 MB.
const LARGEST: u64 = 64 * 1024 * 1024;

/// The most headphones of one answer.
const MOST: usize = 100;

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(find_headphones).service(get_curves).service(replace_database);
}

/// The database, read when it is first asked for.
pub struct Headphones {
    store: Store,
    loaded: RwLock<Option<Arc<Database>>>,
}

impl Headphones {
    /// The database of this data folder.
    pub fn new(store: &Store) -> Self {
        Self { store: store.clone(), loaded: RwLock::new(None) }
    }

    /// The database; reads it the first time.
    ///
    /// # Errors
    /// 409 when there is none, 500 when it cannot be read.
    pub fn database(&self) -> Result<Arc<Database>, Problem> {
        let loaded = self.loaded.read().ok().and_then(|loaded| loaded.clone());
        if let Some(database) = loaded {
            return Ok(database);
        }
        let files = [self.store.path(UPLOADED), PathBuf::from(SHIPPED)];
        let Some(path) = files.iter().find(|path| path.exists()) else {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "no-headphones",
                "The device has no headphone database",
                "no image brought it and nobody has uploaded it",
                "Upload OPRA's database_v1.jsonl, plain or gzipped.",
            ));
        };
        let database = Database::load(path).map_err(|error| Problem::failed(error.to_string()))?;
        let database = Arc::new(database);
        self.keep(&database);
        Ok(database)
    }

    fn keep(&self, database: &Arc<Database>) {
        if let Ok(mut loaded) = self.loaded.write() {
            *loaded = Some(Arc::clone(database));
        }
    }
}

/// What to look for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Words of maker and name; nothing finds all.
    #[serde(default)]
    #[param(max_length = 200)]
    text: String,
}

/// What was found.
#[derive(Serialize, ToSchema)]
struct Found {
    /// The nearest first, at most a hundred.
    headphones: Vec<Headphone>,
    /// How many there are in all.
    total: usize,
    /// What must be shown beside the data.
    attribution: &'static str,
}

/// A headphone.
#[derive(Serialize, ToSchema)]
struct Headphone {
    /// OPRA's id.
    id: String,
    /// The maker.
    vendor: String,
    name: String,
    /// `over_the_ear`, `on_ear`, `in_ear`, `earbuds` or empty.
    form: String,
    /// How many equalisers it has.
    curves: usize,
}

impl From<&Product> for Headphone {
    fn from(product: &Product) -> Self {
        Self {
            id: product.id.clone(),
            vendor: product.vendor.clone(),
            name: product.name.clone(),
            form: product.form.clone(),
            curves: product.curves.len(),
        }
    }
}

/// Looks for headphones by maker and name.
#[utoipa::path(tag = "headphones", params(Wanted), responses((status = 200, body = Found)))]
#[get("/headphones")]
async fn find_headphones(
    headphones: web::Data<Headphones>,
    wanted: web::Query<Wanted>,
) -> Result<web::Json<Found>, Problem> {
    if wanted.text.chars().count() > 200 {
        return Err(Problem::not_accepted("text is too long", "Send at most 200 characters."));
    }
    waiting(move || {
        let database = headphones.database()?;
        let (found, total) = database.search(&wanted.text, MOST);
        let headphones = found.into_iter().map(Headphone::from).collect();
        Ok(web::Json(Found { headphones, total, attribution: ATTRIBUTION }))
    })
    .await
}

/// Which headphone.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// OPRA's id, as the search tells it.
    id: String,
}

/// A headphone's equalisers.
#[derive(Serialize, ToSchema)]
struct Curves {
    headphone: Headphone,
    curves: Vec<HeadphoneCurve>,
    /// What must be shown beside the data.
    attribution: &'static str,
}

/// One equaliser.
#[derive(Serialize, ToSchema)]
struct HeadphoneCurve {
    /// OPRA's id.
    id: String,
    /// Who made it: to be shown with it.
    author: String,
    /// Target, measurement and the like.
    details: String,
    /// Where it comes from.
    link: Option<String>,
    /// The text of Equalizer APO that says the same; none where it cannot say it.
    text: Option<String>,
    /// What it cannot say.
    problem: Option<String>,
}

impl From<&Curve> for HeadphoneCurve {
    fn from(curve: &Curve) -> Self {
        let (text, problem) = match curve.text() {
            Ok(text) => (Some(text), None),
            Err(problem) => (None, Some(problem)),
        };
        Self {
            id: curve.id.clone(),
            author: curve.author.clone(),
            details: curve.details.clone(),
            // What a script URL would be must not become a link.
            link: curve.link.clone().filter(|link| link.starts_with("https://")),
            text,
            problem,
        }
    }
}

/// One headphone with its equalisers.
#[utoipa::path(tag = "headphones", params(Which), responses((status = 200, body = Curves)))]
#[get("/headphones/curves")]
async fn get_curves(
    headphones: web::Data<Headphones>,
    which: web::Query<Which>,
) -> Result<web::Json<Curves>, Problem> {
    waiting(move || {
        let database = headphones.database()?;
        let product =
            database.product(&which.id).ok_or_else(|| Problem::no_such("headphone", &which.id))?;
        let curves = product.curves.iter().map(HeadphoneCurve::from).collect();
        Ok(web::Json(Curves { headphone: product.into(), curves, attribution: ATTRIBUTION }))
    })
    .await
}

/// What was put in.
#[derive(Serialize, ToSchema)]
struct Installed {
    headphones: usize,
    curves: usize,
}

/// Puts another database in place: OPRA's `database_v1.jsonl`, plain or gzipped. It is read as a
/// whole before it replaces the one in use.
#[utoipa::path(
    tag = "headphones",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Installed))
)]
#[put("/headphones/database")]
async fn replace_database(
    headphones: web::Data<Headphones>,
    upload: Upload,
) -> Result<web::Json<Installed>, Problem> {
    let mut part = headphones.store.upload()?;
    upload.write_to(&mut part.file, LARGEST).await?;
    waiting(move || {
        let database = Database::load(part.path()).map_err(|error| {
            Problem::not_accepted(
                error.to_string().replace(&part.path().display().to_string(), "the file"),
                "Send OPRA's database_v1.jsonl, plain or gzipped.",
            )
        })?;
        part.keep(&headphones.store.path(UPLOADED))?;
        let installed =
            Installed { headphones: database.products().len(), curves: database.curves() };
        headphones.keep(&Arc::new(database));
        log::info!("headphone database: {} curves", installed.curves);
        Ok(web::Json(installed))
    })
    .await
}
