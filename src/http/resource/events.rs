//! `GET /jobs/{job_id}/events`: a job's transitions as Server-Sent Events, as the HTML standard
//! has them. One event is made at a time, when the connection takes it; nothing is buffered, and
//! of states that came and went meanwhile only the latest is told. Contract part 2.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use uuid::Uuid;

use super::pieces::{Piece, event_stream};
use crate::api::job_object;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::job::{Job, Reason, State};
use crate::service::{Service, ServiceError};

/// How often a silent stream shows that it is alive, milliseconds.
const KEEP_ALIVE_MS: u64 = 15_000;
const KEEP_ALIVE: &str = ": keep-alive\n\n";

/// Streams from the present state of the job until it has ended. `Last-Event-ID` leaves out what
/// the client has seen.
pub(crate) async fn stream(call: ApiCall) -> ApiResult {
    let (id, service) = (call.path_parameter("job_id"), call.service().clone());
    // One that is not ours is as good as none.
    let last = call.headers().get("last-event-id");
    let seen = last.and_then(|last| last.to_str().ok()).and_then(|last| last.trim().parse().ok());
    let looked = service.job(&id, |job, _, _| {
        job.state.finished() && seen.is_some_and(|seen| job.revision() <= seen)
    });
    if looked.await? {
        // Tells an EventSource not to connect again.
        return Ok(HttpResponse::NoContent().finish());
    }
    Ok(event_stream(WatchedJob { service, id, seen }, next))
}

/// A job whose changes are told.
struct WatchedJob {
    service: Arc<Service>,
    id: String,
    /// The revision that was told last.
    seen: Option<u64>,
}

/// Waits for the next event, or for the time of a keep-alive; `None` when there is nothing more to
/// tell: the job is gone, or the service stops and the client has to connect again.
async fn next(watch: WatchedJob) -> Option<Piece<WatchedJob>> {
    let WatchedJob { service, id, seen } = watch;
    let until_ms = service.now_ms().saturating_add(KEEP_ALIVE_MS);
    let change = service
        .next_change(&id, seen, until_ms, |job, uuid| {
            (event(job, uuid), job.revision(), job.state.finished())
        })
        .await;
    let (text, seen, last) = match change {
        Ok(Some((text, revision, last))) => (text.into(), Some(revision), last),
        Ok(None) => (web::Bytes::from_static(KEEP_ALIVE.as_bytes()), seen, false),
        Err(ServiceError::JobNotFound | ServiceError::Stopping) => return None,
        Err(error) => {
            tracing::warn!(?error, "a stream of events ended early");
            return None;
        }
    };
    Some((text, (!last).then_some(WatchedJob { service, id, seen })))
}

/// One event: its number, its name, and the job object without the result.
fn event(job: &Job, id: Uuid) -> Vec<u8> {
    let mut text = format!("id: {}\nevent: {}\ndata: ", job.revision(), name(&job.state));
    // JSON on one line: line breaks in strings are escaped.
    text.push_str(&String::from_utf8_lossy(&job_object(job, id, None)));
    text.push_str("\n\n");
    text.into_bytes()
}

fn name(state: &State) -> &'static str {
    match state {
        State::Queued => "queued",
        State::Running => "running",
        State::WaitingRetry { .. } => "retry",
        State::Done => "done",
        State::Failed(failure) if failure.reason == Reason::Canceled => "canceled",
        State::Failed(_) => "failed",
    }
}
