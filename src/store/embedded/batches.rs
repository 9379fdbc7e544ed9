//! Batches: jobs that are submitted in one transaction, and the count of those that have ended. A
//! batch's items have the rows after its own, in their order.

use uuid::Uuid;

use super::Embedded;
use super::snapshot::Snapshot;
use super::transaction::Tables;
use super::{batch_progress, idempotency, jobs, outbox, rows};
use crate::clock::UnixMs;
use crate::job::{Batch, Event, Failure, Idempotency, Job, State, TransitionError};
use crate::store::change;
use crate::store::{NewItem, Pending, Row, Scrapers, StoreError, SubmitError, record};

impl Embedded {
    pub(crate) fn submit_batch(
        &self,
        batch: Batch,
        items: Vec<NewItem>,
    ) -> Pending<Result<Batch, SubmitError>> {
        let scrapers = self.shared.scrapers.clone();
        self.queue(|queue| queue.submit(move |tables| insert(tables, &scrapers, batch, items)))
    }

    pub(crate) async fn earlier_batch(
        &self,
        known: Option<Idempotency>,
        now_ms: UnixMs,
    ) -> Result<Option<Result<Batch, SubmitError>>, StoreError> {
        let scrapers = self.shared.scrapers.clone();
        let earlier = self
            .queue(|queue| queue.submit(move |tables| earlier(tables, &scrapers, known, now_ms)));
        earlier.committed().await
    }

    pub(crate) async fn batch(
        &self,
        id: Uuid,
        now_ms: UnixMs,
    ) -> Result<Option<Batch>, StoreError> {
        self.read(|snapshot| self.batch_in(snapshot, id, now_ms))
    }

    pub(crate) fn batch_with_jobs(
        &self,
        id: Uuid,
        now_ms: UnixMs,
        mut visit: impl FnMut(u32, &Job),
    ) -> Result<Option<Batch>, StoreError> {
        self.read(|snapshot| {
            let Some(batch) = self.batch_in(snapshot, id, now_ms)? else { return Ok(None) };
            let tables = snapshot.rows()?;
            for entry in tables.jobs.range(rows_of(&batch))? {
                let (row, bytes) = entry?;
                let row = row.value();
                let long_prompt =
                    || Ok(tables.prompts.get(row)?.map(|prompt| prompt.value().to_owned()));
                let name = |number| self.shared.scrapers.name(number);
                let (job, _) = record::decode_job(row, bytes.value(), name, long_prompt)?;
                if job.batch == Some(batch.key) {
                    // Inside the batch's rows, which are few.
                    visit((row - batch.key.row - 1) as u32, &job);
                }
            }
            Ok(Some(batch))
        })
    }

    pub(super) fn batch_in(
        &self,
        snapshot: &Snapshot,
        id: Uuid,
        now_ms: UnixMs,
    ) -> Result<Option<Batch>, StoreError> {
        let Some(plain) = self.cipher.open(id) else { return Ok(None) };
        let batch = rows::batch_of_row(snapshot, plain.row)?;
        Ok(batch.filter(|batch| batch.has_id(id) && batch.expires_ms > now_ms))
    }

    pub(crate) async fn stop_batch(
        &self,
        id: Uuid,
        account: String,
        now_ms: UnixMs,
        failure: Failure,
    ) -> Result<Result<Batch, TransitionError>, StoreError> {
        let Some(plain) = self.cipher.open(id) else { return Ok(Err(TransitionError::Gone)) };
        let scrapers = self.shared.scrapers.clone();
        let pending = self.queue(|queue| {
            queue.submit(move |tables| {
                let batch = rows::read_batch(tables, plain.row)?.filter(|batch| {
                    let owned = batch.has_id(id) && batch.account == account;
                    owned && batch.expires_ms > now_ms
                });
                let Some(batch) = batch else { return Ok(Err(TransitionError::Gone)) };
                stop(tables, &scrapers, &batch, now_ms, &failure)
            })
        });
        pending.committed().await
    }
}

/// The rows of a batch's items.
fn rows_of(batch: &Batch) -> std::ops::RangeInclusive<Row> {
    batch.key.row + 1..=batch.key.row + u64::from(batch.items)
}

/// Returns the batch of an idempotency key, or that the key came with another request.
fn earlier(
    tables: &Tables<'_>,
    scrapers: &Scrapers,
    known: Option<Idempotency>,
    now_ms: UnixMs,
) -> Result<Option<Result<Batch, SubmitError>>, StoreError> {
    let Some(known) = known else { return Ok(None) };
    let existing = idempotency::find(tables, scrapers, known, now_ms)?;
    Ok(existing.map(|existing| existing.repeated_batch(known)))
}

/// Writes a batch with the jobs of those items that keep their limits. See [`Store::submit_batch`].
pub(super) fn insert(
    tables: &mut Tables<'_>,
    scrapers: &Scrapers,
    mut batch: Batch,
    items: Vec<NewItem>,
) -> Result<Result<Batch, SubmitError>, StoreError> {
    if let Some(earlier) = earlier(tables, scrapers, batch.idempotency, batch.created_ms)? {
        return Ok(earlier);
    }
    // Whatever a job's insert may refuse as damaged, before the first one has changed anything.
    for item in &items {
        scrapers.number(&item.job.request.scraper)?;
        tables.load_credits(&item.job)?;
        tables.load_usage(&item.job)?;
    }

    let mut done = 0;
    for NewItem { job, result, limits } in items {
        let row = job.row;
        match jobs::insert(tables, scrapers, job, result.as_deref(), limits)? {
            Ok(job) => done += u32::from(job.state == State::Done),
            Err(why) => batch.refused.push(change::rejected_item(batch.key, row, why)),
        }
    }
    let delivery = change::batch_submit(&mut batch, done);
    let row = batch.key.row;
    tables.batches.insert(row, record::encode_batch(&batch)?.as_slice())?;
    tables.expiry.insert((batch.expires_ms, row), ())?;
    if let Some(known) = batch.idempotency {
        tables.idempotency.insert(known.key_hash, row)?;
    }
    batch_progress::write_progress(tables, &batch)?;
    outbox::file(tables, outbox::seal(delivery)?)?;
    Ok(Ok(batch))
}

fn stop(
    tables: &mut Tables<'_>,
    scrapers: &Scrapers,
    batch: &Batch,
    now_ms: UnixMs,
    failure: &Failure,
) -> Result<Result<Batch, TransitionError>, StoreError> {
    if batch.pending() == 0 {
        return Ok(Err(TransitionError::Finished));
    }
    for row in rows_of(batch) {
        let decide = |job: &Job| {
            let member = job.batch == Some(batch.key);
            member.then(|| Event::Stop { failure: failure.clone() })
        };
        match jobs::transition_if(tables, scrapers, row, now_ms, decide, None) {
            Err(error) if error.voids_transaction() => return Err(error),
            // A damaged job does not keep the others from being stopped.
            Err(_) | Ok(_) => {}
        }
    }
    let stopped = rows::read_batch(tables, batch.key.row)?;
    Ok(stopped.ok_or(TransitionError::Gone))
}
