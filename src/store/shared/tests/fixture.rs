//! A node of a shared store on a schema of its own, as tests drive it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, UnixMs};
use crate::config::WakeBy;
use crate::job::{Batch, BatchProgress, Delivery, Event, Job, RawRequest, State};
use crate::store::accounts::{Credits, DAY_MIN, DayRecord, Usage};
use crate::store::embedded::tests::model::Content;
use crate::store::shared::handle::SharedStore;
use crate::store::shared::loading::credits_of;
use crate::store::shared::options::SharedOptions;
use crate::store::shared::pg_options::PgOptions;
pub(super) use crate::store::shared::round::Value;
use crate::store::shared::tests::{Place, START_MS};
use crate::store::{NewItem, NewResult, Row, SubmitLimits, record};

pub(super) const NO_LIMITS: SubmitLimits =
    SubmitLimits { unfinished_max: usize::MAX, monthly_credits: None };

/// Returns the options of a node of this name in a place.
pub(super) fn options(place: &Place, node: &str) -> SharedOptions {
    SharedOptions {
        pg: PgOptions { node: node.to_owned(), ..place.options.clone() },
        writers: 2,
        readers: 2,
        scrapers: vec!["chatgpt".to_owned(), "perplexity".to_owned()],
        cache_bytes: 1 << 20,
        cache_entries_max: 100,
        cache_from_ms: 0,
        wake: WakeBy::Notify,
        patience: Duration::from_secs(10),
        migrate: false,
        require_standby: false,
        evidence_bytes_max: 1 << 20,
        clock: Clock::manual(START_MS).0,
    }
}

/// A node.
pub(super) struct Node {
    pub options: SharedOptions,
    pub store: SharedStore,
}

impl Node {
    /// Opens the only node of a store of its own.
    pub(super) fn alone() -> Node {
        Node::of(options(&Place::empty(), "a"))
    }

    pub(super) fn of(options: SharedOptions) -> Node {
        let store = SharedStore::open(&options).unwrap();
        Node { options, store }
    }

    pub(super) fn reopen(self) -> Node {
        self.store.close();
        Node::of(self.options)
    }

    pub(super) fn new_job(&self, prompt: &str) -> Job {
        let identity = self.store.new_identity("team-a").unwrap();
        let raw = RawRequest { prompt: Some(prompt.to_owned()), ..RawRequest::default() };
        let request = raw.check("chatgpt", &[]).unwrap();
        let job = Job::fixture(identity.row, identity.nonce, request, START_MS);
        Job { account: "team-a".to_owned(), ..job }
    }

    /// Returns a batch of team-a with its items.
    pub(super) fn new_batch(&self, items: usize) -> (Batch, Vec<NewItem>) {
        let (key, identities) = self.store.new_batch_identity("team-a", items).unwrap();
        let items = identities.iter().map(|identity| {
            let (row, nonce) = (identity.row, identity.nonce);
            let job = Job { row, nonce, batch: Some(key), ..self.new_job("in it") };
            NewItem { job, result: None, limits: NO_LIMITS }
        });
        let items: Vec<NewItem> = items.collect();
        let batch = Batch {
            key,
            account: "team-a".to_owned(),
            label: None,
            items: items.len() as u32,
            refused: Vec::new(),
            created_ms: START_MS,
            expires_ms: START_MS + 86_400_000,
            idempotency: None,
            webhook_url: None,
            progress: BatchProgress::default(),
        };
        (batch, items)
    }

    pub(super) fn submit(&self, job: Job) -> Job {
        self.store.submit(job, None, NO_LIMITS).wait().unwrap().unwrap()
    }

    /// Applies an event `after_ms` after the start of the test.
    pub(super) fn apply(
        &self,
        row: Row,
        after_ms: u64,
        event: Event,
        result: Option<NewResult>,
    ) -> Job {
        let decide = move |_: &Job| event.clone();
        let applied = self.store.begin_transition(row, START_MS + after_ms, decide, result);
        applied.wait().unwrap().unwrap()
    }

    /// Runs a job from its submit to its success.
    pub(super) fn done(&self, prompt: &str) -> Job {
        let job = self.submit(self.new_job(prompt));
        self.apply(job.row, 0, Event::Start, None);
        let result = NewResult { json: br#"{"text":"42"}"#.to_vec(), cache_hash: None };
        self.apply(job.row, 1, Event::Succeed { lease: 1, present: None }, Some(result))
    }

    /// Returns the rows that a statement finds.
    pub(super) fn ask(&self, text: &str, values: Vec<Value>) -> Vec<tokio_postgres::Row> {
        self.store.ask_text(text, values).wait().unwrap()
    }

    fn hours(&self) -> Vec<String> {
        let hours = self.ask("SELECT lpad(hour::text, 6, '0') FROM hours ORDER BY hour", vec![]);
        hours.iter().map(|row| format!("1_{}", row.get::<_, String>(0))).collect()
    }

    /// Returns what the database holds, but for keys and batches that have expired.
    pub(super) fn content(&self, now_ms: UnixMs) -> Content {
        let mut content = Content::default();
        for hour in self.hours() {
            self.add_hour(&mut content, &hour);
        }
        for row in
            self.ask("SELECT scraper, interactive, due_ms, row, start_by_ms FROM queue", vec![])
        {
            let (scraper, due_ms): (i16, i64) = (row.get(0), row.get(2));
            let number = row.get::<_, i64>(3) as Row;
            content.ready.insert((scraper as u16, row.get(1), due_ms as u64, number));
            let start_by_ms: Option<i64> = row.get(4);
            content.deadlines.extend(start_by_ms.map(|at_ms| (at_ms as u64, number)));
        }
        for row in self.ask("SELECT due_ms, row FROM outbox", vec![]) {
            content.outbox.insert((row.get::<_, i64>(0) as u64, row.get::<_, i64>(1) as u64));
        }
        let keys = "SELECT key_hash, row FROM idempotency WHERE expires_ms > $1";
        for row in self.ask(keys, vec![Arc::new(now_ms as i64)]) {
            let key: uuid::Uuid = row.get(0);
            content.idempotency.insert(key.as_u128(), row.get::<_, i64>(1) as u64);
        }
        content.batches.retain(|_, batch| batch.expires_ms > now_ms);
        self.add_accounts(&mut content);
        content
    }

    fn add_hour(&self, content: &mut Content, hour: &str) {
        let jobs = format!(
            "SELECT j.row, j.asked, coalesce(e.standing, q.standing), e.result, e.row IS NOT NULL, \
             q.row IS NOT NULL FROM jobs_{hour} j LEFT JOIN ends_{hour} e ON e.row = j.row \
             LEFT JOIN queue q ON q.row = j.row"
        );
        for row in self.ask(&jobs, vec![]) {
            let number = row.get::<_, i64>(0) as Row;
            let (ended, queued): (bool, bool) = (row.get(4), row.get(5));
            assert!(!(ended && queued), "row {number} has ended and is in the queue");
            let Some(standing) = row.get::<_, Option<&[u8]>>(2) else { continue };
            let name = |number| self.store.process.scrapers.name(number);
            let (job, _) = record::decode_halves(number, row.get(1), standing, name).unwrap();
            assert_eq!(job.state.finished(), ended);
            if job.state == State::Done {
                let json = record::decode_result(number, row.get(3)).unwrap().to_vec();
                content.results.insert(number, json);
            }
            content.jobs.insert(number, job);
        }
        let batches = format!(
            "SELECT b.row, b.record, e.done, e.failed, e.completed_ms FROM batches_{hour} b \
             JOIN batch_ends e ON e.row = b.row"
        );
        for row in self.ask(&batches, vec![]) {
            let batch = crate::store::shared::loading::batch_of(&row).unwrap();
            content.batches.insert(batch.key.row, batch);
        }
        for row in self.ask(&format!("SELECT row, record FROM deliveries_{hour}"), vec![]) {
            let number = row.get::<_, i64>(0) as Row;
            let delivery: Delivery = record::decode_delivery(number, row.get(1)).unwrap();
            content.deliveries.insert(number, delivery);
        }
        for row in self.ask(&format!("SELECT stored_ms, row, hash FROM cache_{hour}"), vec![]) {
            let hash: uuid::Uuid = row.get(2);
            let key = (row.get::<_, i64>(0) as u64, row.get::<_, i64>(1) as u64);
            content.cache.insert(key, hash.as_u128());
        }
    }

    fn add_accounts(&self, content: &mut Content) {
        let credits = "SELECT name, month, sum(reserved)::int8, sum(used)::int8 FROM credits \
                       JOIN accounts ON number = account GROUP BY 1, 2";
        for row in self.ask(credits, vec![]) {
            let credits = credits_of(row.get(2), row.get(3));
            if credits != Credits::default() {
                content.credits.insert((row.get(0), row.get::<_, i32>(1) as u32), credits);
            }
        }
        let usage = "SELECT name, day, scraper, sum(jobs)::int8, sum(done)::int8, \
                     sum(failed)::int8, sum(cached)::int8, sum(credits)::int8 FROM usage \
                     JOIN accounts ON number = account GROUP BY 1, 2, 3";
        let mut days: BTreeMap<(String, u32), DayRecord> = BTreeMap::new();
        for row in self.ask(usage, vec![]) {
            let count = |column: usize| row.get::<_, i64>(column) as u64;
            let day = row.get::<_, i32>(1) as u32;
            assert!(day >= DAY_MIN);
            *days.entry((row.get(0), day)).or_default().of(row.get::<_, i16>(2) as u16) = Usage {
                jobs: count(3),
                done: count(4),
                failed: count(5),
                cached: count(6),
                credits: count(7),
            };
        }
        content.usage = days;
    }

    /// Returns the sum of the counts of unfinished jobs of a scraper.
    pub(super) fn depth(&self, scraper: u16) -> i64 {
        let depth = "SELECT coalesce(sum(n), 0)::int8 FROM depth WHERE scraper = $1";
        self.ask(depth, vec![Arc::new(scraper as i16)])[0].get(0)
    }
}
