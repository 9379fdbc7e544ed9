//! The result of an attempt, rendered and measured by its job's tracker.

use std::time::Duration;

use uuid::Uuid;

use super::state::Engine;
use crate::answer::{self, Answer, ResultFacts};
use crate::job::Job;
use crate::measure::{annotated, measure};
use crate::store::{Blocking, NewObservation, NewResult, StoreError, request_hash};
use crate::upstream::AnsweredBy;

/// Renders an answer as the result of a job. Returns with it what its tracker measures, if any.
pub(super) fn render(
    engine: &Engine,
    job: &Job,
    id: Uuid,
    answer: &Answer,
    by: &AnsweredBy,
    elapsed: Duration,
) -> (NewResult, Option<NewObservation>) {
    let settings = &engine.settings;
    let facts = ResultFacts {
        request: &job.request,
        job_id: &id.to_string(),
        public_url: &settings.public_url,
        credits_used: job.price,
        elapsed_ms: elapsed.as_secs_f64() * 1000.0,
        upstream: &by.upstream,
        kind: by.kind,
        model_asked: by.model_asked.as_deref(),
        has_extras: settings.extra_arrays,
    };
    let (json, observation) = measured(engine, job, id, answer::render(answer, &facts));
    let cache_hash = (settings.cache_ttl_ms > 0).then(|| request_hash(&job.request));
    (NewResult { json, cache_hash }, observation)
}

/// Returns a result with the mentions of the brands of its job's tracker, and what is counted of
/// them; the result alone where the job has no tracker, or that is gone.
fn measured(
    engine: &Engine,
    job: &Job,
    id: Uuid,
    json: Vec<u8>,
) -> (Vec<u8>, Option<NewObservation>) {
    let Some(name) = &job.track else { return (json, None) };
    match observation(engine, job, id, name, &json) {
        Ok(Some(new)) => (annotated(json, &new.tracker, new.version, &new.measured), Some(new)),
        Ok(None) => (json, None),
        Err(error) => {
            // The answer is worth more than its measure.
            tracing::error!(job = %id, %error, "an answer could not be measured");
            (json, None)
        }
    }
}

fn observation(
    engine: &Engine,
    job: &Job,
    job_id: Uuid,
    name: &str,
    json: &[u8],
) -> Result<Option<NewObservation>, StoreError> {
    let Some(tracker) = engine.context.store.tracker(&job.account, name).wait()? else {
        return Ok(None);
    };
    let measured = measure(json, &tracker.brands, &tracker.brands.matcher());
    Ok(measured.map(|measured| NewObservation {
        tracker: tracker.name,
        tracker_id: tracker.id,
        version: tracker.version,
        job_id,
        measured,
    }))
}
