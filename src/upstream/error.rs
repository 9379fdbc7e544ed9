//! The failure of a call of an upstream: its reason, its sentences, and what the call used all the
//! same.

use crate::job::{Failure, Reason, UpstreamUsage};

/// The failure of a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct UpstreamError {
    pub reason: Reason,
    /// One sentence in our own words, for everybody: the log, `GET /scrapers`, other jobs.
    pub sentence: String,
    /// The sentence with the upstream's words in it, which may repeat the prompt in any spelling.
    pub(super) quoting: Option<Box<str>>,
    /// How long the upstream asks us to wait before the next try, milliseconds.
    pub retry_after_ms: Option<u64>,
    /// The upstream that failed, by its name in config.toml; `None` where no single one did.
    pub upstream: Option<String>,
    /// What the attempt used all the same: providers bill answers that are refused or cut.
    pub usage: Option<Box<UpstreamUsage>>,
    /// The answer that is a failure because no search was made, where its owner wants it.
    pub(super) unsearched: Option<Box<str>>,
}

impl UpstreamError {
    pub fn new(reason: Reason, sentence: impl Into<String>) -> UpstreamError {
        let Failure { reason, sentence } = Failure::new(reason, sentence);
        UpstreamError {
            reason,
            sentence,
            quoting: None,
            retry_after_ms: None,
            upstream: None,
            usage: None,
            unsearched: None,
        }
    }

    /// Adds the sentence that quotes the upstream, for the job's owner alone.
    #[must_use]
    pub fn quoting(mut self, sentence: impl Into<String>) -> UpstreamError {
        self.quoting = Some(sentence.into().into());
        self
    }

    /// Returns the sentence for the job's owner, who may read the upstream's own words.
    pub fn for_owner(&self) -> &str {
        self.quoting.as_deref().unwrap_or(&self.sentence)
    }

    /// Adds a remark to the end of the sentence, for everybody.
    pub(super) fn adding(mut self, remark: &str) -> UpstreamError {
        let added = |sentence: &str| format!("{} ({remark}).", sentence.trim_end_matches('.'));
        self.quoting = self.quoting.as_deref().map(|quoting| added(quoting).into());
        self.sentence = added(&self.sentence);
        self
    }

    /// Adds what the attempt used all the same.
    #[must_use]
    pub fn with_usage(mut self, usage: UpstreamUsage) -> UpstreamError {
        self.usage = Some(Box::new(usage)).filter(|usage| !usage.is_empty());
        self
    }

    /// Returns the failure that the job ends with, the answer behind its sentence where one is
    /// kept.
    pub fn last_failure(&self) -> Failure {
        let failure = self.failure();
        match &self.unsearched {
            Some(answer) => failure.with_answer(answer),
            None => failure,
        }
    }

    /// Returns the failure as the job keeps it. Its sentence is the owner's and is never logged.
    pub fn failure(&self) -> Failure {
        Failure::new(self.reason, self.for_owner())
    }

    /// Returns the failure of a call whose answer is not wanted any more.
    pub fn canceled() -> UpstreamError {
        UpstreamError::new(Reason::Canceled, Failure::canceled().sentence)
    }

    #[must_use]
    pub fn retry_after_ms(mut self, wait_ms: Option<u64>) -> UpstreamError {
        self.retry_after_ms = wait_ms;
        self
    }
}
