//! Request bodies, limited in size and time: JSON, and files that are uploaded.

use std::io::Write;
use std::time::{Duration, Instant};

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// A JSON body must be here after so long; one that trickles in holds a connection.
const ARRIVAL: Duration = Duration::from_secs(5);

/// An upload may pause for so long between two pieces.
const PAUSE: Duration = Duration::from_secs(10);

/// Bytes per second that an upload keeps on average after its first seconds:
/// well below any USB link, well above one that only holds the connection.
const SLOWEST: u64 = 16 * 1024;

/// The largest JSON body, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit(pub usize);

/// The JSON body of a request.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limit = request.app_data::<web::Data<BodyLimit>>().map_or(0, |limit| limit.0);
        let announced = announced(request);
        let json = is_type(request, "application/json");
        let payload = payload.take();
        Box::pin(async move {
            if !json {
                return Err(wrong_type("application/json"));
            }
            if announced > limit as u64 {
                return Err(too_large(limit as u64));
            }
            let body =
                tokio::time::timeout(ARRIVAL, read(payload, limit)).await.map_err(|_| {
                    too_slow(format!("the body was not complete after {} s", ARRIVAL.as_secs()))
                })??;
            // A list would pass for an object none of whose fields has to be there.
            if body.trim_ascii_start().first() == Some(&b'[') {
                return Err(Problem::not_accepted(
                    "the body is a list",
                    "Send one JSON object; {} where nothing needs to be said.",
                ));
            }
            parse(&body).map(Self)
        })
    }
}

/// Reads JSON that a request or an uploaded file holds.
///
/// # Errors
/// 400 for what is no JSON, 422 for JSON that says something not accepted.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        // Well-formed JSON that does not say what is needed is another fault than bad JSON.
        if error.is_data() {
            Problem::not_accepted(
                error.to_string(),
                "Correct the body; the detail names the place.",
            )
        } else {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "not-json",
                "The request is not valid JSON",
                error.to_string(),
                "Send one JSON object; {} where nothing needs to be said.",
            )
        }
    })
}

async fn read(mut payload: Payload, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| broken(&error))?;
        if body.len() + chunk.len() > limit {
            return Err(too_large(limit as u64));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A file in the body of a request, `application/octet-stream`, not read yet.
pub struct Upload {
    payload: Payload,
    announced: u64,
}

impl FromRequest for Upload {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        std::future::ready(if is_type(request, "application/octet-stream") {
            Ok(Self { payload: payload.take(), announced: announced(request) })
        } else {
            Err(wrong_type("application/octet-stream"))
        })
    }
}

impl Upload {
    /// The announced size in bytes, 0 when the sender does not tell.
    pub fn announced(&self) -> u64 {
        self.announced
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// 400 when the connection breaks, 408 when nothing comes for too long.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, Problem> {
        match tokio::time::timeout(PAUSE, self.payload.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(piece))) => Ok(Some(piece)),
            Ok(Some(Err(error))) => Err(broken(&error)),
            Err(_) => Err(too_slow(format!("nothing came for {} s", PAUSE.as_secs()))),
        }
    }

    /// Writes the whole body to `file`, at most `limit` bytes; how many there were.
    ///
    /// # Errors
    /// As [`piece`](Self::piece); 413 when it is larger, 408 when it trickles,
    /// 500 when the file cannot be written.
    pub async fn write_to(mut self, file: &mut std::fs::File, limit: u64) -> Result<u64, Problem> {
        if self.announced > limit {
            return Err(too_large(limit));
        }
        let (start, mut total) = (Instant::now(), 0);
        while let Some(piece) = self.piece().await? {
            total += piece.len() as u64;
            if total > limit {
                return Err(too_large(limit));
            }
            let spent = start.elapsed().saturating_sub(PAUSE).as_secs();
            if total < spent * SLOWEST {
                return Err(too_slow(format!("{total} bytes in {} s", spent + PAUSE.as_secs())));
            }
            file.write_all(&piece).map_err(|error| {
                Problem::failed(format!("the upload cannot be written: {error}"))
            })?;
        }
        Ok(total)
    }
}

fn announced(request: &HttpRequest) -> u64 {
    let value = request.headers().get(header::CONTENT_LENGTH);
    value.and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0)
}

fn is_type(request: &HttpRequest, wanted: &str) -> bool {
    essence(request.headers()).eq_ignore_ascii_case(wanted)
}

/// The media type of a request's body, without its parameters.
pub fn essence(headers: &header::HeaderMap) -> &str {
    let found = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    found.unwrap_or_default().split(';').next().unwrap_or_default().trim()
}

fn wrong_type(wanted: &str) -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "wrong-type",
        "The body has another type than is accepted here",
        format!("accepted here: {wanted}"),
        format!("Send Content-Type: {wanted}."),
    )
}

fn broken(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "body-broken",
        "The request broke off",
        error.to_string(),
        "Send the request again.",
    )
}

fn too_slow(detail: String) -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "body-too-slow",
        "The request did not arrive in time",
        detail,
        "Send the request again.",
    )
}

/// The body is larger than `limit` bytes.
pub fn too_large(limit: u64) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body-too-large",
        "The request is too large",
        format!("the body is larger than {limit} bytes"),
        "Send less.",
    )
}
