//! What is not hot, in one plain table of keys and values: a row of it is locked, read and written
//! whole, in the transaction that changes the job. Sums that many transactions change have a thing
//! for each slot, which only one writer adds to; readers add the slots up.

use crate::store::Row;

/// The most rows that a range has where no caller asks for fewer.
pub(super) const RANGE_ROWS_MAX: u32 = 1_000_000;
/// The value of a thing whose key says all: an empty one does not exist.
pub(super) const PRESENT: &[u8] = &[1];

/// The bytes, all of them the highest there is, that are above every key.
const ABOVE_KEYS_BYTES: usize = 64;

/// The kind of a thing. Its number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i16)]
pub(super) enum ThingKind {
    /// The ended attempts of a job, by its row.
    Attempts = 1,
    /// The raw replies of a job, by its row.
    Raw = 2,
    /// The task that a vendor works on for a job, by its row.
    VendorTask = 3,
    /// What was spent, by day, account, upstream, label and slot.
    Spend = 4,
    /// Locked by who writes what an account may have a number of, by the account. It has no value.
    AccountLock = 6,
    /// The schedules, by their rows.
    Schedule = 7,
    /// The batch that a schedule submits, by its row.
    ScheduleBatch = 8,
    /// The schedules that have a next slot, by when that is due and the row.
    ScheduleDue = 9,
    /// The runs of schedules, by the schedule's row and the number of the run.
    ScheduleRun = 10,
    /// The trackers with their latest versions, by account and name.
    Tracker = 11,
    /// Every version of every tracker, by the tracker's id and the version.
    TrackerVersion = 12,
    /// What was measured in answers, by the tracker's id and version, when the job ended, and its
    /// row.
    Observation = 13,
    /// Sums over what was measured, by the tracker's id and version, the day, the group and the
    /// slot.
    Sums = 14,
    /// Sums over the pages that answers used, by the keys of the sums.
    PageSums = 15,
    /// The alerts, by their rows.
    Alert = 16,
    /// The alerts that are not paused, by what they watch and the row, with their marks.
    AlertWatch = 17,
    /// The alerts that are to be evaluated, by when and the row, with the key of the mark.
    AlertDue = 18,
    /// What is watched and has measured answers of a batch that has not ended, by the batch's row.
    AlertRun = 19,
    /// The notices of alerts, by rows of their own.
    Notice = 20,
    /// The deliveries of notices, which last longer than the tables of an hour, by their rows.
    NoticeDelivery = 21,
    /// The models that each upstream has answered with, by the upstream.
    Models = 22,
    /// What was counted, by the kind, the scraper, the number of the minute or of the five minutes,
    /// and the name of the node.
    Counts = 23,
}

impl ThingKind {
    const ALL: [ThingKind; 22] = [
        ThingKind::Attempts,
        ThingKind::Raw,
        ThingKind::VendorTask,
        ThingKind::Spend,
        ThingKind::AccountLock,
        ThingKind::Schedule,
        ThingKind::ScheduleBatch,
        ThingKind::ScheduleDue,
        ThingKind::ScheduleRun,
        ThingKind::Tracker,
        ThingKind::TrackerVersion,
        ThingKind::Observation,
        ThingKind::Sums,
        ThingKind::PageSums,
        ThingKind::Alert,
        ThingKind::AlertWatch,
        ThingKind::AlertDue,
        ThingKind::AlertRun,
        ThingKind::Notice,
        ThingKind::NoticeDelivery,
        ThingKind::Models,
        ThingKind::Counts,
    ];

    /// Returns the kind of a number; `None` for one of a later version.
    pub(super) fn from_number(number: i16) -> Option<ThingKind> {
        ThingKind::ALL.into_iter().find(|kind| *kind as i16 == number)
    }
}

/// The bytes of a key, part by part. Keys of one kind are in the order of their numbers; texts are
/// only told apart.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyBytes(Vec<u8>);

impl KeyBytes {
    pub(super) fn u32(mut self, number: u32) -> KeyBytes {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(super) fn u64(mut self, number: u64) -> KeyBytes {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// Adds a text after its length, so that texts cannot run into one another.
    pub(super) fn text(self, text: &str) -> KeyBytes {
        let mut with_length = self.u32(text.len() as u32);
        with_length.0.extend_from_slice(text.as_bytes());
        with_length
    }

    /// Adds the slot of a sum, which is the last part of its key.
    pub(super) fn slot(self, slot: i32) -> KeyBytes {
        self.u32(slot as u32)
    }

    pub(super) fn of(self, kind: ThingKind) -> ThingKey {
        ThingKey { kind, key: self.0 }
    }

    /// Returns the range of all keys that begin so.
    pub(super) fn all_of(self, kind: ThingKind) -> ThingRange {
        let mut until = self.0.clone();
        while until.last() == Some(&u8::MAX) {
            until.pop();
        }
        match until.last_mut() {
            Some(last) => *last += 1,
            // No key begins so.
            None => until = vec![u8::MAX; ABOVE_KEYS_BYTES],
        }
        ThingRange { kind, from: self.0, until, rows_max: RANGE_ROWS_MAX, keys_only: false }
    }
}

/// A key that is read part by part.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyReader<'k>(pub &'k [u8]);

impl KeyReader<'_> {
    pub(super) fn u32(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*number))
    }

    pub(super) fn text(&mut self) -> Option<String> {
        let length = self.u32()? as usize;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }
}

/// The key of a thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ThingKey {
    pub kind: ThingKind,
    pub key: Vec<u8>,
}

impl ThingKey {
    /// Returns the key of what belongs to a row.
    pub(super) fn of_row(kind: ThingKind, row: Row) -> ThingKey {
        KeyBytes::default().u64(row).of(kind)
    }

    /// Returns the key of the same sum in another slot.
    pub(super) fn with_slot(mut self, slot: i32) -> ThingKey {
        let end = self.key.len().saturating_sub(size_of::<i32>());
        self.key.truncate(end);
        KeyBytes(self.key).slot(slot).of(self.kind)
    }
}

/// The keys of a kind from one to another, which is not of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ThingRange {
    pub kind: ThingKind,
    pub from: Vec<u8>,
    pub until: Vec<u8>,
    /// The most that are read of them.
    pub rows_max: u32,
    /// Without their values.
    pub keys_only: bool,
}

impl ThingRange {
    /// Returns the range of all things of a kind.
    pub(super) fn of_kind(kind: ThingKind) -> ThingRange {
        KeyBytes::default().all_of(kind)
    }

    /// Returns the range of what belongs to a row, by keys that begin with it.
    pub(super) fn of_row(kind: ThingKind, row: Row) -> ThingRange {
        KeyBytes::default().u64(row).all_of(kind)
    }

    /// Returns the keys of the range alone.
    pub(super) fn keys(self) -> ThingRange {
        ThingRange { keys_only: true, ..self }
    }

    pub(super) fn at_most(self, rows_max: usize) -> ThingRange {
        ThingRange { rows_max: u32::try_from(rows_max).unwrap_or(RANGE_ROWS_MAX), ..self }
    }
}
