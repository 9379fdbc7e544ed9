//! The evidence of an attempt, as files of its job.

use serde_json::json;

use crate::job::Job;
use crate::store::Store;
use crate::upstream::evidence_capture::Evidence;

/// Keeps the evidence of an attempt. That it fails changes nothing of the attempt; below the
/// floor of free space the room is left to what jobs need.
pub(super) fn keep(store: &Store, job: &Job, evidence: Vec<Evidence>) {
    if evidence.is_empty() {
        return;
    }
    if let Err(error) = store.room() {
        tracing::warn!(job = %store.id_of(job), %error, "evidence is not kept");
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
        if let Err(error) = store.put_evidence(job.into(), &files) {
            tracing::warn!(job = %store.id_of(job), %error, "evidence could not be kept");
        }
    }
}
