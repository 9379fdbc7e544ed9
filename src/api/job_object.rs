//! The job object of contract 1.7, with what part 2 adds behind it. The result's bytes are sent as
//! the store has them.

use std::borrow::Cow;
#[cfg(test)]
use std::io;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
#[cfg(test)]
use serde_json::ser::Formatter;
use uuid::Uuid;

use super::spend::UsageObject;
use super::wire::{Id, Time};
use crate::answer::SearchObject;
use crate::job::{Job, Reason, State, UpstreamUsage};

/// The present state of a job.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Job", bound = "")]
pub struct JobView<'a, R = StoredResult<'a>> {
    /// The id to ask for.
    pub job_id: Id,
    /// `pending` until it is done or has failed.
    pub status: JobStatus,
    /// The scraper's name.
    pub scraper: Cow<'a, str>,
    /// As it was sent.
    pub prompt: Cow<'a, str>,
    /// In upper case.
    pub country: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "result")]
    pub result: Option<R>,
    /// Only when it failed: why, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Cow<'a, str>>,
    /// When it was submitted.
    #[serde(default)]
    pub created_at: Time,
    /// When it ended; null while pending.
    pub completed_at: Option<Time>,
    /// A finer state than `status`.
    #[serde(default)]
    pub phase: JobPhase,
    /// Attempts started so far.
    #[serde(default)]
    pub attempts: u32,
    /// When the first attempt began.
    pub started_at: Option<Time>,
    /// When it expires.
    #[serde(default)]
    pub expires_at: Time,
    /// The label that was sent with it.
    pub label: Option<Cow<'a, str>>,
    /// Why it failed, or its latest attempt while it waits for the next.
    #[schemars(schema_with = "reason_codes")]
    pub error_code: Option<Cow<'static, str>>,
    /// Of a job that is done at an engine that may show no answer: whether it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<bool>,
    /// The batch that it is part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "usage")]
    pub usage: Option<UsageObject>,
    /// In lists, of a job that has ended: how long that took from its submission on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub seconds: Option<f64>,
    /// In lists, of a job that is done: the searches behind its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "search")]
    pub search: Option<SearchObject>,
    /// In lists of other keys' jobs: the name of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Cow<'a, str>>,
}

/// A result as the store has it: JSON already.
#[derive(Clone, Copy, Debug)]
pub struct StoredResult<'a>(&'a [u8]);

impl Serialize for StoredResult<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// Writes bytes as the JSON that they are.
#[cfg(test)]
struct StoredJson;

#[cfg(test)]
impl Formatter for StoredJson {
    fn write_byte_array<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        json: &[u8],
    ) -> io::Result<()> {
        writer.write_all(json)
    }
}

fn result(_: &mut SchemaGenerator) -> Schema {
    Schema::new_ref("#/components/schemas/Result".to_owned())
}

fn search(_: &mut SchemaGenerator) -> Schema {
    Schema::new_ref("#/components/schemas/Search".to_owned())
}

fn usage(_: &mut SchemaGenerator) -> Schema {
    Schema::new_ref("#/components/schemas/UpstreamUsage".to_owned())
}

fn reason_codes(_: &mut SchemaGenerator) -> Schema {
    let codes = Reason::ALL.iter().map(|reason| Some(reason.code())).chain([None]);
    json_schema!({ "type": ["string", "null"], "enum": codes.collect::<Vec<_>>() })
}

impl<'a> JobView<'a> {
    /// Describes a job; `usage` is what its attempts have used, where that is known.
    pub fn new(
        job: &'a Job,
        id: Uuid,
        result: Option<&'a [u8]>,
        usage: Option<&UpstreamUsage>,
    ) -> JobView<'a> {
        let error = match &job.state {
            State::Failed(failure) => Some(failure.sentence.as_str().into()),
            State::Queued | State::Running | State::WaitingRetry { .. } | State::Done => None,
        };
        JobView {
            job_id: id.into(),
            status: JobStatus::from(&job.state),
            scraper: job.request.scraper.as_str().into(),
            prompt: job.request.prompt.as_str().into(),
            country: job.request.country.as_str().into(),
            result: result.map(StoredResult),
            error,
            created_at: job.created_ms.into(),
            completed_at: job.completed_ms.map(Time::from),
            phase: JobPhase::from(&job.state),
            attempts: job.attempts,
            started_at: job.started_ms.map(Time::from),
            expires_at: job.expires_ms.into(),
            label: job.label.as_deref().map(Cow::from),
            error_code: job.state.last_failure().map(|last| last.reason.code().into()),
            present: job.present,
            batch_id: job.batch.map(|batch| batch.id.into()),
            usage: usage.map(UsageObject::from),
            seconds: None,
            search: None,
            account: None,
        }
    }

    /// Returns the object as a list has it: with how long the job took, to the millisecond, the
    /// searches behind its answer, and whose it is where that is not clear.
    #[must_use]
    pub fn listed(
        self,
        job: &'a Job,
        search: Option<SearchObject>,
        shows_account: bool,
    ) -> JobView<'a> {
        let took_ms = job.completed_ms.map(|ended_ms| ended_ms.saturating_sub(job.created_ms));
        let account = shows_account.then(|| job.account.as_str().into());
        let seconds = took_ms.map(|took_ms| took_ms as f64 / 1000.0);
        JobView { seconds, search, account, ..self }
    }

    /// Returns the object as JSON: what `job_object_with` writes.
    #[cfg(test)]
    pub fn to_json(&self) -> Vec<u8> {
        let result_bytes = self.result.map_or(0, |result| result.0.len());
        let mut json = Vec::with_capacity(640 + self.prompt.len() + result_bytes);
        let mut serializer = serde_json::Serializer::with_formatter(&mut json, StoredJson);
        // Strings and numbers always serialize, and memory takes every byte.
        let _ = self.serialize(&mut serializer);
        json
    }
}

/// The status of contract 1.7.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum JobStatus {
    Pending,
    Done,
    Failed,
}

impl JobStatus {
    pub const fn word(self) -> &'static str {
        match self {
            JobStatus::Pending => "pending",
            JobStatus::Done => "done",
            JobStatus::Failed => "failed",
        }
    }
}

impl From<&State> for JobStatus {
    fn from(state: &State) -> JobStatus {
        match state {
            State::Queued | State::Running | State::WaitingRetry { .. } => JobStatus::Pending,
            State::Done => JobStatus::Done,
            State::Failed(_) => JobStatus::Failed,
        }
    }
}

/// The phase of a job, finer than its status (contract part 2).
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum JobPhase {
    Queued,
    Running,
    WaitingRetry,
    Finished,
    // None, or a word of a later server.
    #[default]
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

impl JobPhase {
    pub const fn word(self) -> &'static str {
        match self {
            JobPhase::Queued => "queued",
            JobPhase::Running => "running",
            JobPhase::WaitingRetry => "waiting_retry",
            JobPhase::Finished => "finished",
            JobPhase::Unknown => "unknown",
        }
    }
}

impl From<&State> for JobPhase {
    fn from(state: &State) -> JobPhase {
        match state {
            State::Queued => JobPhase::Queued,
            State::Running => JobPhase::Running,
            State::WaitingRetry { .. } => JobPhase::WaitingRetry,
            State::Done | State::Failed(_) => JobPhase::Finished,
        }
    }
}

/// A page of jobs.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Jobs")]
pub struct JobsView<J> {
    /// Without results.
    pub jobs: Vec<J>,
    /// For the `cursor` of the next page; null when there is none.
    pub next_cursor: Option<String>,
}
