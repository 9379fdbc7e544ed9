//! The poll in its plainest form, `GET /jobs/{id}` without a query and without a header that changes
//! the answer, answered before the router. Clients send it more often than all else together, and
//! the way through the router costs as much as the answer itself. Whatever is not exactly that, and
//! every refusal, goes the common way.

use actix_http::{Request, Response};
use actix_web::HttpMessage;
use actix_web::body::BoxBody;
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, IF_NONE_MATCH, ORIGIN, TRANSFER_ENCODING};

use super::jobs::PREFER;
use super::poll::{self, Form};
use super::{State, edge};
use crate::service::JOB_ID_BYTES;

/// What a poll that is not of the plainest form brings.
const OTHER_FORMS: [HeaderName; 4] = [IF_NONE_MATCH, PREFER, ORIGIN, TRANSFER_ENCODING];

/// The answer to a request, where it is the plainest poll of a job that is there.
pub fn answer(state: &State, request: &Request) -> Option<Response<BoxBody>> {
    if request.method() != Method::GET || request.uri().query().is_some() {
        return None;
    }
    let id = request.path().strip_prefix("/jobs/").filter(|id| id.len() == JOB_ID_BYTES)?;
    if OTHER_FORMS.iter().any(|name| request.headers().contains_key(name)) {
        return None;
    }
    let watch = state.traffic.begin();
    let request_id = edge::request_id(request.headers());
    let mut response = poll::answer_unless(&state.service, id, None, Form::Whole).ok()?;
    edge::lay_on(response.headers_mut(), Some(&state.cors), None, request_id);
    state.traffic.count_quick_poll(&watch);
    Some(response.into())
}
