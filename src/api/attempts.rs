//! The reply about the attempts of a job: what each did, what runs, and what the job waits for.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::spend::UsageObject;
use super::wire::{Id, Time};

/// The attempts of a job.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Attempts")]
pub struct AttemptsView {
    pub job_id: Id,
    /// The name of the key that made the job.
    pub account: String,
    /// Since when the service has kept them.
    pub since: Time,
    /// Those that have ended, oldest first.
    pub attempts: Vec<AttemptView>,
    /// The attempt that runs now; null if none does.
    pub running: Option<RunningAttemptView>,
    /// The next attempt; null once the job has ended, and while an attempt runs.
    pub waiting: Option<WaitingView>,
    #[schemars(schema_with = "scrape")]
    pub parameters: Map<String, Value>,
}

/// The parameters have their schema from their table.
fn scrape(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::Schema::new_ref("#/components/schemas/Scrape".to_owned())
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
pub struct AttemptView {
    /// Its number.
    pub attempt: u32,
    pub started_at: Time,
    #[schemars(range(min = 0))]
    pub seconds: f64,
    /// From the submission, or the end of the attempt before, until it was due: a backoff, or
    /// limits of upstreams. Null if unknown.
    #[schemars(range(min = 0))]
    pub backoff_seconds: Option<f64>,
    /// How long it was due before it started. Null if unknown.
    #[schemars(range(min = 0))]
    pub queue_seconds: Option<f64>,
    /// The upstream that answered or failed; null if it was not a single one.
    pub upstream: Option<String>,
    /// Null if it succeeded.
    pub error_code: Option<&'static str>,
    pub error: Option<String>,
    /// The usage of all its calls; null if unknown.
    pub usage: Option<UsageObject>,
    /// The upstreams that it called or passed over, in order.
    pub calls: Vec<CallView>,
}

/// An upstream that an attempt called or passed over.
#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
pub struct CallView {
    pub upstream: String,
    pub outcome: CallStatus,
    /// Null if it did not fail.
    pub error_code: Option<&'static str>,
    /// The setting, the parameter or the state for which it was not called; null if it was.
    #[schemars(schema_with = "passed_over")]
    pub passed_over: Option<&'static str>,
    /// How long it would not be called, at that moment; null if it was called, or for ever.
    #[schemars(range(min = 0))]
    pub wait_seconds: Option<f64>,
    /// The HTTP status of its latest reply; null without one, or if unknown.
    pub http_status: Option<u16>,
    /// Seconds from the start of the attempt to that of the call; null if unknown.
    #[schemars(range(min = 0))]
    pub after_seconds: Option<f64>,
    /// How long the call took or has taken; null if there was none, or if unknown.
    #[schemars(range(min = 0))]
    pub seconds: Option<f64>,
    /// Null if unknown.
    pub usage: Option<UsageObject>,
}

#[derive(Clone, Copy, Debug, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum CallStatus {
    Answered,
    Failed,
    PassedOver,
    Running,
}

/// The words have their table in `job`.
fn passed_over(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let words = crate::job::PassedOver::ALL.iter().map(|why| why.word().into());
    let words: Vec<Value> = words.chain([Value::Null]).collect();
    schemars::json_schema!({ "type": ["string", "null"], "enum": words })
}

/// An attempt that has not ended.
#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
pub struct RunningAttemptView {
    /// Its number.
    pub attempt: u32,
    /// How long it has run; null while it has not come to an upstream.
    #[schemars(range(min = 0))]
    pub seconds: Option<f64>,
    /// The upstreams so far; the last may be `running`.
    pub calls: Vec<CallView>,
}

/// The place of the next attempt.
#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
pub struct WaitingView {
    /// When it is due, if that is yet to come: a retry, or a limit of an upstream.
    pub due_at: Option<Time>,
    /// The job's place among the jobs of its scraper that wait for a worker, from 1; null before it
    /// is due, and if more than 1,000 are ahead.
    pub position: Option<usize>,
    /// About how many jobs of its scraper wait.
    pub waiting: usize,
    /// When it is likely to start, from how long attempts have taken; null if unknown.
    #[schemars(range(min = 0))]
    pub starts_in_seconds: Option<f64>,
}
