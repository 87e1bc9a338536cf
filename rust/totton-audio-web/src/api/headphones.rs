//! The headphone database: search it, use a curve, put another database in.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::http::StatusCode;
use actix_web::{get, put, web};
use serde::{Deserialize, Serialize};
use totton_headphones::{ATTRIBUTION, Curve, Database, Product};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::body::Upload;
use crate::problem::Problem;
use crate::store::{Kind, Store, waiting};

/// The file in the data folder, which a user has uploaded.
const UPLOADED: &str = "headphones.jsonl.gz";

/// The file that an image may bring.
const SHIPPED: &str = "/opt/totton_audio/share/headphones.jsonl.gz";

/// The most headphones of one answer.
const MOST: usize = 100;

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(find_headphones).service(get_curves).service(replace_database);
}

/// The database, read when it is first asked for.
pub struct Headphones {
    store: Store,
    shipped: PathBuf,
    loaded: Mutex<Option<Loaded>>,
    /// One is read at a time: each may take a good part of the service's memory.
    reading: Mutex<()>,
}

/// What came of reading it; a file that cannot be used is not read again at each search.
type Loaded = Result<Arc<Database>, Problem>;

impl Headphones {
    /// The database of this data folder.
    pub fn new(store: &Store) -> Self {
        Self {
            store: store.clone(),
            shipped: SHIPPED.into(),
            loaded: Mutex::default(),
            reading: Mutex::default(),
        }
    }

    /// The database; reads it the first time.
    ///
    /// # Errors
    /// 409 when there is none that can be used.
    pub fn database(&self) -> Result<Arc<Database>, Problem> {
        if let Some(loaded) = self.loaded() {
            return loaded;
        }
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have read it meanwhile.
        if let Some(loaded) = self.loaded() {
            return loaded;
        }
        let loaded = self.load();
        self.keep(loaded.clone());
        loaded
    }

    /// Reads the file that the user has uploaded, or else the image's.
    fn load(&self) -> Loaded {
        let mut problem = Problem::new(
            StatusCode::CONFLICT,
            "no-headphones",
            "The device has no headphone database",
            "no image brought it and nobody has uploaded it",
            "Upload OPRA's database_v1.jsonl, plain or gzipped.",
        );
        for path in [self.store.path(UPLOADED), self.shipped.clone()] {
            if !path.exists() {
                continue;
            }
            match Database::load(&path) {
                Ok(database) => return Ok(Arc::new(database)),
                Err(error) => {
                    log::error!("headphone database: {error}");
                    problem = unreadable(&error.to_string());
                }
            }
        }
        Err(problem)
    }

    fn loaded(&self) -> Option<Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, loaded: Loaded) {
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = Some(loaded);
    }
}

/// A file is there, and is not accepted (any more).
fn unreadable(reason: &str) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "headphones-unreadable",
        "The headphone database cannot be used",
        reason,
        "Upload OPRA's database_v1.jsonl again, plain or gzipped; it takes the place of this one.",
    )
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
    let limit = headphones.store.limits().headphones_bytes;
    let mut part = upload.store(&headphones.store, limit).await?;
    waiting(move || {
        let _reading = headphones.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let database = Database::read(part.rewound()?, Path::new("the file")).map_err(|error| {
            Problem::not_accepted(
                error.to_string(),
                "Send OPRA's database_v1.jsonl, plain or gzipped.",
            )
        })?;
        part.keep(Kind::Headphones, UPLOADED, true)?;
        let installed =
            Installed { headphones: database.products().len(), curves: database.curves() };
        headphones.keep(Ok(Arc::new(database)));
        log::info!("headphone database: {} curves", installed.curves);
        Ok(web::Json(installed))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"type":"vendor","id":"v","data":{"name":"V"}}
{"type":"product","id":"v::p","data":{"name":"P","vendor_id":"v"}}
{"type":"eq","id":"v:p::e","data":{"author":"A","type":"parametric_eq","product_id":"v::p","parameters":{"gain_db":0,"bands":[]}}}
"#;

    #[test]
    fn a_database_that_an_older_version_took_is_refused_once_and_another_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let mut headphones = Headphones::new(&store);
        headphones.shipped = folder.path().join("shipped");
        assert_eq!(headphones.database().unwrap_err().kind(), "no-headphones");

        let headphones = Headphones { loaded: Mutex::default(), ..headphones };
        let long = format!("{}{GOOD}", "x".repeat(100_000));
        std::fs::write(store.path(UPLOADED), long).unwrap();
        let refused = headphones.database().unwrap_err();
        assert_eq!(refused.kind(), "headphones-unreadable");
        assert!(refused.detail().contains("line 1"), "{refused}");
        // It is not read again at each search.
        std::fs::remove_file(store.path(UPLOADED)).unwrap();
        assert_eq!(headphones.database().unwrap_err().kind(), "headphones-unreadable");

        // The image's own is used instead of a bad one.
        let headphones = Headphones { loaded: Mutex::default(), ..headphones };
        std::fs::write(store.path(UPLOADED), "no database").unwrap();
        std::fs::write(&headphones.shipped, GOOD).unwrap();
        assert_eq!(headphones.database().unwrap().curves(), 1);
    }
}
