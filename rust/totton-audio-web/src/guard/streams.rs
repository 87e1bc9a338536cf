//! An event stream ends with its session, by age too, and whenever another session may
//! have ended: it was let in once, and would go on telling for weeks. A browser that
//! may still come in connects again by itself.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header;
use actix_web::web::Bytes;
use tokio::sync::watch;

/// A body that ends early.
struct Until {
    body: BoxBody,
    end: Pin<Box<dyn Future<Output = ()>>>,
}

impl MessageBody for Until {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_next(context)
    }
}

/// The response; when it is an event stream it ends with the next change of `sessions`,
/// after `left` at the latest.
pub fn end_with(
    mut sessions: watch::Receiver<()>,
    left: Duration,
    response: ServiceResponse<BoxBody>,
) -> ServiceResponse<BoxBody> {
    let kind = response.headers().get(header::CONTENT_TYPE);
    if kind.is_none_or(|kind| kind != "text/event-stream") {
        return response;
    }
    // Either error says no more than that it ends: nobody is left who could change the
    // sessions, or the time is over.
    let end = Box::pin(async move {
        let _ = tokio::time::timeout(left, sessions.changed()).await;
    });
    response.map_body(|_, body| BoxBody::new(Until { body, end }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::HttpResponse;
    use actix_web::test::TestRequest;
    use futures_util::stream;

    /// A stream of events that has nothing to tell and never ends by itself.
    fn open_stream(left: Duration) -> (watch::Sender<()>, BoxBody) {
        let body = stream::pending::<Result<Bytes, std::io::Error>>();
        let response = HttpResponse::Ok().content_type("text/event-stream").streaming(body);
        let response = ServiceResponse::new(TestRequest::default().to_http_request(), response);
        let sender = watch::Sender::new(());
        let ended = end_with(sender.subscribe(), left, response);
        (sender, ended.into_body())
    }

    async fn ends_within(body: BoxBody, limit: Duration) -> bool {
        tokio::time::timeout(limit, actix_web::body::to_bytes(body)).await.is_ok()
    }

    #[actix_web::test]
    async fn a_stream_ends_when_its_session_is_over() {
        let (_sessions, short) = open_stream(Duration::from_millis(20));
        assert!(ends_within(short, Duration::from_secs(10)).await);
        let (_sessions, long) = open_stream(Duration::MAX);
        assert!(!ends_within(long, Duration::from_millis(200)).await);
    }

    #[actix_web::test]
    async fn a_stream_ends_when_sessions_end() {
        let (sessions, body) = open_stream(Duration::MAX);
        sessions.send_replace(());
        assert!(ends_within(body, Duration::from_secs(10)).await);
    }
}
