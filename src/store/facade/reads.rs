//! What is read of jobs, their results and attempts: nothing here writes.

use uuid::Uuid;

use super::backend::{Backend, ask};
use crate::clock::UnixMs;
use crate::job::{AttemptEnd, Batch, Job, UpstreamUsage};
use crate::store::{
    BatchFilter, BatchPage, Blocking, Cached, CompletedPage, Cursor, KeptRaw, ListFilter, ListPage,
    ResultFilter, Row, SealedResult, Store, StoreError,
};

impl Store {
    /// Reads the job of an id with the JSON of its result, if it exists at `now_ms`. The bytes are
    /// the database's own: `read` copies what it needs.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub async fn read_job<T>(
        &self,
        id: Uuid,
        now_ms: UnixMs,
        read: impl FnOnce(&Job, Option<&[u8]>) -> T,
    ) -> Result<Option<T>, StoreError> {
        ask!(self.backend, store => store.read_job(id, now_ms, read).await)
    }

    /// Does what [`Store::read_job`] does, by row number.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub async fn read_row<T>(
        &self,
        row: Row,
        now_ms: UnixMs,
        read: impl FnOnce(&Job, Option<&[u8]>) -> T,
    ) -> Result<Option<T>, StoreError> {
        ask!(self.backend, store => store.read_row(row, now_ms, read).await)
    }

    /// Returns the cached result for a request's hash that was stored from `from_ms` to `now_ms`
    /// and whose job still exists.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub async fn cached(
        &self,
        hash: u128,
        from_ms: UnixMs,
        now_ms: UnixMs,
    ) -> Result<Option<Cached>, StoreError> {
        ask!(self.backend, store => store.cached(hash, from_ms, now_ms).await)
    }

    /// Reads a job with the JSON of its result and its attempts that are kept, oldest first, if it
    /// exists at `now_ms`: all of one state.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub async fn read_attempts<T>(
        &self,
        id: Uuid,
        now_ms: UnixMs,
        read_job: impl FnOnce(&Job, Option<&[u8]>, Vec<AttemptEnd>) -> T,
    ) -> Result<Option<T>, StoreError> {
        ask!(self.backend, store => store.read_attempts(id, now_ms, read_job).await)
    }

    /// Reads a job with its result, sealed as it is stored, and what its attempts have used, if it
    /// exists at `now_ms`: all of one state.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub async fn read_job_with_usage<T>(
        &self,
        id: Uuid,
        now_ms: UnixMs,
        read_job: impl FnOnce(&Job, Option<SealedResult<'_>>, Option<&UpstreamUsage>) -> T,
    ) -> Result<Option<T>, StoreError> {
        ask!(self.backend, store => store.read_job_with_usage(id, now_ms, read_job).await)
    }

    /// Reads a batch, if it exists at `now_ms`.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub async fn batch(&self, id: Uuid, now_ms: UnixMs) -> Result<Option<Batch>, StoreError> {
        ask!(self.backend, store => store.batch(id, now_ms).await)
    }

    /// Reads a batch, if it exists at `now_ms`, and calls `visit` with the place and the job of
    /// every item that became one, in their order: all of one state, so that the counts are those
    /// of the jobs.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub fn batch_with_jobs(
        &self,
        id: Uuid,
        now_ms: UnixMs,
        visit: impl FnMut(u32, &Job),
    ) -> Result<Option<Batch>, StoreError> {
        ask!(self.backend, store => store.batch_with_jobs(id, now_ms, visit))
    }

    /// Reads the raw replies of a job as JSON; `None` if none are kept of it.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub fn raw(&self, row: Row) -> Result<Option<Vec<u8>>, StoreError> {
        ask!(self.backend, store => store.raw(row))
    }

    /// Returns the rows of all jobs of which raw replies are kept, lowest first.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn raw_rows(&self) -> Result<Vec<Row>, StoreError> {
        ask!(self.backend, store => store.raw_rows())
    }

    /// Writes another result in the place of a job's. Blocks until it is committed.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn replace_result(&self, row: Row, json: Vec<u8>) -> Result<(), StoreError> {
        ask!(self.backend, store => store.replace_result(row, json))
    }

    /// Returns the newest of the jobs that match, exist at `now_ms` and lie after `after`: at most
    /// `jobs_max` of them, and fewer when `LIST_ROWS_MAX` rows have been looked at.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn list(
        &self,
        filter: &ListFilter,
        after: Option<Cursor>,
        jobs_max: usize,
        now_ms: UnixMs,
    ) -> Result<ListPage, StoreError> {
        ask!(self.backend, store => store.list(filter, after, jobs_max, now_ms))
    }

    /// Returns the newest of the batches that match, as [`Store::list`] does for jobs.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn list_batches(
        &self,
        filter: &BatchFilter,
        after: Option<Cursor>,
        batches_max: usize,
        now_ms: UnixMs,
    ) -> Result<BatchPage, StoreError> {
        ask!(self.backend, store => store.list_batches(filter, after, batches_max, now_ms))
    }

    /// Returns the number of the job that was done last; `None` if none was.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub async fn last_completion(&self) -> Result<Option<u64>, StoreError> {
        ask!(self.backend, store => store.last_completion().await)
    }

    /// Returns the jobs of an account that are done, that match and that exist at `now_ms`, in
    /// the order in which they were done, with the numbers from `from` to `until`: as many as a
    /// page has.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn completed(
        &self,
        filter: &ResultFilter,
        from: u64,
        until: u64,
        now_ms: UnixMs,
    ) -> Result<CompletedPage, StoreError> {
        ask!(self.backend, store => store.completed(filter, from, until, now_ms))
    }

    /// Reads a job with its raw replies; `None` if it does not exist at `now_ms`, or has none.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub fn kept_raw(&self, row: Row, now_ms: UnixMs) -> Result<Option<KeptRaw>, StoreError> {
        let read =
            self.read_row(row, now_ms, |job, result| (job.clone(), result.map(<[u8]>::to_vec)));
        let (Some((job, result)), Some(raw)) = (read.wait()?, self.raw(row)?) else {
            return Ok(None);
        };
        Ok(Some(KeptRaw { id: self.id_of(&job), job, raw, result }))
    }
}
