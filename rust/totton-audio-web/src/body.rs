//! JSON bodies, limited in size and time.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// A body must be here after so long; one that trickles in holds a connection.
const ARRIVAL: Duration = Duration::from_secs(5);

/// The largest body, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit(pub usize);

/// The JSON body of a request.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limit = request.app_data::<web::Data<BodyLimit>>().map_or(0, |limit| limit.0);
        let announced = request
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .unwrap_or(0);
        let payload = payload.take();
        Box::pin(async move {
            if announced > limit {
                return Err(too_large(limit));
            }
            let body =
                tokio::time::timeout(ARRIVAL, read(payload, limit)).await.map_err(|_| {
                    Problem::new(
                        StatusCode::REQUEST_TIMEOUT,
                        "body-too-slow",
                        "The request did not arrive in time",
                        format!("the body was not complete after {} s", ARRIVAL.as_secs()),
                        "Send the request again.",
                    )
                })??;
            serde_json::from_slice(&body).map(Self).map_err(|error| {
                // Well-formed JSON that does not say what is needed is another fault than bad JSON.
                if error.is_data() {
                    Problem::new(
                        StatusCode::UNPROCESSABLE_ENTITY,
                        "not-accepted",
                        "The request says something that is not accepted",
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
        })
    }
}

async fn read(mut payload: Payload, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "body-broken",
                "The request broke off",
                error.to_string(),
                "Send the request again.",
            )
        })?;
        if body.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn too_large(limit: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body-too-large",
        "The request is too large",
        format!("the body is larger than {limit} bytes"),
        "Send less.",
    )
}
