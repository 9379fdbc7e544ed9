//! Keeps the library from draining bodies in chunks that no handler reads to their end: it would
//! read on for as long as the client sends. It closes the connection after the reply instead if the
//! body's reader still exists, so the reader is kept until then.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_http::{Payload, Request, Response};
use actix_web::HttpMessage;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::error::PayloadError;
use actix_web::http::header::TRANSFER_ENCODING;
use actix_web::web::Bytes;
use futures_core::Stream;

/// The reader of a body, shared with the handler.
#[derive(Clone)]
pub(crate) struct DrainGuard(Rc<RefCell<Payload>>);

impl DrainGuard {
    /// Keeps the reader of a body in chunks; a body whose length is announced needs none.
    pub(crate) fn keep(request: &mut Request) -> Option<DrainGuard> {
        request.headers().contains_key(TRANSFER_ENCODING).then(|| {
            let kept = DrainGuard(Rc::new(RefCell::new(request.take_payload())));
            *request.payload() = Payload::Stream { payload: Box::pin(kept.clone()) };
            kept
        })
    }

    /// Keeps the reader for as long as the reply's body exists.
    pub(crate) fn until_sent(
        self,
        response: Response<impl MessageBody + 'static>,
    ) -> Response<BoxBody> {
        response.map_body(|_, body| Answer { body: body.boxed(), _guard: self }.boxed())
    }
}

impl Stream for DrainGuard {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(context)
    }
}

/// A reply's body, and the reader of its request's.
struct Answer {
    body: BoxBody,
    _guard: DrainGuard,
}

impl MessageBody for Answer {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
