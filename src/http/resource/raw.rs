//! `GET /jobs/{id}/raw`: what upstreams have sent. Takes the key that made the job, because a reply
//! may tell more than its answer.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};

use crate::http::request::call::{ApiCall, ApiResult};
use crate::service::Caller;

/// Returns the raw replies of a job's attempt, as they are stored.
pub(crate) async fn get(call: ApiCall, caller: Caller) -> ApiResult {
    let (service, id) = (call.service().clone(), call.path_parameter("job_id"));
    let json = web::block(move || service.raw(&caller, &id)).await??;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(json))
}
