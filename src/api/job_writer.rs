//! The job object as JSON, written field by field: every poll writes one, and what needs no
//! escaping is not searched for it. A test holds it to what `JobView` serializes to.

use uuid::Uuid;

use super::job_object::JobPhase;
use super::spend::UsageObject;
use crate::clock::{UnixMs, rfc3339_ascii};
use crate::job::{Job, State, UpstreamUsage};

/// Returns the job object as JSON.
pub fn job_object(job: &Job, id: Uuid, result: Option<&[u8]>) -> Vec<u8> {
    job_object_with(job, id, result, None)
}

/// Returns the job object as JSON, with what its attempts have used where that is known. The bytes
/// of the result are taken over as they are.
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
    json.plain("phase", JobPhase::from(&job.state).word());
    json.value("attempts", job.attempts.to_string().as_bytes());
    json.time("started_at", job.started_ms);
    json.time("expires_at", Some(job.expires_ms));
    json.text("label", job.label.as_deref());
    json.text("error_code", job.state.last_failure().map(|last| last.reason.code()));
    if let Some(present) = job.present {
        json.value("present", if present { b"true" } else { b"false" });
    }
    if let Some(batch) = job.batch {
        json.plain("batch_id", batch.id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    }
    if let Some(usage) = usage {
        // Numbers and words always serialize.
        let usage = serde_json::to_vec(&UsageObject::from(usage)).unwrap_or_default();
        json.value("usage", &usage);
    }
    json.end()
}

/// A JSON object that is written field by field.
struct Writer(Vec<u8>);

impl Writer {
    /// Writes a value that is JSON already.
    fn value(&mut self, name: &str, json: &[u8]) {
        self.name(name);
        self.0.extend_from_slice(json);
    }

    /// Writes a string of our own that has nothing to escape in it.
    fn plain(&mut self, name: &str, value: &str) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::JobView;
    use crate::job::{BatchKey, Failure, RawRequest, Reason};

    #[test]
    fn written_object_is_what_the_view_serializes_to() {
        let prompt = Some("a \"quote\"\n\u{1f600}".to_owned());
        let request = RawRequest { prompt, ..RawRequest::default() }.check("chatgpt", &[]).unwrap();
        let failure = Failure::new(Reason::Empty, "It said \"no\".");
        let states = [
            State::Queued,
            State::Running,
            State::WaitingRetry { last: failure.clone() },
            State::Done,
            State::Failed(failure),
        ];
        let usage = UpstreamUsage { input_tokens: Some(7), ..UpstreamUsage::default() };
        for (state, all) in
            states.into_iter().flat_map(|state| [(state.clone(), false), (state, true)])
        {
            let mut job = Job::fixture(3, 9, request.clone(), 1_778_500_800_123);
            job.state = state;
            if all {
                job.label = Some("a label \\".to_owned());
                job.present = Some(false);
                job.batch = Some(BatchKey { row: 2, id: Uuid::from_u128(5) });
                (job.started_ms, job.completed_ms) =
                    (Some(1_778_500_801_000), Some(1_778_500_802_999));
                job.attempts = 2;
            }
            let id = Uuid::from_u128(1);
            let result: Option<&[u8]> =
                (job.state == State::Done).then_some(b"{\"result\":\"42\"}");
            let usage = all.then_some(&usage);
            let written = job_object_with(&job, id, result, usage);
            let view = JobView::new(&job, id, result, usage).to_json();
            assert_eq!(String::from_utf8(written).unwrap(), String::from_utf8(view).unwrap());
        }
    }
}
