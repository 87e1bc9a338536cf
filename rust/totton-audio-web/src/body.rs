//! Request bodies, limited in size and time: JSON, and files that are uploaded.

use std::time::{Duration, Instant};

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::problem::Problem;
use crate::store::{PartialFile, Store, waiting};

/// A JSON body must be here after so long; one that trickles in holds a connection.
const ARRIVAL: Duration = Duration::from_secs(5);

/// An upload may pause for so long between two pieces.
const PAUSE: Duration = Duration::from_secs(10);

/// Bytes per second that an upload keeps on average after its first seconds:
/// well below any USB link, well above one that only holds the connection.
const SLOWEST: u64 = 16 * 1024;

/// Bytes of an upload that are written at once; before each, the room on the disk is looked at.
const GATHERED: usize = 1024 * 1024;

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

    /// Writes the whole body to a file of its own, at most `limit` bytes.
    ///
    /// # Errors
    /// As [`piece`](Self::piece); 413 when it is larger, 408 when it trickles, 503 or 507 when
    /// there is no room for it, 500 when the file cannot be written.
    pub async fn store(mut self, store: &Store, limit: u64) -> Result<PartialFile, Problem> {
        let mut arrival = Arrival::new(self.announced, limit)?;
        match self.write(store.clone(), &mut arrival).await {
            Err(problem) if problem.kind() == "storage-full" || problem.kind() == "busy" => {
                self.drain(&mut arrival).await;
                Err(problem)
            }
            written => written,
        }
    }

    async fn write(&mut self, store: Store, arrival: &mut Arrival) -> Result<PartialFile, Problem> {
        let announced = self.announced;
        let mut part = waiting(move || store.upload(announced)).await?;
        let mut gathered = Vec::new();
        while let Some(piece) = self.piece().await? {
            arrival.count(piece.len())?;
            gathered.extend_from_slice(&piece);
            if gathered.len() >= GATHERED {
                let bytes = std::mem::take(&mut gathered);
                part = waiting(move || part.append(&bytes).map(|()| part)).await?;
            }
        }
        waiting(move || part.append(&gathered).map(|()| part)).await
    }

    /// Reads on for a moment after a refusal: a browser that cannot send it all does not see the
    /// answer with the reason.
    async fn drain(&mut self, arrival: &mut Arrival) {
        let drained = async {
            while let Ok(Some(piece)) = self.piece().await {
                if arrival.count(piece.len()).is_err() {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(PAUSE, drained).await;
    }

    /// Gives the body, at most `limit` bytes, to `work` while it arrives, on a thread that may
    /// wait.
    ///
    /// # Errors
    /// Those of `work`; as [`piece`](Self::piece); 413 when it is larger, 408 when it trickles.
    pub async fn through<T: Send + 'static>(
        mut self,
        limit: u64,
        work: impl FnOnce(PieceReader) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let mut arrival = Arrival::new(self.announced, limit)?;
        let (pieces, receiver) = mpsc::channel(PIECES);
        let reader = PieceReader { receiver, piece: Bytes::new(), whole: false };
        let working = actix_web::rt::task::spawn_blocking(move || work(reader));
        let arriving = async {
            let mut taken = true;
            while let Some(piece) = self.piece().await? {
                arrival.count(piece.len())?;
                // When it has been refused already, the rest is read all the same: see `drain`.
                taken = taken && pieces.send(Some(piece)).await.is_ok();
            }
            let _ = pieces.send(None).await;
            Ok(())
        };
        let arrived: Result<(), Problem> = arriving.await;
        drop(pieces);
        let worked = working.await.map_err(Problem::stopping)?;
        arrived.and(worked)
    }
}

/// Pieces of an upload that wait for the thread that reads them.
const PIECES: usize = 16;

/// An upload as it arrives, for a thread that may wait.
pub struct PieceReader {
    receiver: mpsc::Receiver<Option<Bytes>>,
    piece: Bytes,
    whole: bool,
}

impl std::io::Read for PieceReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.piece.is_empty() && !self.whole {
            match self.receiver.blocking_recv() {
                Some(Some(piece)) => self.piece = piece,
                Some(None) => self.whole = true,
                None => return Err(std::io::Error::other("the upload broke off")),
            }
        }
        let count = self.piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

/// How much of an upload is here, and whether it comes fast enough.
pub struct Arrival {
    start: Instant,
    limit: u64,
    total: u64,
}

impl Arrival {
    /// Nothing is here yet.
    ///
    /// # Errors
    /// 413 when more than `limit` bytes are announced.
    pub fn new(announced: u64, limit: u64) -> Result<Self, Problem> {
        if announced > limit {
            return Err(too_large(limit));
        }
        Ok(Self { start: Instant::now(), limit, total: 0 })
    }

    /// Counts a piece.
    ///
    /// # Errors
    /// 413 when there are more than the limit, 408 when they trickle.
    pub fn count(&mut self, bytes: usize) -> Result<(), Problem> {
        self.total += bytes as u64;
        if self.total > self.limit {
            return Err(too_large(self.limit));
        }
        let spent = self.start.elapsed().saturating_sub(PAUSE).as_secs();
        if self.total < spent * SLOWEST {
            let total = self.total;
            return Err(too_slow(format!("{total} bytes in {} s", spent + PAUSE.as_secs())));
        }
        Ok(())
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
