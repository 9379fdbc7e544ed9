//! Reading batches with their jobs, and what was submitted with an idempotency key before.

use std::sync::Arc;

use uuid::Uuid;

use super::handle::SharedStore;
use super::hours;
use super::loading::batch_of;
use super::reads::{Read, RowSubject};
use super::round::Value;
use super::row_number::RowParts;
use crate::clock::UnixMs;
use crate::job::{Batch, Idempotency, Job};
use crate::store::idempotency::Existing;
use crate::store::{Blocking, Row, StoreError, SubmitError, record};

impl SharedStore {
    /// Returns the batch that came with the same idempotency key and request before, if it exists
    /// at `now_ms`: see [`crate::store::Store::earlier_batch`].
    ///
    /// # Errors
    /// Returns an error if the database fails or what was submitted is damaged.
    pub(crate) async fn earlier_batch(
        &self,
        known: Option<Idempotency>,
        now_ms: UnixMs,
    ) -> Result<Option<Result<Batch, SubmitError>>, StoreError> {
        let Some(known) = known else { return Ok(None) };
        let text = "SELECT row FROM idempotency WHERE key_hash = $1 AND expires_ms > $2";
        let values: Vec<Value> =
            vec![Arc::new(Uuid::from_u128(known.key_hash)), Arc::new(now_ms as i64)];
        let holder = self.ask_text(text, values).committed().await?;
        let Some(row) = holder.first().map(|holder| holder.get::<_, i64>(0) as Row) else {
            return Ok(None);
        };
        let found = self.begin_read(row).committed().await?;
        let job = self.take_job(&found, now_ms, |job, _| job.clone())?;
        let existing = match job {
            Some(job) => Existing::job(job, known, now_ms),
            None => {
                let batch = self.ask(|reply| Read::One(RowSubject::Batch, row, reply));
                let batch = batch.committed().await?.map(|found| batch_of(&found)).transpose()?;
                batch.and_then(|batch| Existing::batch(batch, known, now_ms))
            }
        };
        Ok(existing.map(|existing| existing.repeated_batch(known)))
    }

    /// Reads a batch, if it exists at `now_ms`, and calls `visit` with the place and the job of
    /// every item that became one, in their order: all of one state. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails, or the batch or one of its jobs is damaged.
    pub(crate) fn batch_with_jobs(
        &self,
        id: Uuid,
        now_ms: UnixMs,
        mut visit: impl FnMut(u32, &Job),
    ) -> Result<Option<Batch>, StoreError> {
        let Some(row) = self.process.cipher.open(id).map(|plain| plain.row) else {
            return Ok(None);
        };
        let Some(batch) = self.batch(id, now_ms).wait()? else { return Ok(None) };
        let suffix = hours::suffix(RowParts::of(row).hour);
        // One statement has one snapshot: the counts are those of the jobs.
        let text = format!(
            "SELECT b.row, b.record, p.done, p.failed, p.completed_ms, j.row, j.asked, \
             coalesce(e.standing, q.standing) FROM batches_{suffix} b \
             JOIN batch_ends p ON p.row = b.row \
             LEFT JOIN jobs_{suffix} j ON j.row BETWEEN $2 AND $3 \
             LEFT JOIN ends_{suffix} e ON e.row = j.row LEFT JOIN queue q ON q.row = j.row \
             WHERE b.row = $1 ORDER BY j.row"
        );
        let number = |row: Row| Arc::new(row as i64) as Value;
        let last = row + u64::from(batch.items);
        let found =
            self.ask_text(&text, vec![number(row), number(row + 1), number(last)]).wait()?;
        let Some(batch) = found.first().map(batch_of).transpose()? else { return Ok(None) };
        for found in &found {
            let (Some(of), Some(standing)) =
                (found.get::<_, Option<i64>>(5), found.get::<_, Option<&[u8]>>(7))
            else {
                continue;
            };
            let name = |number| self.process.scrapers.name(number);
            let (job, _) = record::decode_halves(of as Row, found.get(6), standing, name)?;
            if job.batch == Some(batch.key) {
                // Inside the batch's rows, which are few.
                visit((job.row - row - 1) as u32, &job);
            }
        }
        Ok(Some(batch))
    }
}
