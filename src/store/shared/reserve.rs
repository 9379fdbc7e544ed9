//! Taking open jobs of the queue for this process, and giving them back.

use std::sync::{Arc, PoisonError};

use super::handle::SharedStore;
use super::lanes::{LaneHead, LaneHeads};
use super::round::Value;
use super::statements::Sql;
use crate::clock::UnixMs;
use crate::store::{Row, StoreError};

/// How often a lane is looked at from its beginning, milliseconds: a job that comes back may be due
/// before where the last reserve has stopped.
const FROM_START_MS: u64 = 10_000;

/// The jobs that this process has taken, in the order in which they came due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reserved {
    pub rows: Vec<Row>,
    /// Where the next reserve may begin: nothing open is due before, but for what comes back.
    pub head_ms: UnixMs,
}

impl SharedStore {
    /// Reserves jobs of a scraper for this process: see [`crate::store::Store::reserve`]. What no
    /// worker of this process has, though the process has taken it, is returned too. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails; nothing was taken then, or it is found by a later
    /// call.
    pub(crate) fn reserve(
        &self,
        scraper: u16,
        interactive: bool,
        now_ms: UnixMs,
        most: usize,
        is_held: impl Fn(Row) -> bool,
    ) -> Result<Vec<Row>, StoreError> {
        let lane = (scraper, interactive);
        let monotonic_ms = self.process.status.now_ms();
        let head = self.lane_heads().get(&lane).copied();
        let head = head.filter(|head| monotonic_ms < head.until_ms);
        let mut reserved = Vec::new();
        if head.is_none() {
            let values: Vec<Value> = vec![
                Arc::new(self.process.status.number().0),
                Arc::new(scraper as i16),
                Arc::new(interactive),
                Arc::new(now_ms as i64),
            ];
            let held = self.ask_statement(Sql::HeldReady, values).wait()?;
            let held = held.iter().map(|row| row.get::<_, i64>(0) as Row);
            reserved.extend(held.filter(|row| !is_held(*row)).take(most));
        }
        let until_ms = head.map_or(monotonic_ms.saturating_add(FROM_START_MS), |it| it.until_ms);
        let from_ms = head.map_or(0, |head| head.due_ms);
        let open = most - reserved.len();
        if open > 0 {
            let taken = self.reserve_from(scraper, interactive, from_ms, now_ms, open)?;
            reserved.extend(taken.rows.into_iter().filter(|row| !is_held(*row)));
            let head = LaneHead { due_ms: taken.head_ms, until_ms };
            self.lane_heads().insert(lane, head);
        }
        Ok(reserved)
    }

    fn lane_heads(&self) -> std::sync::MutexGuard<'_, LaneHeads> {
        // A map that a panic has left half-changed can at worst look further back.
        self.lane_heads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes at most `most` of a scraper's open jobs that are due from `head_ms` to `now_ms` for
    /// the workers of this process. Dead rows of the queue's head are not looked at again where
    /// `head_ms` is that of the reserve before. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails; nothing was taken then, or it is found by the next
    /// declaration of death.
    pub(super) fn reserve_from(
        &self,
        scraper: u16,
        interactive: bool,
        head_ms: UnixMs,
        now_ms: UnixMs,
        most: usize,
    ) -> Result<Reserved, StoreError> {
        let values: Vec<Value> = vec![
            Arc::new(self.process.status.number().0),
            Arc::new(scraper as i16),
            Arc::new(interactive),
            Arc::new(head_ms as i64),
            Arc::new(now_ms as i64),
            Arc::new(most as i64),
        ];
        let began = self.clock.instant();
        let found = self.ask_statement(Sql::Reserve, values).wait()?;
        let took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.process.figures.reserves_us.observe(took_us);
        let mut taken: Vec<(UnixMs, Row)> = found
            .iter()
            .map(|row| (row.get::<_, i64>(0) as UnixMs, row.get::<_, i64>(1) as Row))
            .collect();
        taken.sort_unstable();
        // A short one has seen all there is: what was locked by another may come back earlier.
        let head_ms = match taken.last() {
            Some((due_ms, _)) if taken.len() == most => *due_ms,
            Some(_) | None => 0,
        };
        Ok(Reserved { rows: taken.into_iter().map(|(_, row)| row).collect(), head_ms })
    }

    /// Gives jobs back that this process has taken and has not begun. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn give_back(&self, rows: &[Row]) -> Result<(), StoreError> {
        let text = "UPDATE queue SET node = NULL WHERE node = $1 AND row IN \
                    (SELECT row FROM queue WHERE row = ANY($2) ORDER BY row FOR UPDATE)";
        let rows: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
        let values: Vec<Value> = vec![Arc::new(self.process.status.number().0), Arc::new(rows)];
        self.ask_text(text, values).wait().map(drop)
    }
}
