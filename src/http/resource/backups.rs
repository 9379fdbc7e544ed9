//! `GET /backup`: the whole store as it is now, streamed, for `answerd db backup`.

use actix_web::body::BodyStream;
use actix_web::http::header::{CONTENT_TYPE, HeaderName};
use actix_web::{HttpResponse, web};
use uuid::Uuid;

use crate::api::ErrorCode;
use crate::http::error::ApiError;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::transport::security_headers::ACCEL_BUFFERING;
use crate::service::{Backup, Caller};
use crate::store::ResumePoint;

/// The media type of a backup on its way.
pub(crate) const CONTENT: &str = "application/octet-stream";
/// Names the backup, to go on with it.
const BACKUP_ID: HeaderName = HeaderName::from_static("backup-id");

/// Streams a backup, from its begin or from where it broke off.
pub(crate) async fn get(call: ApiCall, caller: Caller) -> ApiResult {
    let resume = call.query()?.iter().find(|(name, _)| name == "resume");
    let resume = resume.map(|(_, given)| resume_point(given)).transpose()?;
    let service = call.service().clone();
    drop(call);
    let begin = move || match resume {
        None => service.back_up(&caller),
        Some(at) => service.resume_backup(&caller, at),
    };
    let backup = web::block(begin).await??;
    let id = backup.id().to_string();
    let body = futures_util::stream::unfold(Some(backup), |backup| async {
        let backup = backup?;
        // The pool refuses only while the process ends, and the connection is cut then.
        let (backup, block) = web::block(move || step(backup)).await.ok()?;
        block.transpose().map(|block| (block.map(web::Bytes::from), backup))
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, CONTENT))
        .insert_header((BACKUP_ID, id))
        // What a proxy holds back is lost with its connection.
        .insert_header((ACCEL_BUFFERING, "no"))
        .body(BodyStream::new(body)))
}

fn resume_point(given: &str) -> Result<ResumePoint, ApiError> {
    let point = given.split_once(':').and_then(|(backup, block)| {
        Some(ResumePoint { backup: Uuid::try_parse(backup).ok()?, block: block.parse().ok()? })
    });
    point.ok_or_else(|| {
        let rule = "the `Backup-Id` of a backup, a colon, and the number of its next block";
        ApiError::invalid(ErrorCode::ResumeInvalid, "resume", rule, given)
    })
}

/// Reads a block. An error cuts the connection, so that a part is not taken for the whole.
fn step(mut backup: Backup) -> (Option<Backup>, Result<Option<Vec<u8>>, ApiError>) {
    match backup.next_block() {
        Ok(block) => (Some(backup), Ok(block)),
        Err(error) => {
            let error = ApiError::from_service(error, 0);
            tracing::warn!(%error, "a backup broke off");
            (None, Err(error))
        }
    }
}
