//! `GET /backup`: the whole store as it is now, streamed, for `answerd db backup`.

use actix_web::body::BodyStream;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};

use crate::http::error::ApiError;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::service::{Backup, Caller, ServiceError};

/// The media type of a backup on its way.
pub(crate) const CONTENT: &str = "application/octet-stream";

/// Streams a backup.
pub(crate) async fn get(call: ApiCall, caller: Caller) -> ApiResult {
    let service = call.service().clone();
    drop(call);
    let backup = web::block(move || service.back_up(&caller)).await??;
    let body = futures_util::stream::unfold(Some(backup), |backup| async {
        let backup = backup?;
        // The pool refuses only while the process ends, and the connection is cut then.
        let (backup, block) = web::block(move || step(backup)).await.ok()?;
        block.transpose().map(|block| (block.map(web::Bytes::from), backup))
    });
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, CONTENT)).body(BodyStream::new(body)))
}

/// Reads a block. An error cuts the connection, so that a part is not taken for the whole.
fn step(mut backup: Backup) -> (Option<Backup>, Result<Option<Vec<u8>>, ApiError>) {
    match backup.next_block() {
        Ok(block) => (Some(backup), Ok(block)),
        Err(error) => {
            tracing::warn!(%error, "a backup broke off");
            (None, Err(ApiError::from_service(ServiceError::Store(error), 0)))
        }
    }
}
