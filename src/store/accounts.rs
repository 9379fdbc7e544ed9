//! What accounts have reserved and used: by month, and by day and scraper.

use crate::job::{Job, State};

/// How long a day is remembered, days.
pub const DAYS_KEPT_MAX: u64 = 400;
/// The least number of a day (`20260511`): what is less is a month of credits.
pub(super) const DAY_MIN: u32 = 1_000_000;

/// The credits of an account in a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Credits {
    pub reserved: u64,
    pub used: u64,
}

impl Credits {
    /// Returns whether a price fits into what an allowance leaves.
    pub(super) fn afford(self, price: u32, allowance: u64) -> bool {
        let taken = self.reserved.saturating_add(self.used);
        taken.saturating_add(u64::from(price)) <= allowance
    }

    /// Applies what a job changes.
    pub(super) fn apply(&mut self, change: CreditsChange) {
        self.reserved = (self.reserved + change.reserved).saturating_sub(change.released);
        self.used += change.used;
    }
}

/// The changes of an account's credits by a step of a job (contract 1.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CreditsChange {
    pub reserved: u64,
    /// Reserved before, and no longer.
    pub released: u64,
    pub used: u64,
}

impl CreditsChange {
    /// Reserves the price of a new job.
    pub(super) fn reserve(job: &Job) -> CreditsChange {
        CreditsChange { reserved: u64::from(job.price), ..CreditsChange::default() }
    }

    /// Turns the reservation of a finished or vanishing job into use, or gives it back.
    pub(super) fn settle(job: &Job) -> CreditsChange {
        CreditsChange { reserved: 0, released: u64::from(job.price), used: u64::from(job.charge()) }
    }

    /// Returns whether it changes nothing.
    pub(super) fn is_none(self) -> bool {
        self == CreditsChange::default()
    }
}

/// A record of the table that the transaction under way has read.
pub(crate) struct BufferedCredits {
    pub(super) stored: Credits,
    pub(super) now: Credits,
}

/// The counts of the jobs that an account submitted to one scraper on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub jobs: u64,
    pub done: u64,
    pub failed: u64,
    /// Of those that are done: answered from the cache.
    pub cached: u64,
    /// Credits charged.
    pub credits: u64,
}

impl Usage {
    /// Adds a job as it is.
    pub fn count(&mut self, job: &Job) {
        self.jobs += 1;
        self.count_end(job);
    }

    /// Adds how a job has ended; nothing while it has not.
    pub(super) fn count_end(&mut self, job: &Job) {
        match job.state {
            State::Queued | State::Running | State::WaitingRetry { .. } => {}
            State::Done => self.done += 1,
            State::Failed(_) => self.failed += 1,
        }
        self.cached += u64::from(job.cached);
        self.credits += u64::from(job.charge());
    }

    /// Returns whether nothing of it is less than `other`'s.
    pub fn covers(self, other: Usage) -> bool {
        self.jobs >= other.jobs
            && self.done >= other.done
            && self.failed >= other.failed
            && self.cached >= other.cached
            && self.credits >= other.credits
    }

    /// Returns whether it counts nothing.
    pub(super) fn is_none(self) -> bool {
        self == Usage::default()
    }

    /// Returns the sum of two.
    #[must_use]
    pub fn and(self, other: Usage) -> Usage {
        Usage {
            jobs: self.jobs + other.jobs,
            done: self.done + other.done,
            failed: self.failed + other.failed,
            cached: self.cached + other.cached,
            credits: self.credits + other.credits,
        }
    }
}

/// The usage of an account on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyUsage {
    /// As a number: `20260511`.
    pub day: u32,
    /// By the scraper's name.
    pub scrapers: Vec<(String, Usage)>,
}

/// One account's day: by the scraper's number, in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DayRecord(pub Vec<(u16, Usage)>);

impl DayRecord {
    pub(crate) fn of(&mut self, scraper: u16) -> &mut Usage {
        let at = match self.0.binary_search_by_key(&scraper, |(number, _)| *number) {
            Ok(at) => at,
            Err(at) => {
                self.0.insert(at, (scraper, Usage::default()));
                at
            }
        };
        &mut self.0[at].1
    }
}

/// A record that the transaction under way has read, and may have changed.
pub(crate) struct BufferedDay {
    pub(super) day: DayRecord,
    /// Whether it was in the table before.
    pub(super) known: bool,
    pub(super) changed: bool,
}
