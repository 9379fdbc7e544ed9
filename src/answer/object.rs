//! The job object of contract 1.7, written field by field in its order, the result's bytes as the
//! store has them.

use uuid::Uuid;

use crate::clock::{UnixMs, rfc3339_ascii};
use crate::job::{Failure, Job, State, UpstreamUsage, usd_text};

/// The job object as JSON.
pub fn job_object(job: &Job, id: Uuid, result: Option<&[u8]>) -> Vec<u8> {
    job_object_with(job, id, result, None)
}

/// Returns the job object as JSON, with what its attempts have used where that is known.
pub fn job_object_with(
    job: &Job,
    id: Uuid,
    result: Option<&[u8]>,
    usage: Option<&UpstreamUsage>,
) -> Vec<u8> {
    let result_bytes = result.map_or(0, <[u8]>::len);
    let mut json = Writer(Vec::with_capacity(640 + job.request.prompt.len() + result_bytes));
    json.plain("job_id", id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    json.plain("status", job.state.status());
    json.text("scraper", Some(&job.request.scraper));
    json.text("prompt", Some(&job.request.prompt));
    json.text("country", Some(&job.request.country));
    if let Some(result) = result {
        json.value("result", result);
    }
    if let State::Failed(failure) = &job.state {
        json.text("error", Some(&failure.sentence));
    }
    json.time("created_at", Some(job.created_ms));
    json.time("completed_at", job.completed_ms);
    // What answerd adds stands behind what clients of the contract know.
    json.plain("phase", phase(&job.state));
    json.value("attempts", job.attempts.to_string().as_bytes());
    json.time("started_at", job.started_ms);
    json.time("expires_at", Some(job.expires_ms));
    json.text("label", job.label.as_deref());
    json.text("error_code", last_failure(&job.state).map(|last| last.reason.code()));
    if let Some(batch) = job.batch {
        json.plain("batch_id", batch.id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    }
    if let Some(usage) = usage {
        json.value("usage", &usage_object(usage));
    }
    json.end()
}

/// Returns what calls of upstreams have used as JSON.
fn usage_object(usage: &UpstreamUsage) -> Vec<u8> {
    let UpstreamUsage { input_tokens, output_tokens, reasoning_tokens, searches, cost } = usage;
    let number = |number: &Option<u64>| number.map_or("null".to_owned(), |it| it.to_string());
    let mut json = Writer(Vec::with_capacity(160));
    json.value("input_tokens", number(input_tokens).as_bytes());
    json.value("output_tokens", number(output_tokens).as_bytes());
    json.value("reasoning_tokens", number(reasoning_tokens).as_bytes());
    json.value("searches", number(searches).as_bytes());
    let usd = cost.map_or("null".to_owned(), |cost| usd_text(cost.nano_usd));
    json.value("cost_usd", usd.as_bytes());
    json.text("cost_from", cost.map(|cost| cost.from.word()));
    json.end()
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

/// A JSON object field by field. Every poll writes one, so what needs no escaping is not searched
/// for it.
struct Writer(Vec<u8>);

impl Writer {
    /// A value that is JSON already.
    fn value(&mut self, name: &str, json: &[u8]) {
        self.name(name);
        self.0.extend_from_slice(json);
    }

    /// A string of our own that has nothing to escape in it.
    fn plain(&mut self, name: &str, value: &str) {
        debug_assert!(
            value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_:+".contains(&byte))
        );
        self.name(name);
        self.quoted(value.as_bytes());
    }

    fn text(&mut self, name: &str, value: Option<&str>) {
        self.name(name);
        match value {
            // Writing a string to a vector cannot fail.
            Some(value) => drop(serde_json::to_writer(&mut self.0, value)),
            None => self.0.extend_from_slice(b"null"),
        }
    }

    fn time(&mut self, name: &str, at_ms: Option<UnixMs>) {
        self.name(name);
        match at_ms {
            Some(at_ms) => self.quoted(&rfc3339_ascii(at_ms)),
            None => self.0.extend_from_slice(b"null"),
        }
    }

    fn name(&mut self, name: &str) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        self.quoted(name.as_bytes());
        self.0.push(b':');
    }

    fn quoted(&mut self, ascii: &[u8]) {
        self.0.push(b'"');
        self.0.extend_from_slice(ascii);
        self.0.push(b'"');
    }

    fn end(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}
