//! `GET /openapi.json`: the API as an OpenAPI document. No key: nothing in it differs from one
//! service to the next.

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;

use crate::http::request::call::{ApiCall, ApiResult};

/// Returns the document.
pub(crate) async fn get(call: ApiCall) -> ApiResult {
    let text = call.state.document.text.as_str();
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(text))
}
