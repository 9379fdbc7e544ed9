//! What the calls of an attempt have used, on its way into sums and the store.

use super::state::Engine;
use crate::job::{AttemptCall, Job, Reason, usd_text};
use crate::store::NewAttemptEnd;
use crate::upstream::{EndedCalls, UpstreamError};

/// Checks that a job's key may cost more today.
///
/// # Errors
/// Returns an error if it has spent its cap.
pub(super) fn check_cap(engine: &Engine, job: &Job) -> Result<(), UpstreamError> {
    let now_ms = engine.context.clock.now_ms();
    engine.ledger.check(&job.account, now_ms).map_err(|reached| {
        let cap = usd_text(reached.cap_nanos);
        let sentence = format!("The key has spent its `usd_per_day` of {cap} USD for today (UTC).");
        UpstreamError::new(Reason::KeyAtLimit, sentence).retry_after_ms(Some(reached.wait_ms))
    })
}

/// Adds what calls have cost to the day of the job's account, and has the models written that have
/// changed. Returns the calls, which are to be kept with the attempt.
pub(super) fn note(engine: &Engine, job: &Job, ended: EndedCalls) -> Vec<AttemptCall> {
    let EndedCalls { calls, models } = ended;
    for call in &calls {
        let nanos = call.usage.cost.map_or(0, |cost| cost.nano_usd);
        engine.ledger.add(&job.account, call.ended_ms, nanos);
    }
    for (upstream, seen) in models {
        tracing::info!(upstream, model = seen.model, "an upstream answers with another model");
        // It is written on the side; what fails with the store is logged there.
        drop(engine.context.store.note_model(upstream, seen));
    }
    calls
}

/// Keeps what calls have used whose job did not wait for them: the provider bills them.
pub(super) fn note_late(engine: &Engine, job: &Job, ended: Option<NewAttemptEnd>) {
    if let Some(ended) = ended.filter(|ended| ended.end.used().next().is_some()) {
        drop(engine.context.store.note_attempt(job.row, ended));
    }
}
