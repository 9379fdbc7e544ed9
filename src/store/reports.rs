//! What `db check` and `db export` report, whatever the store is kept in.

/// The most problems that a report lists by name; the rest are counted.
pub(super) const PROBLEMS_LISTED_MAX: usize = 100;

/// The findings of `db check`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    pub jobs: u64,
    pub unfinished: u64,
    pub results: u64,
    /// Jobs with raw replies.
    pub raws: u64,
    pub cache_entries: u64,
    pub accounts: u64,
    /// Answers that were measured by trackers.
    pub observations: u64,
    pub alerts: u64,
    /// Of alerts, those that are kept.
    pub notices: u64,
    /// The hours of a shared store that were looked at; `None` for a store in a file.
    pub hours: Option<u64>,
    /// The database's file, or the tables of a shared store, bytes.
    pub file_bytes: u64,
    /// What its pages take that are in use; the rest of the file is free for what comes. Of a
    /// shared store this is not known, and 0.
    pub used_bytes: u64,
    /// Sentences; at most `PROBLEMS_LISTED_MAX` of them.
    pub problems: Vec<String>,
    /// All problems, listed or not.
    pub problems_total: u64,
}

impl CheckReport {
    /// Adds a problem.
    pub(super) fn problem(&mut self, sentence: String) {
        self.problems_total += 1;
        if self.problems.len() < PROBLEMS_LISTED_MAX {
            self.problems.push(sentence);
        }
    }
}

/// The progress of a check or an export of a shared store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HoursProgress {
    pub hours: u64,
    pub hours_total: u64,
    pub jobs: u64,
}

/// The report of `db export`: what it has written, and what it could not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportReport {
    /// Jobs.
    pub written: u64,
    /// What could not be read, and why; at most `PROBLEMS_LISTED_MAX` of it.
    pub unreadable: Vec<String>,
    /// All that could not be read, listed or not.
    pub unreadable_total: u64,
}

impl ExportReport {
    /// Adds something that could not be read.
    pub(super) fn unreadable(&mut self, what: String) {
        self.unreadable_total += 1;
        if self.unreadable.len() < PROBLEMS_LISTED_MAX {
            self.unreadable.push(what);
        }
    }
}
