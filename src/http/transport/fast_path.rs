//! What clients send more often than all else together, answered before the router: the plainest poll,
//! `GET /jobs/{id}`, with no query or `wait` alone, and the plainest submit,
//! `POST /scrapers/{scraper}/jobs`, both without a header that only the router's way looks at. That way
//! costs as much as a poll's answer, and what waits there holds all of its request meanwhile. Whatever
//! is not exactly that, and every refusal of a poll that does not wait, goes it.

use std::pin::Pin;
use std::rc::Rc;

use actix_http::{Request, Response};
use actix_web::body::BoxBody;
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue, IF_NONE_MATCH, ORIGIN};
use actix_web::{HttpMessage, HttpResponse, ResponseError};
use tracing::Instrument;

use crate::http::State;
use crate::http::URL_BYTES_MAX;
use crate::http::error::ApiError;
use crate::http::request::auth;
use crate::http::request::params;
use crate::http::resource::jobs::{self, PREFER};
use crate::http::resource::poll::{self, Form};
use crate::http::resource::scrapers;
use crate::http::transport::middleware;
use crate::service::{Caller, JOB_ID_BYTES};

/// What a poll that is not of the plainest form brings.
const OTHER_POLLS: [HeaderName; 3] = [IF_NONE_MATCH, PREFER, ORIGIN];
/// The most digits in the `wait` of a plain poll.
const WAIT_DIGITS_MAX: usize = 2;

/// How a request is answered.
pub enum Way<C> {
    /// It was a poll that does not wait, or one that no page may send.
    Answered(Response<BoxBody>),
    /// It is a poll that waits, or a submit.
    Begun(Pin<Box<dyn Future<Output = Response<BoxBody>>>>),
    /// Through the router.
    Common(C),
}

/// The way of a request; `common` is that through the router.
pub fn way<C>(state: &Rc<State>, request: Request, common: impl FnOnce(Request) -> C) -> Way<C> {
    if state.service.is_open()
        && let Err(error) = state.origin.check(request.head())
    {
        return Way::Answered(refuse(state, &request, &error));
    }
    if let Some(id) = polled(&request) {
        match request.uri().query() {
            None => {
                if let Some(response) = poll(state, &request, id) {
                    return Way::Answered(response);
                }
            }
            Some(query) => {
                if let Some(wait_ms) = plain_wait_ms(query) {
                    let request_id = middleware::request_id(request.headers());
                    let waits = long_poll(state.clone(), id.to_owned(), wait_ms, request_id);
                    return Way::Begun(Box::pin(waits));
                }
            }
        }
    }
    if is_plain_submit(&request) {
        Way::Begun(Box::pin(submit(state.clone(), request)))
    } else {
        Way::Common(common(request))
    }
}

/// The answer to a request that goes no further.
fn refuse(state: &State, request: &Request, error: &ApiError) -> Response<BoxBody> {
    let watch = state.traffic.begin();
    let request_id = middleware::request_id(request.headers());
    let origin = request.headers().get(ORIGIN);
    let mut response = error.error_response();
    middleware::apply_headers(response.headers_mut(), Some(&state.cors), origin, request_id);
    state.traffic.count_unrouted(request.method(), response.status(), &watch);
    response.into()
}

/// The id in the path of a plain poll.
fn polled(request: &Request) -> Option<&str> {
    let id = request.path().strip_prefix("/jobs/").filter(|id| id.len() == JOB_ID_BYTES)?;
    let plain = OTHER_POLLS.iter().all(|name| !request.headers().contains_key(name));
    (request.method() == Method::GET && plain).then_some(id)
}

/// The answer to a plain poll, where its job is there.
fn poll(state: &State, request: &Request, id: &str) -> Option<Response<BoxBody>> {
    let watch = state.traffic.begin();
    let request_id = middleware::request_id(request.headers());
    let mut response = poll::answer_unless(&state.service, id, None, Form::Whole).ok()?;
    middleware::apply_headers(response.headers_mut(), Some(&state.cors), None, request_id);
    state.traffic.count_quick_poll(response.status(), &watch);
    Some(response.into())
}

/// How long a query asks to wait that asks for nothing else, milliseconds.
fn plain_wait_ms(query: &str) -> Option<u64> {
    let seconds = query.strip_prefix("wait=")?;
    let digits = seconds.len() <= WAIT_DIGITS_MAX && seconds.bytes().all(|b| b.is_ascii_digit());
    let seconds = seconds.parse::<u32>().ok().filter(|_| digits)?;
    (f64::from(seconds) <= jobs::WAIT_SECONDS_MAX).then_some(u64::from(seconds) * 1_000)
}

/// The answer to a plain poll that waits. Its request is dropped before: nobody needs its buffers
/// meanwhile, and there may be thousands.
async fn long_poll(
    state: Rc<State>,
    id: String,
    wait_ms: u64,
    request_id: HeaderValue,
) -> Response<BoxBody> {
    let watch = state.traffic.begin();
    let outcome = match state.service.wait_for_end(&id, wait_ms).await {
        Ok(()) => poll::answer_unless(&state.service, &id, None, Form::Whole),
        Err(error) => Err(error),
    };
    let refused = |error| jobs::refused(&state.service, error).error_response();
    let mut response = outcome.unwrap_or_else(refused);
    state.traffic.count_quick_poll(response.status(), &watch);
    middleware::apply_headers(response.headers_mut(), Some(&state.cors), None, request_id);
    response.into()
}

fn is_plain_submit(request: &Request) -> bool {
    let target_bytes = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    request.method() == Method::POST
        && submitted_to(request.path()).is_some()
        && target_bytes <= URL_BYTES_MAX
        && !request.headers().contains_key(ORIGIN)
}

/// The scraper in the path of a submit that needs no decoding.
fn submitted_to(path: &str) -> Option<&str> {
    let scraper = path.strip_prefix("/scrapers/")?.strip_suffix("/jobs")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (!scraper.is_empty() && scraper.bytes().all(plain)).then_some(scraper)
}

/// The answer to a plain submit: what [`middleware::wrap`] does around [`scrapers::submit`], without what
/// no plain submit needs.
async fn submit(state: Rc<State>, mut request: Request) -> Response<BoxBody> {
    let watch = state.traffic.begin();
    let id = middleware::request_id(request.headers());
    let span = middleware::span(&id, request.method(), request.path());
    let (outcome, caller) = submit_outcome(&state, &mut request).instrument(span).await;
    let mut response = outcome.unwrap_or_else(|error| error.error_response());
    state.traffic.count_quick_submit(response.status(), &watch);
    if let Some(status) = caller.and_then(|caller| state.service.rate_limit_status(&caller)) {
        middleware::rate_limit(response.headers_mut(), status);
    }
    middleware::apply_headers(response.headers_mut(), Some(&state.cors), None, id);
    response.into()
}

/// What has become of a submit, and who has sent it.
async fn submit_outcome(
    state: &State,
    request: &mut Request,
) -> (Result<HttpResponse, ApiError>, Option<Caller>) {
    let payload = request.take_payload();
    let headers = request.headers();
    let query = params::pairs(request.uri().query().unwrap_or_default());
    let caller = auth::caller(&state.service, headers, request.peer_addr(), query.as_ref());
    let caller = match caller {
        Ok(caller) => caller,
        Err(error) => return (Err(error), None),
    };
    let scraper = submitted_to(request.path()).unwrap_or_default();
    let (service, limits) = (&state.service, &state.limits);
    let outcome = scrapers::accept(service, limits, &caller, scraper, query, headers, payload);
    (outcome.await, Some(caller))
}
