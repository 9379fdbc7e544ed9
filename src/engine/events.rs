//! What happens to a scraper's jobs, as facts: the code that does a thing emits its event once, and the
//! listeners of `stats.rs` count it.

use std::time::Duration;

use crate::catalog::Array;
use crate::clock::UnixMs;
use crate::job::{AttemptCall, AttemptEnd, HealthEffect, Reason};
use crate::store::UsageEvent;
use crate::upstream::UpstreamError;

/// A fact about the work of a scraper.
#[derive(Clone, Copy)]
pub(super) enum EngineEvent<'a> {
    /// A job was submitted, or has ended.
    Job { at_ms: UnixMs, what: UsageEvent },
    /// A worker took a row, this long after it was offered.
    PickedUp { after: Duration },
    /// An attempt begins to ask, this long after it was due; the cache might have answered its job, and
    /// could not.
    Started { waited_ms: u64, cache_missed: bool },
    /// An attempt has ended.
    Ended(&'a AttemptEnded<'a>),
}

/// The end of an attempt.
pub(super) struct AttemptEnded<'a> {
    pub at_ms: UnixMs,
    pub number: u32,
    pub run_ms: u64,
    /// The arrays that have something, or why there is no answer.
    pub answered: Result<&'a [Array], &'a UpstreamError>,
    /// Whether the engine made a search, where that is known: of an answer, or of one that is a
    /// failure because it made none.
    pub searched: Option<bool>,
    /// Whether the engine showed an answer at all, of those that do not always.
    pub present: Option<bool>,
    /// The job ended before its attempt, whose thread has lost its slot.
    pub abandoned: bool,
}

/// The verdict of an attempt on its scraper.
pub(super) enum AttemptOutcome<'a> {
    Succeeded(&'a [Array]),
    Failed(Reason),
    /// Nothing: no upstream was asked, or the client did not wait for the answer.
    Uncounted,
}

impl<'a> AttemptEnded<'a> {
    pub(crate) fn outcome(&self) -> AttemptOutcome<'a> {
        match self.answered {
            Ok(filled) => AttemptOutcome::Succeeded(filled),
            Err(error) => match error.reason.info().health {
                HealthEffect::Counts => AttemptOutcome::Failed(error.reason),
                HealthEffect::Ignores => AttemptOutcome::Uncounted,
            },
        }
    }

    /// Returns what is kept of the attempt, which was due at `due_ms`, with its job: where it has
    /// failed, it is known what its `calls` have used, or its result does not say how it came
    /// about. One that found every upstream at its limit is given back, and asked for again each
    /// second.
    pub(crate) fn record(&self, due_ms: UnixMs, calls: Vec<AttemptCall>) -> Option<AttemptEnd> {
        let gave_back = |error: &UpstreamError| {
            matches!(error.reason, Reason::UpstreamSaturated | Reason::KeyAtLimit)
        };
        let error = self.answered.err();
        let last = calls.last().map(|call| call.upstream.clone());
        let end = AttemptEnd {
            number: self.number,
            due_ms: Some(due_ms),
            started_ms: self.at_ms.saturating_sub(self.run_ms),
            run_ms: self.run_ms,
            upstream: error.map_or(last, |error| error.upstream.clone()),
            failure: error.map(UpstreamError::failure),
            calls,
        };
        let is_told = error.map_or_else(|| end.is_told_by_result(), gave_back);
        (!is_told || end.used().next().is_some()).then_some(end)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Emits the end of an attempt that has taken so long.
    pub(crate) fn ended(
        at_ms: UnixMs,
        run_ms: u64,
        answered: Result<&[Array], Reason>,
        emit: impl FnOnce(EngineEvent<'_>),
    ) {
        let answered = answered.map_err(|reason| UpstreamError::new(reason, "The test says no."));
        let answered = answered.as_ref().map(|filled| *filled);
        let (searched, present, abandoned) = (None, None, false);
        let number = 1;
        let ended = AttemptEnded { at_ms, number, run_ms, answered, searched, present, abandoned };
        emit(EngineEvent::Ended(&ended));
    }

    #[test]
    fn failed_attempt_is_kept_with_its_job_unless_no_upstream_was_free() {
        for (reason, kept) in [(Reason::Overloaded, true), (Reason::UpstreamSaturated, false)] {
            let error = UpstreamError::new(reason, "x");
            let answered = Err(&error);
            let (searched, present, abandoned) = (None, None, false);
            let (at_ms, number, run_ms) = (9, 2, 4);
            let end =
                AttemptEnded { at_ms, number, run_ms, answered, searched, present, abandoned };
            let started_ms = end.record(3, Vec::new()).map(|record| record.started_ms);
            assert_eq!(started_ms, kept.then_some(5));
        }
    }
}
