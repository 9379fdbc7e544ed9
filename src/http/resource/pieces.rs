//! A body that is made piece by piece, each when the connection takes it: nothing is buffered.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use actix_web::{HttpResponse, web};

use crate::http::transport::security_headers;

/// A piece, and the state to make the next one from; without one it is the last.
pub(crate) type Piece<S> = (web::Bytes, Option<S>);

/// The pieces that `next` makes from one state after the other, until it makes none. It is dropped,
/// and nothing goes on, when the reader leaves.
struct PieceBody<S, F> {
    next: fn(S) -> F,
    awaited: Option<Pin<Box<F>>>,
}

/// Returns a stream of Server-Sent Events, as the HTML standard has them, that begins with `state`.
pub(crate) fn event_stream<S, F>(state: S, next: fn(S) -> F) -> HttpResponse
where
    S: 'static,
    F: Future<Output = Option<Piece<S>>> + 'static,
{
    stream("text/event-stream", state, next)
}

/// Returns a stream of pieces that begins with `state`; proxies are asked not to hold them back.
pub(crate) fn stream<S, F>(content_type: &str, state: S, next: fn(S) -> F) -> HttpResponse
where
    S: 'static,
    F: Future<Output = Option<Piece<S>>> + 'static,
{
    HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((security_headers::ACCEL_BUFFERING, "no"))
        .body(PieceBody { next, awaited: Some(Box::pin(next(state))) })
}

impl<S, F: Future<Output = Option<Piece<S>>>> MessageBody for PieceBody<S, F> {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<web::Bytes, Infallible>>> {
        let Some(awaited) = &mut self.awaited else { return Poll::Ready(None) };
        let piece = ready!(awaited.as_mut().poll(context));
        let (text, state) = piece.map_or((None, None), |(text, state)| (Some(text), state));
        let next = self.next;
        self.awaited = state.map(|state| Box::pin(next(state)));
        Poll::Ready(text.map(Ok))
    }
}
