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
use crate::http::request::call::{Answer, ApiCall, ApiResult, Handler, HandlerError, routed_path};
use crate::http::routes::{self, ROUTES};
use crate::http::state::State;
use crate::http::transport::drain::DrainGuard;
use crate::http::transport::{head, response_headers};
use crate::http::{HEAD_BYTES_MAX, URL_BYTES_MAX};
use crate::service::Caller;

/// Answers a request.
pub(crate) async fn answer(state: Rc<State>, mut request: Request) -> Response<BoxBody> {
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
    let begun = match early_reply(&state, &request, origin.as_ref()) {
        Some(reply) => Err(reply),
        None => {
            route = routes::find(&routed_path(request.uri()));
            let state = Rc::clone(&state);
            span.in_scope(|| begin(route, state, request, &mut caller)).map_err(Err)
        }
    };
    let result = match begun {
        Ok(answer) => answer.instrument(span).await,
        Err(reply) => reply,
    };
    let hours = state.service.retention_hours();
    let mut response = result.unwrap_or_else(|error| error.into_api_error(hours).error_response());
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

/// Begins the work of a route's handler; `caller` becomes whose key the request brought.
fn begin(
    route: Option<usize>,
    state: Rc<State>,
    request: Request,
    caller: &mut Option<Caller>,
) -> Result<Answer, HandlerError> {
    let Some(route) = route.and_then(|at| ROUTES.get(at)) else {
        return Ok(Box::pin(docs::no_route(ApiCall::new(state, request, None))));
    };
    let Some(handler) = route.handler(request.method()) else {
        return Err(ApiError::method(request.method().as_str(), &route.allow).into());
    };
    let call = ApiCall::new(state, request, Some(&route.path));
    match handler {
        Handler::Open(handler) => Ok(handler(call)),
        Handler::Keyed(handler) => {
            let known = auth::caller(&call)?;
            *caller = Some(known.clone());
            Ok(handler(call, known))
        }
    }
}
