//! The page's files, inside the binary.

use std::io::Write;

use actix_web::http::{Method, StatusCode, header};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use flate2::{Compression, Crc, write::GzEncoder};

use crate::cookie::SET_PAGE;
use crate::openapi::{Description, refuse};
use crate::problem::Problem;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! file {
    ($path:literal, $name:literal, $kind:ident) => {
        ($path, include_bytes!(concat!("../static/", $name)).as_slice(), $kind)
    };
}

/// Path, content, media type. No path of a client reaches the file system.
const FILES: &[(&str, &[u8], &str)] = &[
    file!("/", "index.html", HTML),
    file!("/api", "api.html", HTML),
    file!("/style.css", "style.css", CSS),
    file!("/views.css", "views.css", CSS),
    file!("/icon.svg", "icon.svg", SVG),
    file!("/api.js", "api.js", JAVASCRIPT),
    file!("/app.js", "app.js", JAVASCRIPT),
    file!("/backup.js", "backup.js", JAVASCRIPT),
    file!("/bands.js", "bands.js", JAVASCRIPT),
    file!("/check.js", "check.js", JAVASCRIPT),
    file!("/clock.js", "clock.js", JAVASCRIPT),
    file!("/description.js", "description.js", JAVASCRIPT),
    file!("/dom.js", "dom.js", JAVASCRIPT),
    file!("/en.js", "en.js", JAVASCRIPT),
    file!("/equaliser.js", "equaliser.js", JAVASCRIPT),
    file!("/fetch-update.js", "fetch-update.js", JAVASCRIPT),
    file!("/filters.js", "filters.js", JAVASCRIPT),
    file!("/format.js", "format.js", JAVASCRIPT),
    file!("/headphones.js", "headphones.js", JAVASCRIPT),
    file!("/ja.js", "ja.js", JAVASCRIPT),
    file!("/listen.js", "listen.js", JAVASCRIPT),
    file!("/live.js", "live.js", JAVASCRIPT),
    file!("/logs.js", "logs.js", JAVASCRIPT),
    file!("/meters.js", "meters.js", JAVASCRIPT),
    file!("/notice.js", "notice.js", JAVASCRIPT),
    file!("/plot.js", "plot.js", JAVASCRIPT),
    file!("/presets.js", "presets.js", JAVASCRIPT),
    file!("/sound.js", "sound.js", JAVASCRIPT),
    file!("/spectrum.js", "spectrum.js", JAVASCRIPT),
    file!("/state.js", "state.js", JAVASCRIPT),
    file!("/system.js", "system.js", JAVASCRIPT),
    file!("/texts.js", "texts.js", JAVASCRIPT),
    file!("/update-feed.js", "update-feed.js", JAVASCRIPT),
    file!("/update-file.js", "update-file.js", JAVASCRIPT),
    file!("/update.js", "update.js", JAVASCRIPT),
    file!("/volume.js", "volume.js", JAVASCRIPT),
];

/// One file, ready to send in both encodings.
struct File {
    path: &'static str,
    kind: &'static str,
    etag: String,
    plain: Bytes,
    gzip: Bytes,
}

/// All files of the page.
pub struct Page {
    files: Vec<File>,
}

impl Page {
    /// Compresses the files, once.
    ///
    /// # Errors
    /// Never in practice: the encoder writes to memory.
    pub fn new() -> std::io::Result<Self> {
        let files = FILES
            .iter()
            .map(|&(path, content, kind)| {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(content)?;
                let mut crc = Crc::new();
                crc.update(content);
                Ok(File {
                    path,
                    kind,
                    etag: format!("{:x}-{:08x}", content.len(), crc.sum()),
                    plain: Bytes::from_static(content),
                    gzip: encoder.finish()?.into(),
                })
            })
            .collect::<std::io::Result<_>>()?;
        Ok(Self { files })
    }
}

/// Whether a file of the page has this path.
pub fn has(path: &str) -> bool {
    FILES.iter().any(|file| file.0 == path)
}

/// Sends the file of the request's path: the service for every path that no other has.
pub async fn file(
    request: HttpRequest,
    page: web::Data<Page>,
    description: web::Data<Description>,
) -> HttpResponse {
    let Some(file) = page.files.iter().find(|file| file.path == request.path()) else {
        return refuse(&request, &description);
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Problem::method_not_allowed(request.method().as_str(), "GET").error_response();
    }
    let wants = |name, word: &str| {
        request
            .headers()
            .get_all(name)
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().trim_start_matches("W/") == word)
    };
    let compressed = wants(header::ACCEPT_ENCODING, "gzip");
    let etag = format!("\"{}{}\"", file.etag, if compressed { "-gzip" } else { "" });
    let mut response = HttpResponse::Ok();
    response
        // Always ask whether it is still the same: after an update it is not.
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::VARY, "Accept-Encoding"))
        .insert_header((header::ETAG, etag.as_str()))
        .insert_header((header::CONTENT_TYPE, file.kind));
    if file.kind == HTML {
        response.insert_header((header::SET_COOKIE, SET_PAGE));
    }
    if wants(header::IF_NONE_MATCH, &etag) {
        return response.status(StatusCode::NOT_MODIFIED).finish();
    }
    if compressed {
        response.insert_header((header::CONTENT_ENCODING, "gzip")).body(file.gzip.clone())
    } else {
        response.body(file.plain.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_page_stays_under_its_budget() {
        let compressed: usize = Page::new().unwrap().files.iter().map(|file| file.gzip.len()).sum();
        assert!(compressed < 150_000, "{compressed} bytes compressed; budget: 150 kB");
    }

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("static");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let path = match name.as_str() {
                "index.html" => "/".to_owned(),
                "api.html" => "/api".to_owned(),
                name => format!("/{name}"),
            };
            assert!(FILES.iter().any(|file| file.0 == path), "{name} is in static/, not in FILES");
        }
    }
}
