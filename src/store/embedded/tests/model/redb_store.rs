//! The store in one redb file, as the model's operations reach it.

use super::*;
use crate::job::Subject;

impl Tested for Fixture {
    const DROPS_HOURS: bool = false;

    fn reopen(self, _: UnixMs) -> Fixture {
        Fixture::reopen(self)
    }

    fn finish(self, jobs: usize) {
        let report = self.check();
        assert_eq!(report.problems, Vec::<String>::new());
        assert_eq!(report.jobs, jobs as u64);
    }

    fn listen(&self, listener: Arc<dyn Listener>) {
        self.store.listen(listener);
    }

    fn new_identity(&self) -> NewIdentity {
        self.store.new_identity("team-a").wait().unwrap()
    }

    fn new_batch_identity(&self, items: usize) -> (BatchKey, Vec<NewIdentity>) {
        self.store.new_batch_identity("team-a", items).wait().unwrap()
    }

    fn id_of(&self, job: &Job) -> Uuid {
        self.store.id_of(job)
    }

    fn submit(
        &self,
        job: Job,
        result: Option<Vec<u8>>,
        limits: SubmitLimits,
    ) -> Result<Job, SubmitError> {
        self.store.submit(job, result, limits).wait().unwrap()
    }

    fn submit_batch(&self, batch: Batch, items: Vec<NewItem>) -> Result<Batch, SubmitError> {
        self.store.submit_batch(batch, items).wait().unwrap()
    }

    fn transition(
        &self,
        row: Row,
        now_ms: UnixMs,
        event: Event,
        result: Option<NewResult>,
    ) -> Result<Job, TransitionError> {
        self.store.transition(row, now_ms, move |_| event.clone(), result).unwrap()
    }

    fn end_overdue(&self, now_ms: UnixMs) -> Vec<Job> {
        self.store.end_overdue(now_ms).unwrap().ended
    }

    fn sweep(&self, now_ms: UnixMs, cache_from_ms: UnixMs) -> usize {
        self.store.sweep(now_ms, cache_from_ms).unwrap().rows
    }

    fn note_delivery(&self, row: Row, attempt: DeliveryAttempt, resends: u32) -> Option<Delivery> {
        self.store.note_delivery(row, attempt, resends, None, 0).unwrap()
    }

    fn send_again(&self, id: Uuid, account: &str, now_ms: UnixMs) -> Result<Delivery, ResendError> {
        let again = self.store.send_again(Subject::Job, id, account.to_owned(), now_ms);
        actix_rt::Runtime::new().unwrap().block_on(again).unwrap()
    }

    fn read_job(&self, id: Uuid, now_ms: UnixMs) -> Option<(Job, Option<Vec<u8>>)> {
        let read = |job: &Job, result: Option<&[u8]>| (job.clone(), result.map(<[u8]>::to_vec));
        self.store.read_job(id, now_ms, read).wait().unwrap()
    }

    fn batch(&self, id: Uuid, now_ms: UnixMs) -> Option<Batch> {
        self.store.batch(id, now_ms).wait().unwrap()
    }

    fn delivery(&self, row: Row) -> Option<Delivery> {
        self.store.delivery(row).wait().unwrap()
    }

    fn credits(&self, account: &str, month: u32) -> Credits {
        self.store.credits(account, month).wait().unwrap()
    }

    fn unfinished(&self, scraper: u16) -> usize {
        self.store.unfinished(scraper)
    }

    fn cached(&self, hash: u128, from_ms: UnixMs, now_ms: UnixMs) -> Option<Cached> {
        self.store.cached(hash, from_ms, now_ms).wait().unwrap()
    }

    fn ready(&self, scraper: u16, interactive: bool, now_ms: UnixMs) -> Vec<Row> {
        let mut visited = Vec::new();
        let visit = |row| {
            visited.push(row);
            ControlFlow::Continue(())
        };
        self.store.visit_ready(scraper, interactive, now_ms, visit).wait().unwrap();
        visited
    }

    fn outbox(&self) -> Vec<(Row, Recipient)> {
        let mut visited = Vec::new();
        let visit = |(_, row), recipient| {
            visited.push((row, recipient));
            ControlFlow::Continue(())
        };
        self.store.visit_outbox(UnixMs::MAX, None, visit).unwrap();
        visited
    }

    fn next_delivery_ms(&self, now_ms: UnixMs) -> Option<UnixMs> {
        self.store.next_delivery_ms(now_ms).unwrap()
    }

    fn content(&self, _: UnixMs) -> Content {
        content_of(&self.store)
    }
}

/// Reads what the database holds.
fn content_of(store: &Store) -> Content {
    macro_rules! rows {
        ($snapshot:expr, $table:expr, |$key:ident, $value:ident| $row:expr) => {
            $snapshot
                .open_table($table)?
                .iter()?
                .map(|entry| {
                    let (key, value) = entry?;
                    let ($key, $value) = (key.value(), value.value());
                    $row
                })
                .collect::<Result<_, StoreError>>()?
        };
    }
    let read = store.embedded().unwrap().shared.read(|snapshot| {
        let prompts = snapshot.open_table(tables::PROMPTS)?;
        let job = |row, bytes: &[u8]| {
            let long_prompt = || Ok(prompts.get(row)?.map(|prompt| prompt.value().to_owned()));
            decode_job(row, bytes, |number| store.scrapers.name(number), long_prompt)
        };
        let mut content = Content {
            jobs: rows!(snapshot, tables::JOBS, |row, bytes| Ok((row, job(row, bytes)?.0))),
            results: rows!(snapshot, tables::RESULTS, |row, bytes| {
                Ok((row, record::decode_result(row, bytes)?.to_vec()))
            }),
            batches: rows!(snapshot, tables::BATCHES, |row, _bytes| {
                Ok((row, rows::batch_of_row(snapshot, row)?.unwrap()))
            }),
            ready: rows!(snapshot, tables::READY, |key, _none| Ok(key)),
            expiry: rows!(snapshot, tables::EXPIRY, |key, _none| Ok(key)),
            deadlines: rows!(snapshot, tables::DEADLINES, |key, _none| Ok(key)),
            idempotency: rows!(snapshot, tables::IDEMPOTENCY, |key, row| Ok((key, row))),
            outbox: rows!(snapshot, tables::OUTBOX, |key, _number| Ok(key)),
            deliveries: rows!(snapshot, tables::DELIVERIES, |row, bytes| {
                Ok((row, record::decode_delivery(row, bytes)?))
            }),
            cache: rows!(snapshot, tables::CACHE, |key, hash| Ok((key, hash))),
            ..Content::default()
        };
        for entry in snapshot.open_table(tables::CREDITS)?.iter()? {
            let (key, bytes) = entry?;
            let (account, number) = key.value();
            let key = (account.to_owned(), number);
            if number >= accounts::DAY_MIN {
                content.usage.insert(key, record::decode_day(number, bytes.value())?);
            } else {
                content.credits.insert(key, record::decode_credits(number, bytes.value())?);
            }
        }
        Ok(content)
    });
    read.unwrap()
}
