//! Presets: the sound's settings and the equaliser under a name.

use actix_web::{delete, get, post, web};
use serde::{Deserialize, Serialize};
use serde_json::json;
use totton_protocol::{Answer, Command};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::equaliser::Title;
use super::filters::choices;
use super::{Done, Nothing};
use crate::body::Json;
use crate::daemon::{Daemon, unexpected};
use crate::preset::{Preset, checked_name};
use crate::problem::Problem;
use crate::sides::{SIDES, Turn};
use crate::store::{Id, Kind, Store, waiting};

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(get_presets)
        .service(get_preset)
        .service(keep_preset)
        .service(apply_preset)
        .service(delete_preset);
}

/// A preset with its id.
#[derive(Serialize, ToSchema)]
struct KeptPreset {
    id: Id,
    preset: Preset,
}

/// A preset in the list.
#[derive(Serialize, ToSchema)]
struct ListedPreset {
    id: Id,
    name: String,
    /// Its size on the disk.
    bytes: u64,
}

/// All presets.
#[derive(Serialize, ToSchema)]
struct Presets {
    presets: Vec<ListedPreset>,
}

/// The names of the presets.
#[utoipa::path(tag = "presets", responses((status = 200, body = Presets)))]
#[get("/presets")]
async fn get_presets(store: web::Data<Store>) -> Result<web::Json<Presets>, Problem> {
    waiting(move || {
        let shelf = store.shelf(Kind::Presets);
        let listed =
            |(id, Title { name, .. })| Ok(ListedPreset { bytes: shelf.size(&id)?, id, name });
        let presets = shelf.list()?.into_iter().map(listed).collect::<Result<_, Problem>>()?;
        Ok(web::Json(Presets { presets }))
    })
    .await
}

/// One preset.
#[utoipa::path(tag = "presets", params(("id" = Id, Path, description = "As the list tells it")), responses((status = 200, body = KeptPreset)))]
#[get("/presets/{id}")]
async fn get_preset(
    store: web::Data<Store>,
    id: web::Path<Id>,
) -> Result<web::Json<KeptPreset>, Problem> {
    waiting(move || {
        let preset = kept(&store, &id)?;
        Ok(web::Json(KeptPreset { id: id.into_inner(), preset }))
    })
    .await
}

/// A preset as it lies on the disk, checked as if it came from outside.
fn kept(store: &Store, id: &Id) -> Result<Preset, Problem> {
    let found: Option<Preset> = store.shelf(Kind::Presets).get(id)?;
    let preset = found.ok_or_else(|| Problem::no_such("preset", id.as_str()))?;
    preset.check().map(|()| preset)
}

/// A name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PresetName {
    #[schema(min_length = 1, max_length = 80)]
    name: String,
}

/// Keeps the sound that is in force under a name.
#[utoipa::path(tag = "presets", request_body = PresetName, responses((status = 200, body = KeptPreset)))]
#[post("/presets")]
async fn keep_preset(
    store: web::Data<Store>,
    daemon: web::Data<Daemon>,
    body: Json<PresetName>,
) -> Result<web::Json<KeptPreset>, Problem> {
    let name = checked_name(body.0.name.trim())?;
    let settings = match daemon.ask(Command::Settings).await? {
        Answer::Settings { settings, .. } => *settings,
        answer => return Err(unexpected("settings", answer)),
    };
    waiting(move || {
        let equaliser = store.read(SIDES)?.unwrap_or_default();
        let preset = Preset { name, sound: settings.sound, filter: settings.filter, equaliser };
        let id = store.shelf(Kind::Presets).add(preset.name.as_str(), &preset)?;
        Ok(web::Json(KeptPreset { id, preset }))
    })
    .await
}

/// Puts a preset in force.
#[utoipa::path(tag = "presets", params(("id" = Id, Path, description = "As the list tells it")), request_body = Nothing, responses((status = 200, body = Done)))]
#[post("/presets/{id}/apply")]
async fn apply_preset(
    store: web::Data<Store>,
    daemon: web::Data<Daemon>,
    turn: web::Data<Turn>,
    id: web::Path<Id>,
    _: Json<Nothing>,
) -> Result<web::Json<Done>, Problem> {
    let (preset, store) = waiting(move || Ok((kept(&store, &id)?, store))).await?;
    // A preset may come from a stranger's backup: a path that is not in the daemon's list does not
    // reach it.
    let value = serde_json::to_value(&preset.filter);
    if let Some(filter) = value.as_ref().ok().and_then(serde_json::Value::as_str)
        && !choices(&daemon).await?.iter().any(|choice| choice.path == filter)
    {
        return Err(Problem::no_such("filter", filter));
    }
    waiting(move || {
        let mut sound = serde_json::to_value(preset.sound)
            .map_err(|error| Problem::failed(error.to_string()))?;
        if let Some(sound) = sound.as_object_mut() {
            // Volume and mute stay as they are.
            sound.remove("gain_db");
            sound.remove("mute");
        }
        let _turn = turn.take();
        daemon.change_waiting(json!({
            "sound": sound, "filter": preset.filter, "equaliser": preset.equaliser.heard(),
        }))?;
        store.write(SIDES, &preset.equaliser)?;
        log::info!("preset {} is in force", preset.name);
        Ok(web::Json(Done {}))
    })
    .await
}

/// Deletes a preset.
#[utoipa::path(tag = "presets", params(("id" = Id, Path, description = "As the list tells it")), request_body = Nothing, responses((status = 200, body = Done)))]
#[delete("/presets/{id}")]
async fn delete_preset(
    store: web::Data<Store>,
    id: web::Path<Id>,
    _: Json<Nothing>,
) -> Result<web::Json<Done>, Problem> {
    waiting(move || store.shelf(Kind::Presets).remove(&id)).await?;
    Ok(web::Json(Done {}))
}
