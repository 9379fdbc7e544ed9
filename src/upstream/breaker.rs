//! A circuit breaker: an upstream that failed several times in a row rests, then one call at a time
//! finds out whether it is well again. Times are the clock's, in milliseconds.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::UnixMs;

/// Failures in a row after which an upstream rests.
pub const FAILURES_MAX: u32 = 5;
/// The first rest, milliseconds. It doubles with each probe that fails.
pub const REST_MS_MIN: u64 = 30_000;
/// The longest rest, milliseconds.
pub const REST_MS_MAX: u64 = 300_000;
/// How soon it is worth asking again while a probe is under way, milliseconds.
const PROBE_WAIT_MS: u64 = 5_000;

/// The state of a breaker, as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// Closed. The number of consecutive failures.
    Closed { failures: u32 },
    /// It rests; so long until a probe, milliseconds.
    Open { wait_ms: u64 },
    /// A probe is under way.
    HalfOpen,
}

/// The admission of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Call,
    /// It may, and what comes of it decides for the others.
    Probe,
    /// Not now; try again after this many milliseconds.
    Rest {
        wait_ms: u64,
    },
}

pub(super) struct Breaker {
    state: Mutex<State>,
}

#[derive(Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { since_ms: UnixMs, rest_ms: u64 },
    HalfOpen { rest_ms: u64 },
}

impl Breaker {
    pub(crate) fn new() -> Breaker {
        Breaker { state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// Asks for a call. A [`Admission::Probe`] must end with one of [`Breaker::succeed`],
    /// [`Breaker::fail`] and [`Breaker::abandon`], or there will be no other.
    pub(crate) fn admit(&self, now_ms: UnixMs) -> Admission {
        let mut state = self.lock();
        match *state {
            State::Closed { .. } => Admission::Call,
            State::HalfOpen { .. } => Admission::Rest { wait_ms: PROBE_WAIT_MS },
            State::Open { since_ms, rest_ms } => match left_ms(since_ms, rest_ms, now_ms) {
                0 => {
                    *state = State::HalfOpen { rest_ms };
                    Admission::Probe
                }
                wait_ms => Admission::Rest { wait_ms },
            },
        }
    }

    /// Closes the breaker, because a call went well.
    pub(crate) fn succeed(&self) {
        *self.lock() = State::Closed { failures: 0 };
    }

    /// Counts a call that failed by the upstream's fault. Calls that were under way when it was
    /// given its rest say nothing new.
    pub(crate) fn fail(&self, is_probe: bool, now_ms: UnixMs) {
        let mut state = self.lock();
        *state = match *state {
            State::Closed { failures } if failures + 1 < FAILURES_MAX => {
                State::Closed { failures: failures + 1 }
            }
            State::Closed { .. } => State::Open { since_ms: now_ms, rest_ms: REST_MS_MIN },
            State::HalfOpen { rest_ms } if is_probe => {
                State::Open { since_ms: now_ms, rest_ms: (rest_ms * 2).min(REST_MS_MAX) }
            }
            State::Open { .. } | State::HalfOpen { .. } => *state,
        };
    }

    /// Ends a probe that showed nothing: the next call may be one.
    pub(crate) fn abandon(&self, now_ms: UnixMs) {
        let mut state = self.lock();
        if let State::HalfOpen { rest_ms } = *state {
            *state = State::Open { since_ms: now_ms.saturating_sub(rest_ms), rest_ms };
        }
    }

    pub(crate) fn circuit(&self, now_ms: UnixMs) -> Circuit {
        match *self.lock() {
            State::Closed { failures } => Circuit::Closed { failures },
            State::Open { since_ms, rest_ms } => {
                Circuit::Open { wait_ms: left_ms(since_ms, rest_ms, now_ms) }
            }
            State::HalfOpen { .. } => Circuit::HalfOpen,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A state is one value, written whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is left of a rest. A clock that was set back ends it, because the time that has passed is unknown.
fn left_ms(since_ms: UnixMs, rest_ms: u64, now_ms: UnixMs) -> u64 {
    now_ms.checked_sub(since_ms).map_or(0, |rested_ms| rest_ms.saturating_sub(rested_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A breaker that was opened at `now_ms`.
    fn opened(now_ms: UnixMs) -> Breaker {
        let breaker = Breaker::new();
        for _ in 0..FAILURES_MAX {
            assert_eq!(breaker.admit(now_ms), Admission::Call);
            breaker.fail(false, now_ms);
        }
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_only_then() {
        let breaker = Breaker::new();
        for _ in 0..10 {
            for _ in 1..FAILURES_MAX {
                breaker.fail(false, 0);
            }
            assert_eq!(breaker.circuit(0), Circuit::Closed { failures: FAILURES_MAX - 1 });
            breaker.succeed();
        }
        assert_eq!(opened(7).admit(7), Admission::Rest { wait_ms: REST_MS_MIN });
    }

    #[test]
    fn one_probe_at_a_time_and_rests_that_double() {
        let breaker = opened(0);
        let mut now_ms = 0;
        for rest_ms in [30_000, 60_000, 120_000, 240_000, 300_000, 300_000] {
            assert_eq!(breaker.admit(now_ms + rest_ms - 1), Admission::Rest { wait_ms: 1 });
            now_ms += rest_ms;
            assert_eq!(breaker.admit(now_ms), Admission::Probe);
            assert_eq!(breaker.circuit(now_ms), Circuit::HalfOpen);
            assert_eq!(breaker.admit(now_ms), Admission::Rest { wait_ms: PROBE_WAIT_MS });
            breaker.fail(true, now_ms);
        }
        now_ms += REST_MS_MAX;
        assert_eq!(breaker.admit(now_ms), Admission::Probe);
        breaker.succeed();
        assert_eq!(breaker.circuit(now_ms), Circuit::Closed { failures: 0 });
    }

    #[test]
    fn calls_from_before_the_rest_change_nothing_by_failing() {
        let breaker = opened(0);
        breaker.fail(false, 1_000);
        assert_eq!(breaker.admit(REST_MS_MIN), Admission::Probe);
        breaker.fail(false, REST_MS_MIN);
        assert_eq!(breaker.circuit(REST_MS_MIN), Circuit::HalfOpen);
        breaker.succeed();
        assert_eq!(breaker.circuit(REST_MS_MIN), Circuit::Closed { failures: 0 });
    }

    #[test]
    fn a_probe_that_shows_nothing_makes_room_for_the_next() {
        let breaker = opened(0);
        assert_eq!(breaker.admit(REST_MS_MIN), Admission::Probe);
        breaker.abandon(REST_MS_MIN);
        assert_eq!(breaker.admit(REST_MS_MIN), Admission::Probe);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_prolong_a_rest() {
        assert_eq!(opened(3_600_000).admit(0), Admission::Probe);
    }
}
