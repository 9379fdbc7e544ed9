//! How attempts have ended, by job, so that a failed job can be told attempt by attempt: the row
//! keeps only the latest failure. In memory only; a restart begins anew.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::UnixMs;
use crate::job::Failure;
use crate::store::Row;

/// The most jobs whose attempts are remembered; the oldest give way.
pub const ATTEMPT_JOBS_MAX: usize = if cfg!(test) { 4 } else { 10_000 };
/// The most attempts that are remembered of one job; the oldest give way.
const ATTEMPTS_MAX: usize = 20;

/// An attempt that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptEnd {
    /// From 1 on.
    pub number: u32,
    pub started_ms: UnixMs,
    pub run_ms: u64,
    /// `None` where it brought an answer.
    pub failure: Option<Failure>,
}

/// The attempts of the jobs that were worked on last.
#[derive(Default)]
pub struct Attempts(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    by_row: HashMap<Row, VecDeque<AttemptEnd>>,
    /// Every row in the map once, in the order of their first attempts.
    oldest: VecDeque<Row>,
}

impl Attempts {
    /// Notes that an attempt of a job has ended.
    pub fn note(&self, row: Row, end: AttemptEnd) {
        let mut remembered = self.lock();
        if !remembered.by_row.contains_key(&row) {
            remembered.oldest.push_back(row);
            if remembered.oldest.len() > ATTEMPT_JOBS_MAX
                && let Some(forgotten) = remembered.oldest.pop_front()
            {
                remembered.by_row.remove(&forgotten);
            }
        }
        let attempts = remembered.by_row.entry(row).or_default();
        if attempts.len() >= ATTEMPTS_MAX {
            attempts.pop_front();
        }
        attempts.push_back(end);
    }

    /// The attempts of a job, oldest first; none where they were forgotten.
    pub fn of(&self, row: Row) -> Vec<AttemptEnd> {
        self.lock().by_row.get(&row).into_iter().flatten().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(number: u32) -> AttemptEnd {
        AttemptEnd { number, started_ms: 0, run_ms: 1, failure: None }
    }

    #[test]
    fn the_oldest_give_way() {
        let attempts = Attempts::default();
        for number in 1..=ATTEMPTS_MAX as u32 + 1 {
            attempts.note(0, end(number));
        }
        assert_eq!(attempts.of(0).len(), ATTEMPTS_MAX);
        assert_eq!(attempts.of(0)[0].number, 2);
        for row in 1..=ATTEMPT_JOBS_MAX as Row {
            attempts.note(row, end(1));
        }
        assert!(attempts.of(0).is_empty());
        assert_eq!(attempts.of(1), [end(1)]);
        let remembered = attempts.lock();
        assert_eq!(remembered.by_row.len(), ATTEMPT_JOBS_MAX);
        assert_eq!(remembered.oldest.len(), ATTEMPT_JOBS_MAX);
    }
}
