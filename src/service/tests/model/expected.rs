//! What the model knows of a job, and whether the service says the same of it.

use super::{PRICE, RETENTION_MS, SCRAPERS, Submit};
use crate::clock::UnixMs;
use crate::job::{Job, Reason, State};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Queued,
    Running,
    Waiting,
    Done,
    Failed(Reason),
}

impl Phase {
    pub(crate) fn of(state: &State) -> Phase {
        match state {
            State::Queued => Phase::Queued,
            State::Running => Phase::Running,
            State::WaitingRetry { .. } => Phase::Waiting,
            State::Done => Phase::Done,
            State::Failed(failure) => Phase::Failed(failure.reason),
        }
    }

    pub(crate) fn finished(self) -> bool {
        match self {
            Phase::Queued | Phase::Running | Phase::Waiting => false,
            Phase::Done | Phase::Failed(_) => true,
        }
    }

    pub(crate) fn status(self) -> &'static str {
        match self {
            Phase::Queued | Phase::Running | Phase::Waiting => "pending",
            Phase::Done => "done",
            Phase::Failed(_) => "failed",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub row: u64,
    pub id: String,
    pub submit: Submit,
    /// Its batch's place in the model.
    pub batch: Option<usize>,
    pub created_ms: UnixMs,
    pub expires_ms: UnixMs,
    pub due_ms: UnixMs,
    pub phase: Phase,
    pub attempts: u32,
    /// An attempt has begun.
    pub started: bool,
    pub cached: bool,
}

/// When what is submitted now ceases to exist: at a whole second, as it is shown.
pub(crate) fn expires_ms(now_ms: UnixMs) -> UnixMs {
    (now_ms + RETENTION_MS) / 1000 * 1000
}

impl Expected {
    pub(crate) fn new(
        row: u64,
        id: String,
        submit: &Submit,
        now_ms: UnixMs,
        cached: bool,
    ) -> Expected {
        Expected {
            row,
            id,
            submit: submit.clone(),
            batch: None,
            created_ms: now_ms,
            expires_ms: expires_ms(now_ms),
            due_ms: now_ms,
            phase: if cached { Phase::Done } else { Phase::Queued },
            attempts: 0,
            started: false,
            cached,
        }
    }

    pub(crate) fn exists(&self, now_ms: UnixMs) -> bool {
        self.expires_ms > now_ms
    }

    /// Whether another submit asks for the same, whoever asks and with whatever key.
    pub(crate) fn same(&self, other: &Submit) -> bool {
        let asked = |submit: &Submit| {
            let Submit { scraper, prompt, bypass, label, start_within_ms, webhook, .. } = submit;
            (*scraper, *prompt, *bypass, *label, *start_within_ms, *webhook)
        };
        asked(&self.submit) == asked(other)
    }

    /// When it fails unless an attempt begins before.
    pub(crate) fn start_by_ms(&self) -> Option<UnixMs> {
        let within_ms = self.submit.start_within_ms.filter(|_| !self.started)?;
        (!self.phase.finished()).then(|| self.created_ms + u64::from(within_ms))
    }

    /// What its end has cost.
    pub(crate) fn charge(&self) -> u64 {
        if self.phase == Phase::Done && !self.cached { PRICE } else { 0 }
    }

    pub(crate) fn compare(&self, job: &Job, result: Option<&[u8]>) {
        let read = (Phase::of(&job.state), job.attempts, job.cached, job.started_ms.is_some());
        assert_eq!(read, (self.phase, self.attempts, self.cached, self.started), "{self:?}");
        assert_eq!((job.created_ms, job.expires_ms), (self.created_ms, self.expires_ms));
        assert_eq!(job.due_ms, self.due_ms, "{self:?}");
        assert_eq!(job.request.scraper, SCRAPERS[self.submit.scraper]);
        let Some(json) = result else {
            assert_ne!(self.phase, Phase::Done);
            return;
        };
        let result: serde_json::Value = serde_json::from_slice(json).unwrap();
        assert_eq!(result["job_id"], self.id);
        assert_eq!(result["prompt"], format!("prompt {}", self.submit.prompt));
        assert_eq!((&result["result"], &result["cached"]), (&"42".into(), &self.cached.into()));
        assert_eq!(result["credits_used"], self.charge());
    }
}
