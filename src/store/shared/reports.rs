//! Deliveries together with what they report, of one state.

use std::sync::Arc;

use tokio_postgres::Row as PgRow;
use uuid::Uuid;

use super::handle::SharedStore;
use super::hours;
use super::loading::batch_of;
use super::round::Value;
use super::row_number::RowParts;
use crate::clock::UnixMs;
use crate::job::{Delivery, Subject};
use crate::store::{Blocking, Reported, Row, StoreError, record};

/// A job or batch that exists, as it is found with its delivery.
type WithDelivery<T> = Option<(T, Option<Delivery>)>;

impl SharedStore {
    /// Reads the delivery of a row together with what it reports, whether that has expired for
    /// clients or not: see [`crate::store::Store::read_delivery`]. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails; a delivery whose job or batch is missing or has not
    /// ended is damage.
    pub(crate) fn read_delivery<T>(
        &self,
        row: Row,
        read: impl FnOnce(&Delivery, Reported<'_>) -> T,
    ) -> Result<T, StoreError> {
        const GONE: StoreError = StoreError::Damaged("a delivery is gone");
        const MISSING: StoreError = StoreError::Damaged("what a delivery reports is missing");
        const PENDING: StoreError =
            StoreError::Damaged("the job or batch of a delivery has not ended");
        // What has a delivery has ended, and is what it was then.
        let delivery = self.delivery(row).wait()?.ok_or(GONE)?;
        match delivery.subject {
            Subject::Job => {
                // At the beginning of time nothing has expired.
                let found = self.read_row(row, 0, |job, result| {
                    let ended = job.state.finished();
                    ended.then(|| read(&delivery, Reported::Job(job, result)))
                });
                found.wait()?.ok_or(MISSING)?.ok_or(PENDING)
            }
            Subject::Batch => {
                let found = self.find_batch(row).wait()?;
                let batch = found.first().map(batch_of).transpose()?.ok_or(MISSING)?;
                let ended = batch.progress.completed_ms.is_some();
                ended.then(|| read(&delivery, Reported::Batch(&batch))).ok_or(PENDING)
            }
            Subject::Notice => {
                let notice = self.notice(row)?.ok_or(MISSING)?;
                Ok(read(&delivery, Reported::Notice(&notice)))
            }
        }
    }

    /// Reads the delivery of a job or a batch that exists at `now_ms`, in one state with what
    /// `read` takes from that: see [`crate::store::Store::webhook_of`].
    ///
    /// # Errors
    /// Returns an error if the database fails or what is read is damaged.
    pub(crate) async fn webhook_of<T>(
        &self,
        subject: Subject,
        id: Uuid,
        now_ms: UnixMs,
        read: impl FnOnce(Reported<'_>) -> T,
    ) -> Result<WithDelivery<T>, StoreError> {
        let Some(plain) = self.process.cipher.open(id) else { return Ok(None) };
        let (found, read, column) = match subject {
            Subject::Job => {
                let found = self.find_job(plain.row).await?;
                let known = found.into_iter().next().map(Arc::new);
                let read = self.take_job(&known, now_ms, |job, result| {
                    plain.has_nonce(job.nonce).then(|| read(Reported::Job(job, result)))
                })?;
                (known, read.flatten(), 4)
            }
            Subject::Batch => {
                let found = self.find_batch(plain.row).await?;
                let known = found.into_iter().next().map(Arc::new);
                let batch = known.as_deref().map(batch_of).transpose()?;
                let batch = batch.filter(|it| it.has_id(id) && it.expires_ms > now_ms);
                (known, batch.map(|batch| read(Reported::Batch(&batch))), 5)
            }
            // Their alerts show them.
            Subject::Notice => return Ok(None),
        };
        let Some((found, read)) = found.zip(read) else { return Ok(None) };
        let bytes: Option<&[u8]> = found.get(column);
        let delivery = bytes.map(|bytes| record::decode_delivery(plain.row, bytes)).transpose()?;
        Ok(Some((read, delivery)))
    }

    /// Finds a job as [`SharedStore::take_job`] takes it, and its delivery behind that.
    async fn find_job(&self, row: Row) -> Result<Vec<PgRow>, StoreError> {
        let suffix = hours::suffix(RowParts::of(row).hour);
        self.find(
            row,
            &format!(
                "SELECT j.row, j.asked, coalesce(e.standing, q.standing), e.result, d.record \
             FROM jobs_{suffix} j LEFT JOIN ends_{suffix} e ON e.row = j.row \
             LEFT JOIN queue q ON q.row = j.row LEFT JOIN deliveries_{suffix} d ON d.row = j.row \
             WHERE j.row = $1"
            ),
        )
        .await
    }

    /// Finds a batch as [`batch_of`] takes it, and its delivery behind that.
    async fn find_batch(&self, row: Row) -> Result<Vec<PgRow>, StoreError> {
        let suffix = hours::suffix(RowParts::of(row).hour);
        self.find(
            row,
            &format!(
                "SELECT b.row, b.record, p.done, p.failed, p.completed_ms, d.record \
             FROM batches_{suffix} b JOIN batch_ends p ON p.row = b.row \
             LEFT JOIN deliveries_{suffix} d ON d.row = b.row WHERE b.row = $1"
            ),
        )
        .await
    }

    async fn find(&self, row: Row, text: &str) -> Result<Vec<PgRow>, StoreError> {
        let values: Vec<Value> = vec![Arc::new(row as i64)];
        self.ask_text(text, values).committed().await
    }
}
