//! Backup and restore: everything that a user has set, in one checked file.

use std::collections::BTreeMap;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, get, put, web};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use totton_protocol::{Answer, Command, Settings};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::equaliser::{KEPT, SIDES, Sides, Turn};
use super::presets::{PRESETS, Preset};
use crate::VERSION;
use crate::body::Upload;
use crate::daemon::{Daemon, unexpected};
use crate::equaliser::Profile;
use crate::guard::password::hexadecimal;
use crate::problem::Problem;
use crate::store::{Id, Store, waiting};

/// What the file says it is.
const FORMAT: &str = "totton-audio-backup";

/// The form of the file; raised when an older box would misread it.
const FORM: u32 = 1;

/// The most bytes of a backup.
const LARGEST: u64 = 8 * 1024 * 1024;

/// The last state before a restore is kept under this name.
const BEFORE: &str = "before-restore.json";

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(get_backup).service(restore);
}

/// The file.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// `totton-audio-backup`.
    format: String,
    /// The form of the file: 1.
    form: u32,
    /// Version of the box that made it.
    made_by: String,
    /// SHA-256 of `content` as JSON without spaces, hexadecimal: a file that was cut short or
    /// edited by hand is not taken.
    sha256: String,
    content: BackupContent,
}

/// What the user has set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BackupContent {
    settings: Settings,
    equaliser: Sides,
    equalisers: BTreeMap<String, Profile>,
    presets: BTreeMap<String, Preset>,
}

impl BackupContent {
    fn digest(&self) -> Result<String, Problem> {
        let text = serde_json::to_vec(self).map_err(|error| Problem::failed(error.to_string()))?;
        Ok(hexadecimal(&Sha256::digest(&text)))
    }

    fn check(&self) -> Result<(), Problem> {
        self.settings.check().map_err(|error| unusable(&format!("settings: {error}")))?;
        self.equaliser.check()?;
        self.equalisers.values().try_for_each(Profile::check)?;
        self.presets.values().try_for_each(Preset::check)?;
        let ids = self.equalisers.keys().chain(self.presets.keys());
        for id in ids {
            Id::try_from(id.clone()).map_err(|reason| unusable(&reason))?;
        }
        Ok(())
    }
}

impl Backup {
    fn of(content: BackupContent) -> Result<Self, Problem> {
        Ok(Self {
            format: FORMAT.to_owned(),
            form: FORM,
            made_by: VERSION.to_owned(),
            sha256: content.digest()?,
            content,
        })
    }

    fn read(text: &[u8]) -> Result<BackupContent, Problem> {
        #[derive(Deserialize)]
        struct Envelope {
            format: String,
            form: u32,
        }
        let envelope: Envelope =
            serde_json::from_slice(text).map_err(|error| unusable(&error.to_string()))?;
        if envelope.format != FORMAT {
            return Err(unusable(&format!("its format is {:?}", envelope.format)));
        }
        if envelope.form != FORM {
            return Err(unusable(&format!(
                "it has form {}, this box reads form {FORM}; update the box",
                envelope.form
            )));
        }
        let backup: Self =
            serde_json::from_slice(text).map_err(|error| unusable(&error.to_string()))?;
        if backup.content.digest()? != backup.sha256 {
            return Err(unusable("its checksum does not fit its content"));
        }
        backup.content.check()?;
        Ok(backup.content)
    }
}

fn unusable(reason: &str) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "not-a-backup",
        "The file is no backup that can be used",
        reason,
        "Choose a file that this page has made. Nothing was changed.",
    )
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
        let by_id = |(id, thing): (Id, _)| (id.as_str().to_owned(), thing);
        Backup::of(BackupContent {
            settings,
            equaliser: store.read(SIDES)?.unwrap_or_default(),
            equalisers: store.shelf(KEPT).list()?.into_iter().map(by_id).collect(),
            presets: store
                .shelf(PRESETS)
                .list()?
                .into_iter()
                .map(|(id, preset)| (id.as_str().to_owned(), preset))
                .collect(),
        })
    })
    .await
}

/// Settings, presets and equalisers in one file.
#[utoipa::path(tag = "backup", responses((status = 200, body = Backup)))]
#[get("/backup")]
async fn get_backup(
    daemon: web::Data<Daemon>,
    store: web::Data<Store>,
) -> Result<HttpResponse, Problem> {
    let backup = collect(&daemon, store).await?;
    Ok(HttpResponse::Ok()
        .insert_header((
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"totton-audio-backup.json\"",
        ))
        .json(backup))
}

/// What was put in place.
#[derive(Serialize, ToSchema)]
struct Restored {
    presets: usize,
    equalisers: usize,
}

/// Puts a backup in place, whole or not at all. What was there before stays in the data folder as
/// `before-restore.json`, which is a backup, too.
#[utoipa::path(
    tag = "backup",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Restored))
)]
#[put("/backup")]
async fn restore(
    daemon: web::Data<Daemon>,
    store: web::Data<Store>,
    turn: web::Data<Turn>,
    upload: Upload,
) -> Result<web::Json<Restored>, Problem> {
    let mut part = store.upload()?;
    upload.write_to(&mut part.file, LARGEST).await?;
    let text = std::fs::read(part.path())
        .map_err(|error| Problem::failed(format!("the upload cannot be read: {error}")))?;
    drop(part);
    let content = Backup::read(&text)?;
    let before = collect(&daemon, store.clone()).await?;
    waiting(move || {
        let _turn = turn.take();
        store.write(BEFORE, &before)?;
        // The daemon has the last word: what it refuses changes nothing.
        daemon.replace_waiting(content.settings.clone())?;
        let placed = place(&store, &content);
        if let Err(problem) = placed {
            let old = before.content;
            let undone = daemon.replace_waiting(old.settings.clone()).and(place(&store, &old));
            log::error!("a restore failed: {problem}; put back: {}", undone.is_ok());
            return Err(problem);
        }
        log::info!("a backup was put in place");
        Ok(web::Json(Restored {
            presets: content.presets.len(),
            equalisers: content.equalisers.len(),
        }))
    })
    .await
}

fn place(store: &Store, content: &BackupContent) -> Result<(), Problem> {
    store.write(SIDES, &content.equaliser)?;
    replace(store, KEPT, &content.equalisers)?;
    replace(store, PRESETS, &content.presets)
}

fn replace<T: Serialize + serde::de::DeserializeOwned>(
    store: &Store,
    kind: &'static str,
    wanted: &BTreeMap<String, T>,
) -> Result<(), Problem> {
    let shelf = store.shelf(kind);
    for (id, thing) in wanted {
        let id = Id::try_from(id.clone()).map_err(|reason| unusable(&reason))?;
        shelf.put(&id, thing)?;
    }
    for (id, _) in shelf.list::<T>()? {
        if !wanted.contains_key(id.as_str()) {
            shelf.remove(&id)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup() -> serde_json::Value {
        let content = BackupContent {
            settings: Settings::default(),
            equaliser: Sides::default(),
            equalisers: BTreeMap::from([("x".into(), Profile::parse("X", "Preamp: -1").unwrap())]),
            presets: BTreeMap::new(),
        };
        serde_json::to_value(Backup::of(content).unwrap()).unwrap()
    }

    fn refusal(change: impl Fn(&mut serde_json::Value)) -> String {
        let mut value = backup();
        change(&mut value);
        let problem = Backup::read(value.to_string().as_bytes()).unwrap_err();
        assert_eq!(problem.kind(), "not-a-backup");
        problem.detail().to_owned()
    }

    #[test]
    fn a_backup_is_read_as_it_was_made() {
        let value = backup();
        let content = Backup::read(value.to_string().as_bytes()).unwrap();
        assert_eq!(content.equalisers["x"].preamp_db, -1.0);
    }

    #[test]
    fn what_was_changed_cut_short_or_made_by_a_newer_box_is_refused() {
        assert!(
            refusal(|v| v["content"]["settings"]["sound"]["gain_db"] = (-3.0).into())
                .contains("checksum")
        );
        assert!(refusal(|v| v["form"] = 2.into()).contains("form 2"));
        assert!(refusal(|v| v["format"] = "else".into()).contains("else"));
        let text = backup().to_string();
        for end in [0, 1, text.len() / 2, text.len() - 1] {
            assert!(Backup::read(&text.as_bytes()[..end]).is_err());
        }
        // A path is no id, even with the right checksum.
        let mut content = Backup::read(text.as_bytes()).unwrap();
        let profile = content.equalisers["x"].clone();
        content.equalisers.insert("../x".into(), profile);
        let text = serde_json::to_string(&Backup::of(content).unwrap()).unwrap();
        assert_eq!(Backup::read(text.as_bytes()).unwrap_err().kind(), "not-a-backup");
    }
}
