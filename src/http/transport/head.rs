//! The replies to HEAD: those to GET without their bodies (RFC 9110, section 9.3.2).

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{CONTENT_LENGTH, HeaderValue};
use actix_web::web::Bytes;

/// Takes the body from a reply, and says how long it was if that is known.
pub(crate) fn without_body<B: MessageBody>(reply: HttpResponse<B>) -> HttpResponse<Nothing> {
    let size = reply.body().size();
    let mut reply = reply.map_body(|_, _| Nothing(size));
    if let BodySize::Sized(bytes @ 1..) = size {
        reply.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(bytes));
        // The library forgets that this is a reply to HEAD when the next request is there already,
        // and would miss the bytes of a body of this length.
        reply.head_mut().no_chunking(true);
    }
    reply
}

/// A body of no bytes in the place of one of this size.
pub(crate) struct Nothing(BodySize);

impl MessageBody for Nothing {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        match self.0 {
            // The length is in the header.
            BodySize::Sized(1..) => BodySize::Stream,
            BodySize::Sized(0) => BodySize::Sized(0),
            BodySize::None | BodySize::Stream => BodySize::None,
        }
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}
