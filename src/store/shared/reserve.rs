//! What this process takes of the jobs that are open to all, and from where on it looks for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::handle::SharedStore;
use super::round::Value;
use crate::clock::UnixMs;
use crate::store::{Row, StoreError};

/// How long a lane's open jobs are looked for from where the last look ended: what has come back
/// with an earlier time, or was left taken by a write that failed, is found after it.
const HEAD_AGE_MAX: Duration = Duration::from_secs(10);
/// The most jobs of its own that a process looks for among those it has.
const OWN_ROWS_MAX: i64 = 1_000;

/// Where the next look for a lane's open jobs begins.
#[derive(Clone, Copy)]
struct LaneHead {
    due_ms: UnixMs,
    /// When the lane was last looked at from the beginning of time.
    whole_at: Instant,
}

/// The heads of all lanes: a scraper's jobs that a client waits for, and the others.
#[derive(Default)]
pub(super) struct LaneHeads(Mutex<HashMap<(u16, bool), LaneHead>>);

impl SharedStore {
    /// Takes open jobs for this process, and finds those that it has and nobody works on: see
    /// [`crate::store::Store::reserve`]. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails; nothing was taken then, or it is found again.
    pub(crate) fn reserve(
        &self,
        scraper: u16,
        interactive: bool,
        now_ms: UnixMs,
        most: usize,
        is_held: impl Fn(Row) -> bool,
    ) -> Result<Vec<Row>, StoreError> {
        let lane = (scraper, interactive);
        let instant = self.clock.instant();
        let known = self.heads.0.lock().unwrap_or_else(PoisonError::into_inner).get(&lane).copied();
        let known =
            known.filter(|head| instant.saturating_duration_since(head.whole_at) < HEAD_AGE_MAX);
        let head = known.unwrap_or(LaneHead { due_ms: 0, whole_at: instant });
        let mut rows = match known {
            Some(_) => Vec::new(),
            None => self.own_due(scraper, interactive, now_ms)?,
        };
        rows.retain(|row| !is_held(*row));
        rows.truncate(most);
        if rows.len() < most {
            let room = most - rows.len();
            let taken = self.reserve_from(scraper, interactive, head.due_ms, now_ms, room)?;
            let head = LaneHead { due_ms: taken.head_ms, ..head };
            self.heads.0.lock().unwrap_or_else(PoisonError::into_inner).insert(lane, head);
            rows.extend(taken.rows.into_iter().filter(|row| !is_held(*row)));
        }
        Ok(rows)
    }

    /// Returns the jobs of a lane that are due at `now_ms` and that this process has.
    fn own_due(
        &self,
        scraper: u16,
        interactive: bool,
        now_ms: UnixMs,
    ) -> Result<Vec<Row>, StoreError> {
        let text = "SELECT row FROM queue WHERE node = $1 AND scraper = $2 AND interactive = $3 \
                    AND due_ms <= $4 ORDER BY due_ms, row LIMIT $5";
        let values: Vec<Value> = vec![
            Arc::new(self.process.node.0),
            Arc::new(scraper as i16),
            Arc::new(interactive),
            Arc::new(now_ms as i64),
            Arc::new(OWN_ROWS_MAX),
        ];
        let found = self.ask_text(text, values).wait()?;
        Ok(found.iter().map(|row| row.get::<_, i64>(0) as Row).collect())
    }
}
