//! Request bodies: read within the limits on their size, on the time that they take, and on what
//! all of them may hold together; large ones are parsed off the event loop.

use std::future::poll_fn;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use actix_web::web;
use futures_core::Stream;

use crate::api::ErrorCode;
use crate::http::error::ApiError;
use crate::service::ServiceError;

/// The longest a client may take to send a body, seconds.
const BODY_SECONDS_MAX: u64 = 30;
/// How many of the largest bodies may be held at once.
const LARGEST_BODIES_MAX: usize = 8;
/// Bodies up to this are parsed where they are read, bytes.
const INLINE_BYTES_MAX: usize = 64 << 10;

/// The memory that the bodies of all requests may hold together.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    bytes_max: usize,
    held: Arc<AtomicUsize>,
}

impl Budget {
    /// Creates a budget with room for some bodies of the largest size.
    pub(crate) fn new(body_bytes_max: usize) -> Budget {
        let bytes_max = body_bytes_max.saturating_mul(LARGEST_BODIES_MAX);
        Budget { bytes_max, held: Arc::default() }
    }
}

/// A body in memory, counted in the budget until it is dropped.
#[derive(Debug)]
pub(crate) struct Body {
    bytes: Vec<u8>,
    counted: usize,
    budget: Budget,
}

impl Body {
    fn new(budget: &Budget) -> Body {
        Body { bytes: Vec::new(), counted: 0, budget: budget.clone() }
    }

    /// Adds a piece.
    ///
    /// # Errors
    /// Returns an error if all bodies together would be too large then.
    fn add(&mut self, piece: &[u8]) -> Result<(), ApiError> {
        let before = self.budget.held.fetch_add(piece.len(), Ordering::Relaxed);
        self.counted += piece.len();
        if before.saturating_add(piece.len()) > self.budget.bytes_max {
            return Err(ApiError::bodies_full(self.budget.bytes_max));
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.counted, Ordering::Relaxed);
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads the whole body of a request with these headers.
///
/// # Errors
/// Returns an error if it is larger than `bytes_max`, broken, or too slow, or if the budget is used
/// up.
pub(crate) async fn read(
    headers: &HeaderMap,
    payload: Payload,
    bytes_max: usize,
    budget: &Budget,
) -> Result<Body, ApiError> {
    let mut body = Body::new(budget);
    if matches!(payload, Payload::None) {
        // Nothing to wait for, and so nothing that needs a timer.
        return Ok(body);
    }
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > bytes_max) {
        return Err(ApiError::body_too_large(bytes_max));
    }
    let read = collect(payload, bytes_max, &mut body);
    match tokio::time::timeout(Duration::from_secs(BODY_SECONDS_MAX), read).await {
        Ok(outcome) => outcome.map(|()| body),
        Err(_) => Err(ApiError::new(
            ErrorCode::BodyTimeout,
            format!("The request's body must arrive within {BODY_SECONDS_MAX} seconds."),
        )),
    }
}

async fn collect(mut payload: Payload, bytes_max: usize, body: &mut Body) -> Result<(), ApiError> {
    while let Some(piece) = poll_fn(|context| Pin::new(&mut payload).poll_next(context)).await {
        let piece = piece.map_err(|_| {
            ApiError::new(
                ErrorCode::BodyInvalid,
                "The request's body must be complete and correctly encoded; it ended early or its \
                 chunks are malformed.",
            )
        })?;
        if body.len().saturating_add(piece.len()) > bytes_max {
            return Err(ApiError::body_too_large(bytes_max));
        }
        body.add(&piece)?;
    }
    Ok(())
}

/// Parses a body; a large one on a thread that may take its time. Returns it too, because what was
/// read of it holds about as much until it is dropped.
///
/// # Errors
/// Returns the error of `parse`.
pub(crate) async fn parsed<T: Send + 'static>(
    body: Body,
    parse: impl FnOnce(&[u8]) -> Result<T, ApiError> + Send + 'static,
) -> Result<(T, Body), ApiError> {
    if body.len() <= INLINE_BYTES_MAX {
        return parse(&body).map(|parsed| (parsed, body));
    }
    let work = web::block(move || parse(&body).map(|parsed| (parsed, body)));
    // The pool refuses only while the process ends.
    work.await.unwrap_or_else(|_| Err(ApiError::from_service(ServiceError::Stopping, 0)))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn held(budget: &Budget) -> usize {
        budget.held.load(Ordering::Relaxed)
    }

    #[test]
    fn a_large_body_is_parsed_off_the_event_loop_and_counted_meanwhile() {
        actix_web::rt::System::new().block_on(async {
            let budget = Budget::new(1 << 20);
            for (bytes, same_thread) in [(INLINE_BYTES_MAX, true), (INLINE_BYTES_MAX + 1, false)] {
                let mut body = Body::new(&budget);
                body.add(&vec![b' '; bytes]).unwrap();
                let parse = |body: &[u8]| Ok((thread::current().id(), body.len()));
                let ((parser, length), body) = parsed(body, parse).await.unwrap();
                assert_eq!((parser == thread::current().id(), length), (same_thread, bytes));
                assert_eq!(held(&budget), bytes);
                drop(body);
                assert_eq!(held(&budget), 0);
            }
        });
    }

    #[test]
    fn the_budget_is_that_of_all_bodies() {
        let budget = Budget::new(10);
        let mut first = Body::new(&budget);
        first.add(&[0; 80]).unwrap();
        let mut second = Body::new(&budget);
        let error = second.add(&[0]).unwrap_err();
        assert_eq!((error.code, error.retry_after_seconds), (ErrorCode::BodiesFull, Some(2)));
        drop(first);
        second.add(&[0; 79]).unwrap();
        drop(second);
        assert_eq!(held(&budget), 0);
    }
}
