//! The equaliser: two sides to compare, bypass, kept profiles, texts in and out.

use actix_web::{delete, get, post, put, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Done, Nothing};
use crate::body::Json;
use crate::daemon::Daemon;
use crate::equaliser::Profile;
use crate::problem::Problem;
use crate::sides::{SIDES, Sides, Turn};
use crate::store::{Id, Kind, Store, waiting};

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(get_sides)
        .service(put_sides)
        .service(measure)
        .service(parse)
        .service(to_text)
        .service(get_kept)
        .service(get_one)
        .service(keep)
        .service(keep_again)
        .service(forget);
}

/// The two sides.
#[utoipa::path(tag = "equaliser", responses((status = 200, body = Sides)))]
#[get("/equaliser")]
async fn get_sides(store: web::Data<Store>) -> Result<web::Json<Sides>, Problem> {
    waiting(move || Ok(store.read::<Sides>(SIDES)?.unwrap_or_default())).await.map(web::Json)
}

/// Puts both sides in place; the one that is heard is folded into the filter.
#[utoipa::path(tag = "equaliser", request_body = Sides, responses((status = 200, body = Sides)))]
#[put("/equaliser")]
async fn put_sides(
    store: web::Data<Store>,
    daemon: web::Data<Daemon>,
    turn: web::Data<Turn>,
    body: Json<Sides>,
) -> Result<web::Json<Sides>, Problem> {
    let sides = body.0;
    sides.check()?;
    waiting(move || {
        let _turn = turn.take();
        daemon.change_waiting(json!({ "equaliser": sides.heard() }))?;
        store.write(SIDES, &sides)?;
        Ok(web::Json(sides))
    })
    .await
}

/// A response as it is.
#[derive(Serialize, ToSchema)]
struct Measured {
    /// Pairs of a frequency in Hz and a level in dB.
    points: Vec<[f64; 2]>,
}

/// Folds an equaliser as the daemon does, and measures what comes out.
#[utoipa::path(tag = "equaliser", request_body = Profile, responses((status = 200, body = Measured)))]
#[post("/equaliser/measure")]
async fn measure(body: Json<Profile>) -> Result<web::Json<Measured>, Problem> {
    body.0.check()?;
    waiting(move || Ok(web::Json(Measured { points: body.0.measure()? }))).await
}

/// A text with a name for it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Named {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Lines of Equalizer APO or AutoEQ.
    text: String,
}

/// Reads a text of Equalizer APO or AutoEQ.
#[utoipa::path(tag = "equaliser", request_body = Named, responses((status = 200, body = Profile)))]
#[post("/equaliser/parse")]
async fn parse(body: Json<Named>) -> Result<web::Json<Profile>, Problem> {
    Profile::parse(&body.0.name, &body.0.text).map(web::Json)
}

/// A text.
#[derive(Serialize, ToSchema)]
struct Text {
    text: String,
}

/// Writes an equaliser as Equalizer APO does.
#[utoipa::path(tag = "equaliser", request_body = Profile, responses((status = 200, body = Text)))]
#[post("/equaliser/text")]
async fn to_text(body: Json<Profile>) -> Result<web::Json<Text>, Problem> {
    body.0.check()?;
    Ok(web::Json(Text { text: body.0.text() }))
}

/// A kept profile.
#[derive(Serialize, ToSchema)]
struct KeptEqualiser {
    id: Id,
    profile: Profile,
}

/// What a list needs of a document; the rest is not looked at.
#[derive(Deserialize)]
pub struct Title {
    pub name: String,
    #[serde(default)]
    pub credit: Option<String>,
}

/// A kept profile in the list.
#[derive(Serialize, ToSchema)]
struct ListedEqualiser {
    id: Id,
    name: String,
    /// Whose work it is, to be shown with it.
    credit: Option<String>,
    /// Its size on the disk.
    bytes: u64,
}

/// All kept profiles.
#[derive(Serialize, ToSchema)]
struct KeptEqualisers {
    equalisers: Vec<ListedEqualiser>,
}

/// The names of the kept profiles.
#[utoipa::path(tag = "equaliser", responses((status = 200, body = KeptEqualisers)))]
#[get("/equalisers")]
async fn get_kept(store: web::Data<Store>) -> Result<web::Json<KeptEqualisers>, Problem> {
    waiting(move || {
        let shelf = store.shelf(Kind::Equalisers);
        let listed = |(id, Title { name, credit })| {
            Ok(ListedEqualiser { bytes: shelf.size(&id)?, id, name, credit })
        };
        let equalisers = shelf.list()?.into_iter().map(listed).collect::<Result<_, Problem>>()?;
        Ok(web::Json(KeptEqualisers { equalisers }))
    })
    .await
}

/// One kept profile.
#[utoipa::path(tag = "equaliser", params(("id" = Id, Path, description = "As the list tells it")), responses((status = 200, body = KeptEqualiser)))]
#[get("/equalisers/{id}")]
async fn get_one(
    store: web::Data<Store>,
    id: web::Path<Id>,
) -> Result<web::Json<KeptEqualiser>, Problem> {
    waiting(move || {
        let found: Option<Profile> = store.shelf(Kind::Equalisers).get(&id)?;
        let profile = found.ok_or_else(|| Problem::no_such("equaliser", id.as_str()))?;
        profile.check()?;
        Ok(web::Json(KeptEqualiser { id: id.into_inner(), profile }))
    })
    .await
}

/// Keeps a profile.
#[utoipa::path(tag = "equaliser", request_body = Profile, responses((status = 200, body = KeptEqualiser)))]
#[post("/equalisers")]
async fn keep(
    store: web::Data<Store>,
    body: Json<Profile>,
) -> Result<web::Json<KeptEqualiser>, Problem> {
    let profile = body.0;
    profile.check()?;
    waiting(move || {
        let id = store.shelf(Kind::Equalisers).add(&profile.name, &profile)?;
        Ok(web::Json(KeptEqualiser { id, profile }))
    })
    .await
}

/// Puts a profile in place of a kept one.
#[utoipa::path(tag = "equaliser", params(("id" = Id, Path, description = "As the list tells it")), request_body = Profile, responses((status = 200, body = KeptEqualiser)))]
#[put("/equalisers/{id}")]
async fn keep_again(
    store: web::Data<Store>,
    id: web::Path<Id>,
    body: Json<Profile>,
) -> Result<web::Json<KeptEqualiser>, Problem> {
    let (profile, id) = (body.0, id.into_inner());
    profile.check()?;
    waiting(move || {
        store.shelf(Kind::Equalisers).replace(&id, &profile)?;
        Ok(web::Json(KeptEqualiser { id, profile }))
    })
    .await
}

/// Deletes a kept profile.
#[utoipa::path(tag = "equaliser", params(("id" = Id, Path, description = "As the list tells it")), request_body = Nothing, responses((status = 200, body = Done)))]
#[delete("/equalisers/{id}")]
async fn forget(
    store: web::Data<Store>,
    id: web::Path<Id>,
    _: Json<Nothing>,
) -> Result<web::Json<Done>, Problem> {
    waiting(move || store.shelf(Kind::Equalisers).remove(&id)).await?;
    Ok(web::Json(Done {}))
}
