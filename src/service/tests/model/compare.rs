//! Whether the service shows what the model knows: every job and batch, lists, credits, webhooks.

use super::*;
use crate::store::{Credits, ListFilter};

impl Model {
    pub(super) fn unfinished(&self, scraper: usize) -> usize {
        let of = |job: &&Expected| job.submit.scraper == scraper && !job.phase.finished();
        self.jobs.values().filter(of).count()
    }

    pub(super) fn reserved(&self, account: usize, month: u32) -> u64 {
        let unfinished = self.jobs.values().filter(|job| !job.phase.finished());
        let of = unfinished
            .filter(|job| job.submit.account == account && calendar_month(job.created_ms) == month);
        of.count() as u64 * PRICE
    }

    pub(super) fn used(&self, account: usize, month: u32) -> u64 {
        self.used.get(&(account, month)).copied().unwrap_or(0)
    }

    pub(super) fn compare(&mut self) {
        let now_ms = self.world.now_ms();
        let service = self.world.service();
        for job in self.jobs.values() {
            let read = service.job(&job.id, |read, _, result| job.compare(read, result));
            match read.wait() {
                Ok(()) => assert!(job.exists(now_ms), "{job:?}"),
                Err(ServiceError::JobNotFound) => assert!(!job.exists(now_ms), "{job:?}"),
                Err(other) => panic!("{other:?}"),
            }
        }
        for batch in &self.batches {
            let read = service
                .batch(&batch.id)
                .wait()
                .map(|read| (read.progress.done, read.progress.failed));
            match read {
                Ok(ended) => assert_eq!(ended, (batch.done, batch.failed)),
                Err(ServiceError::BatchNotFound) => {
                    assert!(batch.gone || batch.expires_ms <= now_ms);
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        let month = calendar_month(now_ms);
        for account in 0..ACCOUNTS.len() {
            let credits = service.usage(&Model::caller(account), None).wait().unwrap().own.credits;
            let (reserved, used) = (self.reserved(account, month), self.used(account, month));
            assert_eq!(credits, Credits { reserved, used });
            for (status, label) in [(None, None), (Some("done"), None), (None, Some(LABELS[0]))] {
                self.compare_list(account, status, label);
            }
        }
        for (number, scraper) in SCRAPERS.iter().enumerate() {
            let store = &self.world.life().store;
            let stored = store.scrapers().find(|(_, name)| name == scraper).unwrap().0;
            assert_eq!(store.unfinished(stored), self.unfinished(number));
        }
        let mut told: Vec<String> = self.world.receiver.told().into_iter().map(|t| t.id).collect();
        let mut expected = std::mem::take(&mut self.webhooks);
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected);
    }

    fn compare_list(&self, account: usize, status: Option<&'static str>, label: Option<&str>) {
        let now_ms = self.world.now_ms();
        let filter = ListFilter {
            account: ACCOUNTS[account].to_owned(),
            status,
            label: label.map(str::to_owned),
            ..ListFilter::default()
        };
        let mut listed = Vec::new();
        let mut after = None;
        loop {
            let page = self.world.service().list(&filter, after, 5).unwrap();
            listed.extend(page.jobs.iter().map(|job| job.row));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let jobs = self.jobs.values().rev().filter(|job| {
            job.exists(now_ms)
                && job.submit.account == account
                && status.is_none_or(|status| job.phase.status() == status)
                && label.is_none_or(|label| job.submit.label.map(|of| LABELS[of]) == Some(label))
        });
        assert_eq!(listed, jobs.map(|job| job.row).collect::<Vec<_>>());
    }
}
