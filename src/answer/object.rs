//! The job object of contract 1.7, written field by field in its order, the result's bytes as the
//! store has them; and the batch object.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::{UnixMs, rfc3339_seconds};
use crate::job::{Batch, Failure, Job, State};

/// The job object as JSON.
pub fn job_object(job: &Job, id: Uuid, result: Option<&[u8]>) -> Vec<u8> {
    let result_bytes = result.map_or(0, <[u8]>::len);
    let mut json = Vec::with_capacity(512 + job.request.prompt.len() + result_bytes);
    json.push(b'{');
    field(&mut json, "job_id", Some(&id.to_string()));
    field(&mut json, "status", Some(job.state.status()));
    field(&mut json, "scraper", Some(&job.request.scraper));
    field(&mut json, "prompt", Some(&job.request.prompt));
    field(&mut json, "country", Some(&job.request.country));
    if let Some(result) = result {
        name(&mut json, "result");
        json.extend_from_slice(result);
    }
    if let State::Failed(failure) = &job.state {
        field(&mut json, "error", Some(&failure.sentence));
    }
    field(&mut json, "created_at", Some(&rfc3339_seconds(job.created_ms)));
    field(&mut json, "completed_at", time(job.completed_ms).as_deref());
    // What answerd adds stands behind what clients of the contract know.
    field(&mut json, "phase", Some(phase(&job.state)));
    name(&mut json, "attempts");
    json.extend_from_slice(job.attempts.to_string().as_bytes());
    field(&mut json, "started_at", time(job.started_ms).as_deref());
    field(&mut json, "expires_at", Some(&rfc3339_seconds(job.expires_ms)));
    field(&mut json, "label", job.label.as_deref());
    field(&mut json, "error_code", last_failure(&job.state).map(|last| last.reason.code()));
    if let Some(batch) = job.batch {
        field(&mut json, "batch_id", Some(&batch.id.to_string()));
    }
    json.push(b'}');
    json
}

/// The batch object of contract part 2, without its items.
pub fn batch_object(batch: &Batch) -> Value {
    json!({
        "batch_id": batch.key.id.to_string(),
        "status": if batch.ended.completed_ms.is_some() { "done" } else { "pending" },
        "label": batch.label,
        "created_at": rfc3339_seconds(batch.created_ms),
        "completed_at": time(batch.ended.completed_ms),
        "expires_at": rfc3339_seconds(batch.expires_ms),
        "counts": {
            "items": batch.items,
            "refused": batch.refused.len(),
            "pending": batch.pending(),
            "done": batch.ended.done,
            "failed": batch.ended.failed,
        },
    })
}

/// Where a job stands, finer than its status (contract part 2).
pub fn phase(state: &State) -> &'static str {
    match state {
        State::Queued => "queued",
        State::Running => "running",
        State::WaitingRetry { .. } => "waiting_retry",
        State::Done | State::Failed(_) => "finished",
    }
}

/// Why the job failed, or its latest attempt while it waits for the next.
pub fn last_failure(state: &State) -> Option<&Failure> {
    match state {
        State::WaitingRetry { last } | State::Failed(last) => Some(last),
        State::Queued | State::Running | State::Done => None,
    }
}

fn time(at_ms: Option<UnixMs>) -> Option<String> {
    at_ms.map(rfc3339_seconds)
}

fn name(json: &mut Vec<u8>, name: &str) {
    if json.len() > 1 {
        json.push(b',');
    }
    json.push(b'"');
    json.extend_from_slice(name.as_bytes());
    json.extend_from_slice(b"\":");
}

fn field(json: &mut Vec<u8>, field: &str, value: Option<&str>) {
    name(json, field);
    match value {
        // Writing a string to a vector cannot fail.
        Some(value) => drop(serde_json::to_writer(json, value)),
        None => json.extend_from_slice(b"null"),
    }
}
