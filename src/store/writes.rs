//! What callers give the store to write of jobs, and why it is refused.

use uuid::Uuid;

use super::row::Row;
use super::trackers::NewObservation;
use crate::job::{AttemptEnd, Event, Job};

/// The identity of a job that is about to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewIdentity {
    pub row: Row,
    pub nonce: u128,
    pub id: Uuid,
}

/// A result and whether it may serve others.
#[derive(Clone)]
pub struct NewResult {
    /// The result object as it is sent.
    pub json: Vec<u8>,
    /// The request's hash where the result goes into the cache.
    pub cache_hash: Option<u128>,
}

/// The limits a submit has to keep.
#[derive(Clone, Copy, Debug)]
pub struct SubmitLimits {
    /// The most unfinished jobs of the scraper.
    pub unfinished_max: usize,
    /// The account's credits in a calendar month; `None` sets none.
    pub monthly_credits: Option<u64>,
}

impl SubmitLimits {
    /// Returns whether a job may join this many unfinished ones of its scraper.
    pub(super) fn have_room(&self, job: &Job, unfinished: usize) -> bool {
        job.state.finished() || unfinished < self.unfinished_max
    }

    /// Returns the allowance that a job's price has to fit into. What costs nothing is served even
    /// when the allowance has been lowered below the use.
    pub(super) fn allowance_for(&self, job: &Job) -> Option<u64> {
        self.monthly_credits.filter(|_| job.price > 0)
    }
}

/// The reason why a job was not taken. Nothing of it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitError {
    /// The scraper has as many unfinished jobs as it may have.
    QueueFull,
    /// The account's allowance for the month does not cover the price.
    CreditLimit,
    /// The idempotency key came with another request before.
    KeyReused,
}

/// A job that is about to be written with its batch.
#[derive(Clone)]
pub struct NewItem {
    pub job: Job,
    /// The result of one that is born `done`.
    pub result: Option<Vec<u8>>,
    pub limits: SubmitLimits,
}

/// The end of an attempt, and whom its calls are counted for.
#[derive(Clone, Debug)]
pub struct NewAttemptEnd {
    pub end: AttemptEnd,
    pub account: String,
    pub label: Option<String>,
}

/// The end of an attempt, to be written.
#[derive(Clone)]
pub struct NewOutcome {
    pub event: Event,
    pub result: Option<NewResult>,
    /// What is kept of it with its job, if there is something to keep.
    pub ended: Option<NewAttemptEnd>,
    /// Raw replies as JSON, which take the place of those of an earlier attempt.
    pub raw: Option<Vec<u8>>,
    /// What was measured in the answer by its job's tracker.
    pub observation: Option<Box<NewObservation>>,
}
