//! One file for a report: states, settings, services, journal.

use std::io::Write;

use actix_web::http::header;
use actix_web::{HttpResponse, get, web};
use flate2::Compression;
use flate2::write::GzEncoder;
use totton_protocol::{Answer, Command};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{backup, check::Checks, logs::Readers, system};
use crate::VERSION;
use crate::daemon::Daemon;
use crate::device::journal::{Level, Source, Wanted};
use crate::device::updater::Updater;
use crate::problem::Problem;
use crate::redact::Serials;
use crate::settings::Settings;
use crate::store::{Store, waiting};

/// Adds the routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(get_diagnostics);
}

/// One archive (tar, gzipped) for a report. What cannot be read is told in its place: a report is
/// needed most when something is broken. No password and no serial number is in it.
#[utoipa::path(
    tag = "system",
    responses((status = 200, body = Vec<u8>, content_type = "application/gzip"))
)]
#[get("/diagnostics")]
async fn get_diagnostics(
    daemon: web::Data<Daemon>,
    store: web::Data<Store>,
    settings: web::Data<Settings>,
    readers: web::Data<Readers>,
    checks: web::Data<Checks>,
) -> Result<HttpResponse, Problem> {
    let _place = readers.place()?;
    let mut files = vec![("README.txt", about())];
    files.push(("status.json", told(daemon.ask(Command::Status).await)));
    let dacs = daemon.ask(Command::Dacs).await;
    let serials = serials(&dacs);
    files.push(("dacs.json", told(dacs)));
    files.push(("filters.json", told(daemon.ask(Command::Filters).await)));
    let recorded = match daemon.ask(Command::FlightRecorder).await {
        Ok(Answer::FlightRecorder { now, at_abort }) => (now.into_bytes(), at_abort),
        Ok(_) => (b"not understood\n".to_vec(), None),
        Err(problem) => (format!("{problem}\n").into_bytes(), None),
    };
    files.push(("flight-recorder.csv", recorded.0));
    if let Some(before) = recorded.1 {
        files.push(("flight-recorder-abort.csv", before.into_bytes()));
    }
    files.push(("backup.json", told(backup::collect(&daemon, store).await)));
    files.push(("check.json", told(checks.ask(settings.clone()).await)));
    for (name, source, level) in [
        ("journal-product.txt", Source::Product, Level::Debug),
        ("journal-system.txt", Source::System, Level::Warning),
    ] {
        let wanted = Wanted { source, level, lines: 2000, ..Wanted::default() };
        files.push((name, journal(&wanted).await));
    }
    let archive = waiting(move || {
        files.push(("system.json", told(Ok(system::read(&settings)))));
        let updater = Updater::new(settings.updater_sockets()).state();
        files.push(("updater.json", told(updater)));
        for (name, path) in [
            ("proc-cmdline.txt", "/proc/cmdline"),
            ("proc-asound-cards.txt", "/proc/asound/cards"),
            ("os-release.txt", "/etc/os-release"),
            ("web.toml", "/etc/totton-audio/web.toml"),
            ("upsampler.toml", "/etc/totton-audio/upsampler.toml"),
            ("gadget.toml", "/etc/totton-audio/gadget.toml"),
        ] {
            let text =
                std::fs::read(path).unwrap_or_else(|error| format!("{path}: {error}\n").into());
            files.push((name, text));
        }
        // The box's own serial number is in some of them, too, on some boards.
        for (_, content) in &mut files {
            *content = serials.without(&String::from_utf8_lossy(content)).into_bytes();
        }
        pack(&files).map_err(|error| Problem::failed(format!("the archive: {error}")))
    })
    .await?;
    Ok(HttpResponse::Ok()
        .content_type("application/gzip")
        .insert_header((
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"totton-audio-diagnostics.tar.gz\"",
        ))
        .body(archive))
}

/// The serial numbers in the names of the DACs.
fn serials(dacs: &Result<Answer, Problem>) -> Serials {
    match dacs {
        Ok(Answer::Dacs { dacs }) => Serials::of(dacs.iter().map(|dac| dac.name.as_str())),
        _ => Serials::default(),
    }
}

fn about() -> Vec<u8> {
    format!(
        "Diagnostics of a Totton Audio box, version {VERSION}.\n\n\
         status.json, dacs.json, filters.json  what the audio daemon says\n\
         flight-recorder.csv                   what the audio daemon measured in the last minutes;\n\
         flight-recorder-abort.csv             and before its watchdog ended it, if it ever did\n\
         \x20   (gpu_upsampler_alsa plot-recorder FILE.csv PICTURE.svg draws it)\n\
         backup.json                           settings, presets, equalisers\n\
         system.json                           services, boot, board\n\
         check.json                            what the board has to show, step by step\n\
         journal-*.txt                         the newest 2000 entries each\n\n\
         Serial numbers of the DACs and of the box are taken out.\n\
         Look through it before you give it away: presets and equalisers have the names\n\
         that you gave them.\n"
    )
    .into_bytes()
}

fn told<T: serde::Serialize>(answer: Result<T, Problem>) -> Vec<u8> {
    match answer {
        Ok(answer) => serde_json::to_vec_pretty(&answer).unwrap_or_default(),
        Err(problem) => format!("{problem}\n").into_bytes(),
    }
}

async fn journal(wanted: &Wanted) -> Vec<u8> {
    let mut reading = match wanted.text() {
        Ok(reading) => reading,
        Err(problem) => return format!("{problem}\n").into_bytes(),
    };
    let mut text = Vec::new();
    while let Some(line) = reading.line().await {
        text.extend_from_slice(&line);
    }
    text
}

fn pack(files: &[(&str, Vec<u8>)]) -> std::io::Result<Vec<u8>> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(now.as_ref().map_or(0, |now| now.as_secs()));
        let name = format!("totton-audio-diagnostics/{name}");
        archive.append_data(&mut header, name, content.as_slice())?;
    }
    let mut packed = archive.into_inner()?.finish()?;
    packed.flush()?;
    Ok(packed)
}
