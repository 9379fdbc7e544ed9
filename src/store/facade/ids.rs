//! Ids and cursors, which carry a row number encrypted: fresh ones, those of what is stored, and
//! what those that clients send back carry.

use uuid::Uuid;

use super::backend::Backend;
use crate::alert::{Alert, Notice};
use crate::id::IdParts;
use crate::job::{BatchKey, Job, Schedule};
use crate::store::{Cursor, NewIdentity, ResultCursor, Row, Store, StoreError};

/// The bits of a cursor's nonce that say when it was submitted; those above are 0. No client has
/// made them up: they have to come out of the cipher.
const CURSOR_TIME_BITS: u32 = 42;
/// The upper bits of a cursor's nonce. No client has made it up: it has to come out of the cipher.
const CURSOR_TAG: u128 = 0x265_7375_6c74;
/// The lower bits of it: how many rows of the job have been read.
const CURSOR_ROW_BITS: u32 = 32;

impl Store {
    /// Returns a row number, a nonce and the id that carries both, for what is new of an account.
    ///
    /// # Errors
    /// Returns an error if the operating system's generator failed, or a shared store has no row
    /// numbers ready.
    pub async fn new_identity(&self, account: &str) -> Result<NewIdentity, StoreError> {
        self.identity_of(self.next_rows(account, 1).await?)
    }

    /// Returns the identity of a batch and of each of its items, for [`Store::submit_batch`].
    ///
    /// # Errors
    /// Returns an error if the operating system's generator failed, or a shared store has no row
    /// numbers ready.
    pub async fn new_batch_identity(
        &self,
        account: &str,
        items: usize,
    ) -> Result<(BatchKey, Vec<NewIdentity>), StoreError> {
        let row = self.next_rows(account, items as u32 + 1).await?;
        let key = BatchKey { row, id: self.identity_of(row)?.id };
        let identities = (row + 1..=row + items as u64).map(|row| self.identity_of(row));
        Ok((key, identities.collect::<Result<_, _>>()?))
    }

    /// Returns the first of this many fresh row numbers, which follow each other.
    async fn next_rows(&self, account: &str, count: u32) -> Result<Row, StoreError> {
        match &self.backend {
            Backend::Embedded(store) => Ok(store.next_rows(u64::from(count))),
            Backend::Shared(store) => store.next_rows_when_there(account, count).await,
        }
    }

    fn identity_of(&self, row: Row) -> Result<NewIdentity, StoreError> {
        let (nonce, id) = self.cipher.seal_fresh(row)?;
        Ok(NewIdentity { row, nonce, id })
    }

    /// Returns the id of a job.
    pub fn id_of(&self, job: &Job) -> Uuid {
        self.cipher.seal(job.row, job.nonce)
    }

    /// Returns the row that an id carries; `None` if it is no id of this store.
    pub fn row_of(&self, id: Uuid) -> Option<Row> {
        self.cipher.open(id).map(|plain| plain.row)
    }

    /// Returns the id of an alert.
    pub fn alert_id(&self, alert: &Alert) -> Uuid {
        self.cipher.seal(alert.row, alert.nonce)
    }

    /// Returns the id of a notice.
    pub fn notice_id(&self, notice: &Notice) -> Uuid {
        self.cipher.seal(notice.row, notice.nonce)
    }

    /// Returns the id of a schedule.
    pub fn schedule_id(&self, schedule: &Schedule) -> Uuid {
        self.cipher.seal(schedule.row, schedule.nonce)
    }

    /// Returns a cursor as clients see it. It looks like a job's id and tells as little: a row
    /// number would tell how many jobs everybody has.
    pub fn cursor_id(&self, Cursor { row, created_ms }: Cursor) -> Uuid {
        self.cipher.seal(row, u128::from(created_ms))
    }

    /// Returns the cursor that a client has sent back; `None` when it is none of this store's.
    pub fn cursor(&self, id: Uuid) -> Option<Cursor> {
        let plain: IdParts = self.cipher.open(id)?;
        let created_ms = plain.nonce as u64;
        (plain.nonce >> CURSOR_TIME_BITS == 0).then_some(Cursor { row: plain.row, created_ms })
    }

    /// Returns a cursor of an export as clients see it.
    pub fn result_cursor_id(&self, cursor: ResultCursor) -> Uuid {
        let nonce = CURSOR_TAG << CURSOR_ROW_BITS | u128::from(cursor.rows);
        self.cipher.seal(cursor.number, nonce)
    }

    /// Returns the cursor of an export that a client has sent back; `None` when it is none of this
    /// store's.
    pub fn result_cursor(&self, id: Uuid) -> Option<ResultCursor> {
        let plain = self.cipher.open(id)?;
        let rows = u32::try_from(plain.nonce & u128::from(u32::MAX)).ok()?;
        let own = plain.nonce >> CURSOR_ROW_BITS == CURSOR_TAG;
        own.then_some(ResultCursor { number: plain.row, rows })
    }
}
