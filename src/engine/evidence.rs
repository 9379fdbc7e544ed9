//! What an attempt's upstreams want kept, as files of its job.

use serde_json::json;

use super::Engine;
use crate::job::Job;
use crate::upstream::evidence::Evidence;

/// Keeps the evidence of an attempt. An attempt ends as it ends, whether that works or not; below the
/// floor of free space the room is left to what jobs need.
pub(super) fn keep(engine: &Engine, job: &Job, evidence: Vec<Evidence>) {
    if evidence.is_empty() {
        return;
    }
    if let Err(error) = engine.store.room() {
        tracing::warn!(job = %engine.store.id_of(job), %error, "evidence is not kept");
        return;
    }
    for one in evidence {
        let start = format!("{:02}-{}", job.attempts, one.upstream);
        let about = json!({
            "attempt": job.attempts, "upstream": one.upstream, "url": one.url, "steps": one.steps,
        });
        let about = about.to_string();
        let mut files = vec![(format!("{start}.json"), about.as_bytes())];
        files.extend(one.screenshot.iter().map(|png| (format!("{start}.png"), png.as_slice())));
        files.extend(one.html.iter().map(|html| (format!("{start}.html"), html.as_bytes())));
        if let Err(error) = engine.evidence.put(job.into(), &files) {
            tracing::warn!(job = %engine.store.id_of(job), %error, "evidence could not be kept");
        }
    }
}
