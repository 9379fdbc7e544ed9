//! What an attempt does with each upstream, written down as it happens: it can be read while the
//! attempt runs, and is kept with it afterwards.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::UnixMs;
use crate::job::{
    AttemptCall, CALLS_KEPT_MAX, CallOutcome, ModelSeen, PassedOver, Reason, UpstreamUsage,
};

/// The upstreams that an attempt has come to.
#[derive(Debug, Default)]
pub struct CallLog(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    ended: EndedCalls,
    running: Option<RunningCall>,
}

/// A call of an upstream that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningCall {
    /// The upstream's name in config.toml.
    pub upstream: String,
    pub started_ms: UnixMs,
    /// The HTTP status of its latest reply.
    pub http_status: Option<u16>,
}

/// The calls of an attempt that have ended.
#[derive(Clone, Debug, Default)]
pub struct EndedCalls {
    /// With the upstreams that were passed over, in their order.
    pub calls: Vec<AttemptCall>,
    /// The upstreams that answered with another model than before.
    pub models: Vec<(String, ModelSeen)>,
}

impl CallLog {
    /// Notes that an upstream is called.
    pub(super) fn begin(&self, upstream: &str, started_ms: UnixMs) {
        let upstream = upstream.to_owned();
        self.lock().running = Some(RunningCall { upstream, started_ms, http_status: None });
    }

    /// Notes the HTTP status of a reply to the call that runs.
    pub(super) fn note_status(&self, status: u16) {
        if let Some(running) = &mut self.lock().running {
            running.http_status = Some(status);
        }
    }

    /// Notes the end of the call that runs.
    pub(super) fn end(
        &self,
        ended_ms: UnixMs,
        took_ms: u64,
        failed: Option<Reason>,
        usage: &UpstreamUsage,
    ) {
        let mut entries = self.lock();
        let Some(RunningCall { upstream, http_status, .. }) = entries.running.take() else {
            return;
        };
        entries.add(AttemptCall {
            upstream,
            ended_ms,
            outcome: failed.map_or(CallOutcome::Answered, CallOutcome::Failed),
            took_ms: Some(took_ms),
            http_status,
            usage: usage.clone(),
        });
    }

    /// Notes that an upstream is not called.
    pub(super) fn pass_over(
        &self,
        upstream: &str,
        at_ms: UnixMs,
        why: PassedOver,
        wait_ms: Option<u64>,
    ) {
        self.lock().add(AttemptCall {
            upstream: upstream.to_owned(),
            ended_ms: at_ms,
            outcome: CallOutcome::PassedOver { why, wait_ms },
            took_ms: None,
            http_status: None,
            usage: UpstreamUsage::default(),
        });
    }

    /// Notes that an upstream answered with another model than before.
    pub(super) fn note_model(&self, upstream: &str, seen: ModelSeen) {
        self.lock().ended.models.push((upstream.to_owned(), seen));
    }

    /// Takes what has ended; a call that still runs has panicked.
    pub fn take_ended(&self, now_ms: UnixMs) -> EndedCalls {
        let running = self.lock().running.clone();
        if let Some(running) = running {
            let took_ms = now_ms.saturating_sub(running.started_ms);
            self.end(now_ms, took_ms, Some(Reason::Panicked), &UpstreamUsage::default());
        }
        std::mem::take(&mut self.lock().ended)
    }

    /// Returns what has been done so far, and the call that runs.
    pub fn so_far(&self) -> (Vec<AttemptCall>, Option<RunningCall>) {
        let entries = self.lock();
        (entries.ended.calls.clone(), entries.running.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Each change is one push or one value.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Adds an upstream. A call that has used something is counted whatever its place.
    fn add(&mut self, call: AttemptCall) {
        if self.ended.calls.len() < CALLS_KEPT_MAX || !call.usage.is_empty() {
            self.ended.calls.push(call);
        }
    }
}
