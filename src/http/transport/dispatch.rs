//! The one way in: the checks that every request passes, its route, and the headers of every reply.

use std::rc::Rc;

use actix_http::{Request, Response};
use actix_web::body::BoxBody;
use actix_web::http::Method;
use actix_web::http::header::{HeaderValue, ORIGIN};
use actix_web::{HttpMessage, ResponseError};
use tracing::Instrument;

use crate::http::docs;
use crate::http::error::ApiError;
use crate::http::request::auth;
use crate::http::request::call::{ApiCall, ApiResult, Handler};
use crate::http::routes::{self, Found};
use crate::http::transport::drain::DrainGuard;
use crate::http::transport::{head, response_headers};
use crate::http::{HEAD_BYTES_MAX, State, URL_BYTES_MAX};
use crate::service::Caller;

/// Answers a request.
pub async fn answer(state: Rc<State>, mut request: Request) -> Response<BoxBody> {
    let watch = state.traffic.begin();
    let method = request.method().clone();
    let id = response_headers::request_id(request.headers());
    let origin = request.headers().get(ORIGIN).cloned();
    let guard = DrainGuard::keep(&mut request);
    // Never the query: it may hold a prompt and a key.
    let span = tracing::debug_span!(
        "request", id = id.to_str().unwrap_or_default(), %method, path = request.path()
    );
    let (mut route, mut caller) = (None, None);
    let outcome = match early_reply(&state, &request, origin.as_ref()) {
        Some(outcome) => outcome,
        None => {
            let found = routes::find(request.uri());
            route = found.as_ref().map(|found| found.index);
            run(found, Rc::clone(&state), request, &mut caller).instrument(span).await
        }
    };
    let hours = state.service.retention_hours();
    let mut response = outcome.unwrap_or_else(|error| error.into_api_error(hours).error_response());
    state.traffic.count(route, &method, response.status(), &watch);
    if let Some(status) = caller.and_then(|caller| state.service.rate_limit_status(&caller)) {
        response_headers::rate_limit(response.headers_mut(), status);
    }
    response_headers::apply(response.headers_mut(), &state.cors, origin.as_ref(), id);
    if method == Method::HEAD {
        response = head::without_body(response).map_into_boxed_body();
    }
    match guard {
        Some(guard) => guard.until_sent(response.into()),
        None => response.into(),
    }
}

/// Returns the reply to what needs no handler.
fn early_reply(
    state: &State,
    request: &Request,
    origin: Option<&HeaderValue>,
) -> Option<ApiResult> {
    if state.service.is_open()
        && let Err(error) = state.origin.check(request.head())
    {
        return Some(Err(error.into()));
    }
    if let Some(preflight) = state.cors.preflight(request, origin) {
        return Some(Ok(preflight));
    }
    let url_bytes = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if url_bytes > URL_BYTES_MAX {
        return Some(Err(ApiError::url_too_long(url_bytes, URL_BYTES_MAX).into()));
    }
    let headers = request.headers().iter();
    let header_bytes: usize = headers.map(|(name, value)| name.as_str().len() + value.len()).sum();
    (url_bytes + header_bytes > HEAD_BYTES_MAX)
        .then(|| Err(ApiError::head_too_large(HEAD_BYTES_MAX).into()))
}

/// Runs the handler of a route; `caller` becomes whose key the request brought.
async fn run(
    found: Option<Found>,
    state: Rc<State>,
    request: Request,
    caller: &mut Option<Caller>,
) -> ApiResult {
    let Some(Found { route, captures, .. }) = found else {
        return docs::nothing_at(&ApiCall::new(state, request, Vec::new()));
    };
    let Some(handler) = route.handler(request.method()) else {
        return Err(ApiError::method(request.method().as_str(), &route.allow).into());
    };
    let call = ApiCall::new(state, request, captures);
    match handler {
        Handler::Open(handler) => handler(call).await,
        Handler::Keyed(handler) => {
            let known = auth::caller(&call)?;
            *caller = Some(known.clone());
            handler(call, known).await
        }
    }
}
