//! What clients call, and what the model says that they are answered.

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    QueueFull,
    CreditLimit,
}

impl Model {
    pub(super) fn caller(account: usize) -> Caller {
        Caller { monthly_credits: Some(ALLOWANCE), ..Caller::plain(ACCOUNTS[account]) }
    }

    fn asked(&self, submit: &Submit) -> (ScrapeRequest, Handling) {
        let raw = RawRequest {
            prompt: Some(format!("prompt {}", submit.prompt)),
            bypass_cache: Some(submit.bypass),
            ..RawRequest::default()
        };
        let handling = Handling {
            label: submit.label.map(|label| LABELS[label].to_owned()),
            start_within_ms: submit.start_within_ms,
            idempotency_key: submit.key.map(|key| format!("key {key}")),
            webhook_url: submit.webhook.then(|| self.world.receiver.url()),
            ..Handling::default()
        };
        (raw.check(SCRAPERS[submit.scraper], &[]).unwrap(), handling)
    }

    pub(super) fn submit(&mut self, submit: &Submit) {
        let (request, handling) = self.asked(submit);
        let caller = Model::caller(submit.account);
        let future = self.world.service().submit(&caller, request, handling);
        let answer = self.world.runtime.block_on(future);
        let now_ms = self.world.now_ms();
        let known = submit.key.and_then(|key| self.keys.get(&(submit.account, key)));
        let known = known.and_then(|row| self.jobs.get(row)).filter(|job| job.exists(now_ms));
        if let Some(known) = known {
            match answer {
                Ok(accepted) => {
                    assert!(accepted.replayed && known.same(submit));
                    assert_eq!(accepted.id.to_string(), known.id);
                }
                Err(ServiceError::IdempotencyKeyReused) => assert!(!known.same(submit)),
                Err(other) => panic!("{other:?}"),
            }
            return;
        }
        let cached = self.cached(submit.scraper, submit.prompt, submit.bypass);
        match answer {
            Ok(Accepted { job, id, replayed }) => {
                assert!(!replayed);
                assert_eq!(self.refusal(submit.scraper, submit.account, cached), None);
                let job = Expected::new(job.row, id.to_string(), submit, now_ms, cached);
                self.accept(job);
            }
            Err(ServiceError::QueueFull { .. }) => {
                let expected = self.refusal(submit.scraper, submit.account, cached);
                assert_eq!(expected, Some(Refusal::QueueFull));
            }
            Err(ServiceError::CreditLimit { .. }) => {
                let expected = self.refusal(submit.scraper, submit.account, cached);
                assert_eq!(expected, Some(Refusal::CreditLimit));
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    pub(super) fn submit_batch(&mut self, account: usize, prompts: &[usize], webhook: bool) {
        let submits: Vec<Submit> = prompts
            .iter()
            .map(|prompt| Submit {
                scraper: 0,
                account,
                prompt: *prompt,
                bypass: false,
                key: None,
                label: None,
                start_within_ms: None,
                webhook: false,
            })
            .collect();
        let asked = NewBatch {
            label: None,
            items: submits.iter().map(|submit| Ok(self.asked(submit))).collect(),
            webhook_url: webhook.then(|| self.world.receiver.url()),
            idempotency: None,
        };
        let caller = Model::caller(account);
        let future = self.world.service().submit_batch(&caller, asked);
        let (batch, replayed) = self.world.runtime.block_on(future).unwrap();
        assert!(!replayed);
        let now_ms = self.world.now_ms();
        let mut rows = BTreeMap::new();
        let visit = |index, job: &Job| drop(rows.insert(index, job.clone()));
        self.world.service().batch_with_jobs(&batch.key.id.to_string(), visit).unwrap();
        let place = self.batches.len();
        self.batches.push(ExpectedBatch {
            id: batch.key.id.to_string(),
            row: batch.key.row,
            account,
            expires_ms: expected::expires_ms(now_ms),
            gone: false,
            webhook,
            jobs: rows.len() as u32,
            done: 0,
            failed: 0,
        });
        let cached = submits.iter().map(|submit| self.cached(0, submit.prompt, false));
        let cached: Vec<bool> = cached.collect();
        for ((index, submit), cached) in (0..).zip(&submits).zip(cached) {
            let refused = self.refusal(0, account, cached).is_some();
            assert_eq!(rows.contains_key(&index), !refused);
            if let Some(job) = rows.get(&index) {
                let id = self.world.service().id_of(job).to_string();
                let job = Expected::new(job.row, id, submit, now_ms, cached);
                self.accept(Expected { batch: Some(place), ..job });
            }
        }
        if rows.is_empty() {
            // It is over as soon as it is there.
            self.end_batch(place);
        }
    }

    /// Why a job that cannot be answered from the cache is refused.
    fn refusal(&self, scraper: usize, account: usize, cached: bool) -> Option<Refusal> {
        let month = calendar_month(self.world.now_ms());
        let spent = self.reserved(account, month) + self.used(account, month);
        if cached {
            None
        } else if self.unfinished(scraper) >= UNFINISHED_MAX {
            Some(Refusal::QueueFull)
        } else if spent + PRICE > ALLOWANCE {
            Some(Refusal::CreditLimit)
        } else {
            None
        }
    }

    fn accept(&mut self, job: Expected) {
        if let Some(key) = job.submit.key {
            self.keys.insert((job.submit.account, key), job.row);
        }
        let (row, scraper) = (job.row, job.submit.scraper);
        let ended = job.phase.finished();
        assert!(self.jobs.insert(row, job).is_none(), "a row was given twice");
        if ended {
            self.ended(row);
        } else {
            self.workers[scraper].offered(row);
        }
    }

    pub(super) fn cancel(&mut self, at: usize, account: usize) {
        let Some(row) = self.jobs.keys().nth_back(at).copied() else { return };
        let job = &self.jobs[&row];
        let now_ms = self.world.now_ms();
        let caller = Model::caller(account);
        let answer = self.world.runtime.block_on(self.world.service().cancel(&caller, &job.id));
        match answer {
            Err(ServiceError::JobNotFound) => {
                assert!(!job.exists(now_ms) || job.submit.account != account);
            }
            Err(ServiceError::JobFinished { .. }) => assert!(job.phase.finished()),
            Ok(canceled) => {
                assert!(job.exists(now_ms) && job.submit.account == account);
                assert!(!job.phase.finished() && canceled.state.finished());
                self.fail(row, Reason::Canceled);
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    pub(super) fn cancel_batch(&mut self, at: usize, account: usize) {
        let Some(place) = self.batches.len().checked_sub(at + 1) else { return };
        let batch = &self.batches[place];
        let (id, row, jobs) = (batch.id.clone(), batch.row, batch.jobs);
        let exists = batch.expires_ms > self.world.now_ms() && !batch.gone;
        let mine = batch.account == account && exists;
        let pending = batch.done + batch.failed < jobs;
        let caller = Model::caller(account);
        let answer = self.world.runtime.block_on(self.world.service().cancel_batch(&caller, &id));
        match answer {
            Err(ServiceError::BatchNotFound) => assert!(!mine),
            Err(ServiceError::BatchFinished) => assert!(mine && !pending),
            Ok(batch) => {
                assert!(mine && pending && batch.key.row == row);
                let rows = self.jobs.values().filter(|job| job.batch == Some(place));
                let rows = rows.filter(|job| !job.phase.finished()).map(|job| job.row);
                for row in rows.collect::<Vec<_>>() {
                    self.fail(row, Reason::Canceled);
                }
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}
