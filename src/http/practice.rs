//! The practice page over HTTP: `/practice` for browsers, `/practice/stream` for the page's script.

pub(crate) mod state;

use std::collections::VecDeque;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};

use crate::api::ErrorCode;
use crate::clock::Clock;
use crate::http::error::ApiError;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::resource::pieces::{Piece, stream as stream_pieces};
use crate::http::transport::security_headers;
use crate::practice::page::{self, SCRIPT, STYLE};
use state::{PracticeState, Refusal};

/// The wait between two pieces of a streamed answer, milliseconds.
const PIECE_INTERVAL_MS: u64 = 60;
/// What a planned failure asks a client to wait, seconds.
const RETRY_AFTER_SECONDS: &str = "1";

/// Serves `GET /practice`: the form, or with `q` the answer.
pub(crate) async fn show(call: ApiCall) -> ApiResult {
    show_page(&call.state.practice, call.query_string()).await
}

async fn show_page(state: &PracticeState, query: &str) -> ApiResult {
    let (status, page) = match state.answered(query, page::answer_page).await {
        Ok(page) => (StatusCode::OK, page),
        Err(Refusal::QuestionMissing) => (StatusCode::OK, page::form_page()),
        Err(Refusal::QuestionTooLong { chars }) => {
            (StatusCode::BAD_REQUEST, page::too_long_page(chars))
        }
        Err(Refusal::ToldToFail { question }) => {
            let page = page::failure_page(&question);
            let reply = security_headers::html(StatusCode::SERVICE_UNAVAILABLE, page);
            return Ok(with_retry_after(reply));
        }
        Err(Refusal::Stopping(error)) => return Err(error.into()),
    };
    Ok(security_headers::html(status, page))
}

/// Serves `GET /practice/stream?q=`: the answer as lines of JSON, piece by piece.
pub(crate) async fn stream(call: ApiCall) -> ApiResult {
    stream_answer(&call.state.practice, call.query_string()).await
}

async fn stream_answer(state: &PracticeState, query: &str) -> ApiResult {
    match state.answered(query, |_, answer| page::stream_pieces(answer)).await {
        Ok(pieces) => {
            let rest = Rest { pieces: pieces.into(), clock: state.clock.clone(), is_first: true };
            Ok(stream_pieces("application/x-ndjson", rest, next_piece))
        }
        Err(Refusal::QuestionMissing) => Err(ApiError::from(ErrorCode::QuestionMissing).into()),
        Err(Refusal::QuestionTooLong { chars }) => {
            Err(ApiError::new(ErrorCode::QuestionTooLong, page::too_long(chars)).into())
        }
        Err(Refusal::ToldToFail { .. }) => {
            let error = ApiError::from(ErrorCode::PracticeFailure);
            Ok(with_retry_after(error.error_response()))
        }
        Err(Refusal::Stopping(error)) => Err(error.into()),
    }
}

/// Serves `GET /practice.js`.
pub(crate) async fn script(_: ApiCall) -> ApiResult {
    Ok(security_headers::asset("text/javascript; charset=utf-8", SCRIPT))
}

/// Serves `GET /practice.css`.
pub(crate) async fn style(_: ApiCall) -> ApiResult {
    Ok(security_headers::asset("text/css; charset=utf-8", STYLE))
}

fn with_retry_after(mut reply: HttpResponse) -> HttpResponse {
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
    reply
}

/// What is left of an answer that is streamed.
struct Rest {
    pieces: VecDeque<String>,
    clock: Clock,
    is_first: bool,
}

/// The next piece, a short wait after the one before.
async fn next_piece(mut rest: Rest) -> Option<Piece<Rest>> {
    if !rest.is_first {
        let due_ms = rest.clock.now_ms().saturating_add(PIECE_INTERVAL_MS);
        rest.clock.sleep_until(due_ms).await;
    }
    let piece = rest.pieces.pop_front()?;
    Some((piece.into(), Some(Rest { is_first: false, ..rest })))
}

#[cfg(test)]
mod tests;
