//! The practice page over HTTP: `/practice` for browsers and for the practice upstream,
//! `/practice/stream` for the page's script. The settings make it slow, failing or long-winded.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::error::BlockingError;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError, web};

use crate::api::ErrorCode;
use crate::clock::Clock;
use crate::config::file::Practice;
use crate::http::error::ApiError;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::transport::security_headers;
use crate::practice::page::{self, SCRIPT, STYLE};
use crate::practice::{Engine, PracticeAnswer, QUESTION_CHARS_MAX};

/// The wait between two pieces of a streamed answer, milliseconds.
const PIECE_INTERVAL_MS: u64 = 60;
/// Answers filled up to more than this are written off the event loop, bytes.
const INLINE_BYTES_MAX: usize = 64 << 10;
/// What a told failure asks a client to wait, seconds.
const RETRY_AFTER_SECONDS: &str = "1";

/// What the handlers share.
pub struct PracticeState {
    engine: Arc<Engine>,
    settings: Practice,
    clock: Clock,
    /// Questions asked so far; which of them fail follows from it.
    asked: AtomicU64,
}

impl PracticeState {
    pub fn new(engine: Arc<Engine>, settings: Practice, clock: Clock) -> PracticeState {
        PracticeState { engine, settings, clock, asked: AtomicU64::new(0) }
    }

    /// Counts a question and says whether it is one of those that fail: of every hundred in a row
    /// exactly `failure_percent`, spread evenly.
    fn fails(&self) -> bool {
        let percent = u64::from(self.settings.failure_percent.min(100));
        let before = self.asked.fetch_add(1, Ordering::Relaxed) % 100;
        (before + 1) * percent / 100 != before * percent / 100
    }

    async fn wait(&self) {
        if self.settings.latency_ms > 0 {
            let until_ms = self.clock.now_ms().saturating_add(self.settings.latency_ms);
            self.clock.sleep_until(until_ms).await;
        }
    }

    /// Answers and renders; a large answer on a thread that may take its time.
    async fn answered<T: Send + 'static>(
        &self,
        question: String,
        render: fn(&str, &PracticeAnswer) -> T,
    ) -> Result<T, BlockingError> {
        let (engine, bytes) = (self.engine.clone(), self.settings.payload_bytes);
        let work = move || render(&question, &engine.answer(&question, bytes));
        if bytes <= INLINE_BYTES_MAX { Ok(work()) } else { web::block(work).await }
    }
}

/// `GET /practice`: the form, or with `q` the answer.
pub async fn show(call: ApiCall) -> ApiResult {
    show_page(&call.state.practice, call.query_string()).await
}

async fn show_page(state: &PracticeState, query: &str) -> ApiResult {
    let question = match Question::of(query) {
        Question::Asked(question) => question,
        Question::Missing => return Ok(security_headers::html(StatusCode::OK, page::form_page())),
        Question::TooLong { chars } => {
            return Ok(security_headers::html(StatusCode::BAD_REQUEST, page::too_long_page(chars)));
        }
    };
    let fails = state.fails();
    state.wait().await;
    if fails {
        let page = page::failure_page(&question);
        return Ok(with_retry_after(security_headers::html(StatusCode::SERVICE_UNAVAILABLE, page)));
    }
    let page = state.answered(question, page::answer_page).await?;
    Ok(security_headers::html(StatusCode::OK, page))
}

/// `GET /practice/stream?q=`: the answer as lines of JSON, piece by piece.
pub async fn stream(call: ApiCall) -> ApiResult {
    stream_answer(&call.state.practice, call.query_string()).await
}

async fn stream_answer(state: &PracticeState, query: &str) -> ApiResult {
    let question = match Question::of(query) {
        Question::Asked(question) => question,
        Question::Missing => {
            return Err(ApiError::from(ErrorCode::QuestionMissing).into());
        }
        Question::TooLong { chars } => {
            return Err(ApiError::new(ErrorCode::QuestionTooLong, page::too_long(chars)).into());
        }
    };
    let fails = state.fails();
    state.wait().await;
    if fails {
        return Ok(with_retry_after(ApiError::from(ErrorCode::PracticeFailure).error_response()));
    }
    let pieces = state.answered(question, |_, answer| page::stream_pieces(answer)).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson")
        .insert_header((security_headers::ACCEL_BUFFERING, "no"))
        .body(Pieces { pieces: pieces.into(), clock: state.clock.clone(), wait: None }))
}

/// `GET /practice.js`
pub async fn script(_: ApiCall) -> ApiResult {
    Ok(security_headers::asset("text/javascript; charset=utf-8", SCRIPT))
}

/// `GET /practice.css`
pub async fn style(_: ApiCall) -> ApiResult {
    Ok(security_headers::asset("text/css; charset=utf-8", STYLE))
}

fn with_retry_after(mut reply: HttpResponse) -> HttpResponse {
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
    reply
}

/// The parameter `q` of a request.
enum Question {
    Asked(String),
    /// Not there, or blank.
    Missing,
    TooLong {
        chars: usize,
    },
}

impl Question {
    fn of(query: &str) -> Question {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let given = pairs.find(|(name, _)| name == "q").map(|(_, value)| value);
        let Some(question) = given.filter(|question| !question.trim().is_empty()) else {
            return Question::Missing;
        };
        let chars = question.chars().count();
        if chars > QUESTION_CHARS_MAX {
            return Question::TooLong { chars };
        }
        // No page can show U+0000.
        Question::Asked(question.replace('\0', "\u{fffd}"))
    }
}

/// A body that sends its pieces with a short wait between them; it is dropped, and nothing goes on,
/// when the reader leaves.
struct Pieces {
    pieces: VecDeque<String>,
    clock: Clock,
    wait: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<web::Bytes, Infallible>>> {
        if let Some(wait) = &mut self.wait
            && wait.as_mut().poll(context).is_pending()
        {
            return Poll::Pending;
        }
        let piece = self.pieces.pop_front();
        let clock = self.clock.clone();
        self.wait = Some(Box::pin(async move {
            clock.sleep_until(clock.now_ms().saturating_add(PIECE_INTERVAL_MS)).await;
        }));
        Poll::Ready(piece.map(|piece| Ok(piece.into())))
    }
}

#[cfg(test)]
mod tests;
