//! The lists of an account's jobs and batches, newest first, in bounded pages: hour by hour, and in
//! each by the time of the submit.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio_postgres::Row as PgRow;

use super::handle::SharedStore;
use super::hours::{self, HourTable};
use super::loading::batch_of;
use super::round::Value;
use super::row_number::{Hour, RowParts};
use crate::clock::UnixMs;
use crate::job::{BATCH_ITEMS_MAX, Job};
use crate::store::{
    BatchFilter, BatchPage, Cursor, LIST_ROWS_MAX, ListFilter, ListPage, Row, StoreError, record,
};

/// The most rows that one statement returns.
const ROWS_MAX: usize = 1_000;

/// The jobs or batches that a page may be about.
struct Listed {
    table: HourTable,
    account: Option<String>,
    /// The rows of a batch's items.
    rows: Option<(Row, Row)>,
}

/// A place in the order of the list.
#[derive(Clone, Copy)]
struct Position {
    created_ms: i64,
    row: i64,
}

impl From<Cursor> for Position {
    fn from(Cursor { row, created_ms }: Cursor) -> Position {
        Position { created_ms: created_ms as i64, row: row as i64 }
    }
}

impl From<Position> for Cursor {
    fn from(Position { created_ms, row }: Position) -> Cursor {
        Cursor { row: row as Row, created_ms: created_ms as UnixMs }
    }
}

const BEFORE_ALL: Position = Position { created_ms: i64::MAX, row: i64::MAX };

impl SharedStore {
    /// Returns the newest of the jobs that match, exist at `now_ms` and lie after `after`: see
    /// [`crate::store::Store::list`]. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn list(
        &self,
        filter: &ListFilter,
        after: Option<Cursor>,
        jobs_max: usize,
        now_ms: UnixMs,
    ) -> Result<ListPage, StoreError> {
        let mut page = ListPage::default();
        let batch = filter.batch.map(|id| self.process.cipher.open(id));
        let rows = match batch {
            Some(None) => return Ok(page),
            Some(Some(plain)) => Some((plain.row + 1, plain.row + BATCH_ITEMS_MAX as u64)),
            None => None,
        };
        let account = (!filter.all_accounts).then(|| filter.account.clone());
        let listed = Listed { table: HourTable::Jobs, account, rows };
        let next = self.walk(after, &listed, |row| {
            if page.jobs.len() >= jobs_max {
                return ControlFlow::Break(());
            }
            let exists = |job: &Job| job.expires_ms > now_ms && filter.matches(job);
            page.jobs.extend(self.listed_job(row).filter(exists));
            ControlFlow::Continue(())
        });
        page.next = next?;
        Ok(page)
    }

    /// Returns the newest of the batches that match: see [`crate::store::Store::list_batches`].
    /// Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn list_batches(
        &self,
        filter: &BatchFilter,
        after: Option<Cursor>,
        batches_max: usize,
        now_ms: UnixMs,
    ) -> Result<BatchPage, StoreError> {
        let mut page = BatchPage::default();
        let account = Some(filter.account.clone());
        let listed = Listed { table: HourTable::Batches, account, rows: None };
        let next = self.walk(after, &listed, |row| {
            if page.batches.len() >= batches_max {
                return ControlFlow::Break(());
            }
            match batch_of(row) {
                Ok(batch) if batch.expires_ms > now_ms && filter.matches(&batch) => {
                    page.batches.push(batch);
                }
                Ok(_) => {}
                Err(error) => {
                    let row: i64 = row.get(0);
                    tracing::error!(row, %error, "a batch could not be listed");
                }
            }
            ControlFlow::Continue(())
        });
        page.next = next?;
        Ok(page)
    }

    /// Calls `visit` with each row that a page may be about, newest first, until it breaks or
    /// [`LIST_ROWS_MAX`] of them were looked at. Returns where the next page begins.
    fn walk(
        &self,
        after: Option<Cursor>,
        listed: &Listed,
        mut visit: impl FnMut(&PgRow) -> ControlFlow<()>,
    ) -> Result<Option<Cursor>, StoreError> {
        let start = after.map(|cursor| RowParts::of(cursor.row).hour);
        let (mut looked_at, mut next) = (0, None);
        for hour in self.hours_down(start, listed)? {
            let mut position = match after {
                Some(cursor) if start == Some(hour) => self.position_of(cursor, listed)?,
                Some(_) | None => BEFORE_ALL,
            };
            loop {
                let found = self.rows_of_hour(hour, listed, position)?;
                for row in &found {
                    if looked_at >= LIST_ROWS_MAX || visit(row).is_break() {
                        return Ok(next);
                    }
                    looked_at += 1;
                    let created = row.columns().len() - 1;
                    position = Position { row: row.get(0), created_ms: row.get(created) };
                    next = Some(position.into());
                }
                if found.len() < ROWS_MAX {
                    break;
                }
            }
        }
        Ok(None)
    }

    /// Returns the place of a cursor. One of a store in a file, which was moved here, has only the
    /// row, by which that store orders its lists.
    fn position_of(&self, cursor: Cursor, listed: &Listed) -> Result<Position, StoreError> {
        if cursor.created_ms > 0 {
            return Ok(cursor.into());
        }
        let table = listed.table.in_hour(RowParts::of(cursor.row).hour);
        let text =
            format!("SELECT created_ms FROM {table} WHERE row <= $1 ORDER BY row DESC LIMIT 1");
        let found = self.ask_text(&text, vec![Arc::new(cursor.row as i64)]).wait()?;
        let created_ms = found.first().map_or(0, |row| row.get(0));
        Ok(Position { created_ms, ..cursor.into() })
    }

    /// Returns the hours that may have one of the jobs, the newest first.
    fn hours_down(&self, start: Option<Hour>, listed: &Listed) -> Result<Vec<Hour>, StoreError> {
        let hours =
            self.ask_text("SELECT hour FROM hours ORDER BY hour DESC", Vec::new()).wait()?;
        let hours = hours.iter().filter_map(|row| Hour::of_number(row.get(0)));
        let of_batch = listed.rows.map(|(first, _)| RowParts::of(first).hour);
        let hours = hours.filter(|hour| start.is_none_or(|start| *hour <= start));
        Ok(hours.filter(|hour| of_batch.is_none_or(|of| of == *hour)).collect())
    }

    /// Returns rows of an hour from a place on: the record in two columns, or a batch's as
    /// [`batch_of`] takes it, and when it was submitted behind that.
    fn rows_of_hour(
        &self,
        hour: Hour,
        listed: &Listed,
        position: Position,
    ) -> Result<Vec<PgRow>, StoreError> {
        let suffix = hours::suffix(hour);
        let mut text = match listed.table {
            HourTable::Batches => format!(
                "SELECT j.row, j.record, p.done, p.failed, p.completed_ms, j.created_ms \
                 FROM batches_{suffix} j JOIN batch_ends p ON p.row = j.row"
            ),
            HourTable::Jobs
            | HourTable::Ends
            | HourTable::Deliveries
            | HourTable::Cache
            | HourTable::Evidence => format!(
                "SELECT j.row, j.asked, coalesce(e.standing, q.standing), j.created_ms \
                 FROM jobs_{suffix} j LEFT JOIN ends_{suffix} e ON e.row = j.row \
                 LEFT JOIN queue q ON q.row = j.row"
            ),
        };
        text.push_str(" WHERE (j.created_ms, j.row) < ($1, $2)");
        let mut values: Vec<Value> = vec![Arc::new(position.created_ms), Arc::new(position.row)];
        if let Some(account) = &listed.account {
            values.push(Arc::new(account.clone()));
            let known = "(SELECT number FROM accounts WHERE name = $3)";
            text.push_str(&format!(" AND j.account = {known}"));
        }
        if let Some((first, last)) = listed.rows {
            text.push_str(&format!(" AND j.row BETWEEN {first} AND {last}"));
        }
        text.push_str(&format!(" ORDER BY j.created_ms DESC, j.row DESC LIMIT {ROWS_MAX}"));
        self.ask_text(&text, values).wait()
    }

    /// Returns a job that is listed. One that is damaged does not hide the others.
    fn listed_job(&self, found: &PgRow) -> Option<Job> {
        let row = found.get::<_, i64>(0) as Row;
        // One without has expired before it could end.
        let standing = found.get::<_, Option<&[u8]>>(2)?;
        let name = |number| self.process.scrapers.name(number);
        let decoded = record::decode_halves(row, found.get(1), standing, name);
        decoded
            .map_err(|error| tracing::error!(row, %error, "a job could not be listed"))
            .ok()
            .map(|(job, _)| job)
    }
}
