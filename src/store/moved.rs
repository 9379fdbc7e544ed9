//! What a store in a file has, one row after the other, as it is given to a shared one.

use super::accounts::{Credits, Usage};
use super::evidence_files::EvidenceOwner;
use super::row::{CountsKey, ObservationKey, Row, SumsKey};
use crate::clock::UnixMs;
use crate::job::{Batch, Delivery, Job, Recipient};

/// A row of a store that is moved.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(super) enum MovedRow<'a> {
    /// With the number of its scraper and the JSON of its result; `has_key` if its idempotency key
    /// leads to it.
    Job {
        job: Job,
        scraper: u16,
        result: Option<Vec<u8>>,
        has_key: bool,
    },
    Batch {
        batch: Batch,
        has_key: bool,
    },
    Delivery {
        row: Row,
        delivery: Delivery,
        recipient: Recipient,
    },
    /// A result that may serve other jobs.
    Cached {
        stored_ms: UnixMs,
        row: Row,
        hash: u128,
    },
    /// What an account has reserved and used in a month (`202605`).
    Credits {
        account: &'a str,
        month: u32,
        credits: Credits,
    },
    /// What an account has used of a scraper on a day (`20260511`).
    Usage {
        account: &'a str,
        day: u32,
        scraper: u16,
        usage: Usage,
    },
    /// The number of a job among all that are done.
    Completed {
        number: u64,
        row: Row,
        completed_ms: UnixMs,
    },
    /// An alert by what it watches: when it is evaluated, and how often it was marked.
    Watch {
        watch: &'a str,
        row: Row,
        filed_ms: UnixMs,
        marks: u64,
    },
    /// A record that is the same in each kind of store.
    Record(MovedKey<'a>, &'a [u8]),
    Evidence {
        job: EvidenceOwner,
        name: &'a str,
        content: Vec<u8>,
    },
}

/// The key of a record that is the same in each kind of store.
#[derive(Clone, Copy)]
pub(super) enum MovedKey<'a> {
    Attempts(Row),
    Raw(Row),
    VendorTask(Row),
    /// The day, the account, the upstream and the label.
    Spend(u32, &'a str, &'a str, &'a str),
    Models(&'a str),
    Counts(CountsKey),
    Schedule(Row),
    ScheduleBatch(Row),
    /// When it is due, and its row.
    ScheduleDue(UnixMs, Row),
    ScheduleRun(Row, u64),
    /// The account and the name.
    Tracker(&'a str, &'a str),
    TrackerVersion(u64, u32),
    Observation(ObservationKey),
    Sums(SumsKey<'a>),
    PageSums(SumsKey<'a>),
    Alert(Row),
    AlertRun(Row, &'a str),
    Notice(Row),
}

/// The outcome of a move: how much of each kind the shared store has now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MoveReport {
    pub jobs: u64,
    /// Of the jobs.
    pub unfinished: u64,
    pub batches: u64,
    /// Of webhooks, sent or not.
    pub deliveries: u64,
    pub keys: u64,
    pub cache_entries: u64,
    /// Schedules, trackers, alerts, what was measured, counts and the like.
    pub records: u64,
    /// Files of evidence.
    pub evidence: u64,
    /// What was left where it is: files of evidence that are damaged, as sentences.
    pub left: Vec<String>,
}
