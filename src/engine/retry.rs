//! The retry policy: whether a failed attempt is followed by another, and when (contract 1.9).

use crate::clock::UnixMs;
use crate::config::file::Retry;
use crate::job::{Event, Job, Reason};
use crate::upstream::UpstreamError;

/// The attempt from which on an answer without a search is final: the first upstream has been asked
/// twice then, and the others once, each for money.
const UNSEARCHED_ATTEMPTS_MAX: u32 = 2;

/// Returns the retry or the end that follows from a failed attempt of `job`.
pub(crate) fn after_failure(
    job: &Job,
    error: &UpstreamError,
    settings: &Retry,
    now_ms: UnixMs,
) -> Event {
    let lease = job.lease;
    let failure = error.failure();
    let waits = matches!(failure.reason, Reason::UpstreamSaturated | Reason::KeyAtLimit);
    let spent = !waits;
    let unsearched = failure.reason == Reason::NoSearch && job.attempts >= UNSEARCHED_ATTEMPTS_MAX;
    if !failure.reason.retryable() || unsearched || (spent && job.attempts > settings.retries) {
        return Event::Fail { lease, failure: error.last_failure() };
    }
    let wait_ms =
        backoff_ms(job.row, job.attempts, settings).max(error.retry_after_ms.unwrap_or(0));
    let due_ms = now_ms.saturating_add(wait_ms);
    let end_ms = job.deadline_ms.unwrap_or(job.expires_ms);
    if due_ms >= end_ms {
        // The next attempt would come after its caller has gone, or its job expired.
        return Event::Fail { lease, failure: error.last_failure() };
    }
    Event::RetryLater { lease, due_ms, last: failure, spent }
}

/// Returns the wait after the `attempt`-th attempt (from 1): doubled each time up to the most, with
/// jitter over its upper half, so that jobs that failed together do not come back together.
fn backoff_ms(row: u64, attempt: u32, settings: &Retry) -> u64 {
    let doublings = attempt.saturating_sub(1).min(32);
    let full_ms = settings.backoff_ms.saturating_mul(1 << doublings).min(settings.backoff_max_ms);
    let half_ms = full_ms / 2;
    half_ms + jitter_seed(row, attempt) % (full_ms - half_ms + 1)
}

/// Returns a number that differs between jobs and attempts: a round of SplitMix64. It need not be
/// unpredictable, and is the same after a restart.
pub(super) fn jitter_seed(row: u64, attempt: u32) -> u64 {
    let mut mixed = row.wrapping_mul(31).wrapping_add(u64::from(attempt));
    mixed = mixed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{RawRequest, State};

    const SETTINGS: Retry = Retry { retries: 3, backoff_ms: 1_000, backoff_max_ms: 60_000 };

    fn job(attempts: u32) -> Job {
        let raw = RawRequest { prompt: Some("x".to_owned()), ..RawRequest::default() };
        Job {
            state: State::Running,
            attempts,
            lease: attempts,
            started_ms: Some(0),
            ..Job::fixture(1, 2, raw.check("chatgpt", &[]).unwrap(), 0)
        }
    }

    fn due_ms(event: Event) -> Option<u64> {
        match event {
            Event::RetryLater { due_ms, .. } => Some(due_ms),
            Event::Start
            | Event::Succeed { .. }
            | Event::ServeCached { .. }
            | Event::Fail { .. }
            | Event::Release { .. }
            | Event::Stop { .. } => None,
        }
    }

    #[test]
    fn backoff_doubles_with_jitter_up_to_the_most() {
        for row in 0..500 {
            for (attempt, full_ms) in [(1, 1_000), (2, 2_000), (3, 4_000), (9, 60_000)] {
                let wait_ms = backoff_ms(row, attempt, &SETTINGS);
                assert!((full_ms / 2..=full_ms).contains(&wait_ms), "{attempt}: {wait_ms}");
            }
        }
        let distinct: std::collections::HashSet<u64> =
            (0..100).map(|row| backoff_ms(row, 1, &SETTINGS)).collect();
        assert!(distinct.len() > 50);
    }

    #[test]
    fn job_fails_after_four_attempts() {
        for attempts in 1..=3 {
            let error = UpstreamError::new(Reason::Overloaded, "busy");
            assert!(due_ms(after_failure(&job(attempts), &error, &SETTINGS, 10)).is_some());
        }
        let error = UpstreamError::new(Reason::Overloaded, "busy");
        assert_eq!(due_ms(after_failure(&job(4), &error, &SETTINGS, 10)), None);
    }

    #[test]
    fn retry_at_our_own_limit_spends_no_attempt() {
        let error = UpstreamError::new(Reason::UpstreamSaturated, "full").retry_after_ms(Some(1));
        let mut job = job(4);
        let event = after_failure(&job, &error, &SETTINGS, 10);
        job.apply(event, 10).unwrap();
        assert!(matches!(job.state, State::WaitingRetry { .. }));
        assert_eq!(job.attempts, 3);
    }

    #[test]
    fn answer_without_a_search_is_tried_again_once() {
        let error = UpstreamError::new(Reason::NoSearch, "no search");
        assert!(due_ms(after_failure(&job(1), &error, &SETTINGS, 10)).is_some());
        assert_eq!(due_ms(after_failure(&job(2), &error, &SETTINGS, 10)), None);
    }

    #[test]
    fn only_retryable_reasons_are_retried() {
        for reason in Reason::ALL {
            let event = after_failure(&job(1), &UpstreamError::new(*reason, "x"), &SETTINGS, 10);
            assert_eq!(due_ms(event).is_some(), reason.retryable(), "{reason:?}");
        }
    }

    #[test]
    fn retry_after_of_the_upstream_is_honored_within_the_deadline() {
        let error = UpstreamError::new(Reason::UpstreamRateLimited, "slow down")
            .retry_after_ms(Some(30_000));
        let event = after_failure(&job(1), &error, &SETTINGS, 10);
        assert_eq!(due_ms(event), Some(30_010));
        let waiting = Job { deadline_ms: Some(20_000), ..job(1) };
        assert_eq!(due_ms(after_failure(&waiting, &error, &SETTINGS, 10)), None);
    }
}
