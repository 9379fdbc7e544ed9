//! A second store, in memory. It writes what `store/change.rs` returns and has no rule of its own:
//! what the database holds after each step, it has to hold as well, and no more.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::clock;
use crate::store::accounts::DayRecord;
use crate::store::change::{self, DeliveryChange, JobChange};
use crate::store::idempotency::Existing;
use crate::store::outbox::NewDelivery;

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Content {
    pub jobs: BTreeMap<Row, Job>,
    pub batches: BTreeMap<Row, Batch>,
    pub results: BTreeMap<Row, Vec<u8>>,
    pub ready: BTreeSet<ReadyKey>,
    pub expiry: BTreeSet<(UnixMs, Row)>,
    pub deadlines: BTreeSet<(UnixMs, Row)>,
    pub idempotency: BTreeMap<u128, Row>,
    pub outbox: BTreeSet<(UnixMs, Row)>,
    pub deliveries: BTreeMap<Row, Delivery>,
    pub cache: BTreeMap<(UnixMs, Row), u128>,
    pub credits: BTreeMap<(String, u32), Credits>,
    pub usage: BTreeMap<(String, u32), DayRecord>,
}

/// The second store.
#[derive(Default)]
pub(super) struct Memory {
    pub content: Content,
    pub unfinished: BTreeMap<u16, isize>,
    /// Whether what has ended goes with the tables of its hour, and not one by one.
    pub drops_hours: bool,
    /// What follows from the latest step.
    pub effects: Vec<Effect>,
}

impl Memory {
    /// Returns what another store has to hold at `now_ms`.
    pub(super) fn compared(&self, now_ms: UnixMs) -> Content {
        let mut content = self.content.clone();
        if self.drops_hours {
            let exists = |row: &Row| {
                let job = self.content.jobs.get(row).map(|job| job.expires_ms);
                let batch = self.content.batches.get(row).map(|batch| batch.expires_ms);
                job.or(batch).is_some_and(|at_ms| at_ms > now_ms)
            };
            content.idempotency.retain(|_, row| exists(row));
            content.batches.retain(|_, batch| batch.expires_ms > now_ms);
            content.expiry.clear();
            content.credits.retain(|_, credits| *credits != Credits::default());
        }
        content
    }

    pub(super) fn submit(
        &mut self,
        job: Job,
        result: Option<&[u8]>,
        limits: SubmitLimits,
    ) -> Result<Job, SubmitError> {
        if let Some(known) = job.idempotency
            && let Some(existing) = self.existing(known, job.created_ms)
        {
            return existing.repeated_job(known);
        }
        let scraper = number(&job);
        let unfinished = self.unfinished.get(&scraper).copied().unwrap_or_default();
        let credits = self.content.credits.get(&month_of(&job)).copied().unwrap_or_default();
        change::admit(&job, limits, unfinished as usize, || Ok(credits)).unwrap()?;
        self.write(change::submit(&job, scraper, result), job.created_ms);
        self.content.expiry.insert((job.expires_ms, job.row));
        if let Some(known) = job.idempotency {
            self.content.idempotency.insert(known.key_hash, job.row);
        }
        Ok(job)
    }

    pub(super) fn submit_batch(&mut self, mut batch: Batch, items: Vec<NewItem>) {
        let mut done = 0;
        for NewItem { job, result, limits } in items {
            let row = job.row;
            match self.submit(job, result.as_deref(), limits) {
                Ok(job) => done += u32::from(job.state == State::Done),
                Err(why) => batch.refused.push(change::rejected_item(batch.key, row, why)),
            }
        }
        self.file(change::batch_submit(&mut batch, done));
        self.content.expiry.insert((batch.expires_ms, batch.key.row));
        self.content.batches.insert(batch.key.row, batch);
    }

    pub(super) fn transition(
        &mut self,
        row: Row,
        now_ms: UnixMs,
        decide: impl FnOnce(&Job) -> Option<Event>,
        result: Option<&NewResult>,
    ) -> Result<Job, TransitionError> {
        let mut job = self.content.jobs.get(&row).cloned().ok_or(TransitionError::Gone)?;
        let scraper = number(&job);
        let change = change::transition(&mut job, scraper, now_ms, decide, result)?;
        self.write(change, now_ms);
        Ok(job)
    }

    pub(super) fn end_overdue(&mut self, now_ms: UnixMs) {
        let overdue: Vec<_> =
            self.content.deadlines.range(..=(now_ms, Row::MAX)).copied().collect();
        for (filed_ms, row) in overdue {
            let decide = |job: &Job| change::overdue(job, filed_ms);
            if self.transition(row, now_ms, decide, None) == Err(TransitionError::Gone) {
                self.remove(row, now_ms);
            }
        }
    }

    pub(super) fn sweep(&mut self, now_ms: UnixMs, cache_from_ms: UnixMs) {
        let expired: Vec<_> = self.content.expiry.range(..=(now_ms, Row::MAX)).copied().collect();
        for (_, row) in expired {
            let job = self.content.jobs.get(&row);
            if !self.drops_hours || job.is_some_and(|job| !job.state.finished()) {
                self.remove(row, now_ms);
            }
        }
        if self.drops_hours {
            return;
        }
        self.content.cache.retain(|(stored_ms, _), _| *stored_ms >= cache_from_ms);
    }

    pub(super) fn note(&mut self, row: Row, attempt: DeliveryAttempt, resends: u32) {
        let note = |delivery: &mut Delivery| delivery.note(attempt, resends, None, 0);
        self.change_delivery(row, note);
    }

    pub(super) fn send_again(&mut self, row: Row, now_ms: UnixMs) {
        self.change_delivery(row, |delivery| delivery.send_again(now_ms));
        self.effects.push(Effect::Delivery { due_ms: now_ms });
    }

    fn change_delivery(&mut self, row: Row, change: impl FnOnce(&mut Delivery)) {
        let known = self.content.deliveries.get(&row).zip(self.content.jobs.get(&row));
        let Some((delivery, job)) = known else { return };
        let change = change::delivery(delivery.clone(), job.expires_ms, change);
        self.write_delivery(row, change);
    }

    fn write_delivery(&mut self, row: Row, change: DeliveryChange) {
        let content = &mut self.content;
        let DeliveryChange { delivery, outbox, expiry } = change;
        for (index, moved) in [(&mut content.outbox, outbox), (&mut content.expiry, expiry)] {
            if let Some(at_ms) = moved.removed_ms() {
                assert!(index.remove(&(at_ms, row)), "{moved:?}");
            }
            index.extend(moved.added_ms().map(|at_ms| (at_ms, row)));
        }
        content.deliveries.insert(row, delivery);
    }

    fn existing(&self, known: Idempotency, now_ms: UnixMs) -> Option<Existing> {
        let row = self.content.idempotency.get(&known.key_hash)?;
        let job = self.content.jobs.get(row)?;
        Existing::job(job.clone(), known, now_ms)
    }

    fn file(&mut self, new: Option<NewDelivery>) {
        let Some(new) = new else { return };
        self.effects.extend(new.effect());
        self.content.outbox.extend(new.delivery.due_ms().map(|due_ms| (due_ms, new.row)));
        self.content.deliveries.insert(new.row, new.delivery);
    }

    fn write(&mut self, mut change: JobChange<'_>, now_ms: UnixMs) {
        let job = change.job;
        self.file(change.delivery.take());
        if let Some(result) = change.result {
            self.content.results.insert(job.row, result.json.to_vec());
            let stored = result.cache_hash.map(|hash| ((now_ms, job.row), hash));
            self.content.cache.extend(stored);
        }
        self.content.jobs.insert(job.row, job.clone());
        self.follow(&change, now_ms);
    }

    fn follow(&mut self, change: &JobChange<'_>, now_ms: UnixMs) {
        let (job, scraper, row) = (change.job, change.scraper, change.job.row);
        let place = |due_ms| (scraper, job.interactive, due_ms, row);
        let content = &mut self.content;
        if let Some(due_ms) = change.queue.removed_ms() {
            assert!(content.ready.remove(&place(due_ms)));
        }
        content.ready.extend(change.queue.added_ms().map(place));
        if let Some(at_ms) = change.deadline.removed_ms() {
            assert!(content.deadlines.remove(&(at_ms, row)));
        }
        content.deadlines.extend(change.deadline.added_ms().map(|at_ms| (at_ms, row)));
        if !change.credits.is_none() {
            content.credits.entry(month_of(job)).or_default().apply(change.credits);
        }
        if !change.usage.is_none() {
            let day = (job.account.clone(), clock::calendar_day(job.created_ms));
            let used = content.usage.entry(day).or_default().of(scraper);
            *used = used.and(change.usage);
        }
        *self.unfinished.entry(scraper).or_default() += change.unfinished_change();
        change.add_effects(&mut self.effects);
        let ended = change.batch.and_then(|end| {
            let batch = self.content.batches.get_mut(&end.key.row)?;
            Some((end.key.row, change::batch_end(batch, end.done, now_ms)))
        });
        if let Some((row, ended)) = ended {
            self.file(ended.delivery);
            self.effects.extend(ended.ends.then_some(Effect::BatchEnded { row }));
        }
    }

    fn remove(&mut self, row: Row, now_ms: UnixMs) {
        let job = self.content.jobs.get(&row).cloned();
        let batch = self.content.batches.get(&row).map(|batch| batch.expires_ms);
        let Some(expires_ms) = job.as_ref().map(|job| job.expires_ms).or(batch) else { return };
        if expires_ms > now_ms {
            return;
        }
        let content = &mut self.content;
        if let Some(delivery) = content.deliveries.get(&row) {
            if let Some(held) = change::hold(delivery.clone(), expires_ms, now_ms) {
                return self.write_delivery(row, held);
            }
            content.outbox.retain(|(_, of)| *of != row);
        }
        content.deliveries.remove(&row);
        content.expiry.retain(|(_, of)| *of != row);
        content.batches.remove(&row);
        content.jobs.remove(&row);
        content.results.remove(&row);
        content.idempotency.retain(|_, of| *of != row);
        if let Some(job) = job {
            self.follow(&change::expiry(&job, number(&job)), now_ms);
        }
    }
}

fn month_of(job: &Job) -> (String, u32) {
    (job.account.clone(), clock::calendar_month(job.created_ms))
}

fn number(job: &Job) -> u16 {
    SCRAPERS.iter().position(|name| *name == job.request.scraper).unwrap() as u16
}
