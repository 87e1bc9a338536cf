//! An event stream ends when a session may have ended: it was let in once, and
//! would go on telling for hours. A browser that may still come in connects again
//! by itself.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

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

/// The response; when it is an event stream it ends with the next change of `sessions`.
pub fn end_with(
    mut sessions: watch::Receiver<()>,
    response: ServiceResponse<BoxBody>,
) -> ServiceResponse<BoxBody> {
    let kind = response.headers().get(header::CONTENT_TYPE);
    if kind.is_none_or(|kind| kind != "text/event-stream") {
        return response;
    }
    // An error says that nobody is left who could change them.
    let end = Box::pin(async move {
        let _ = sessions.changed().await;
    });
    response.map_body(|_, body| BoxBody::new(Until { body, end }))
}
