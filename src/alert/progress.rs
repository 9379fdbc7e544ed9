//! The part of an alert that its evaluations write: its state, and what it remembers of earlier
//! runs.

use crate::clock::UnixMs;

/// The most domains that an alert keeps apart, those with the most answers first.
pub const DOMAINS_WATCHED_MAX: usize = 200;

/// The state of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertState {
    /// Nothing was measured yet, or too little to say something.
    NoData,
    /// The condition does not hold.
    Ok,
    /// The condition held at the latest evaluation, and must hold at another one.
    Pending,
    /// The condition holds, and a notice was sent.
    Firing,
}

impl AlertState {
    pub const ALL: [AlertState; 4] =
        [AlertState::NoData, AlertState::Ok, AlertState::Pending, AlertState::Firing];

    /// Returns the stable word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            AlertState::NoData => "no_data",
            AlertState::Ok => "ok",
            AlertState::Pending => "pending",
            AlertState::Firing => "firing",
        }
    }
}

/// The counts of the day on which the latest run ended, so that the next run is what came after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunMark {
    /// The tracker's id and version: another one counts from the start.
    pub version: (u64, u32),
    /// Since 1970-01-01.
    pub day: u32,
    pub measured: u64,
    pub mentioned: u64,
}

/// The counts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunSums {
    pub ended_ms: UnixMs,
    pub measured: u64,
    pub mentioned: u64,
}

/// A domain that an alert watches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchedDomain {
    pub domain: String,
    /// Answers that used it on the day of the mark, when that was set.
    pub marked: u64,
    /// Answers that used it in each of the runs that are remembered, oldest first.
    pub runs: Vec<u32>,
    pub is_present: bool,
    /// How many evaluations in a row found the opposite.
    pub streak: u32,
}

/// The part of an alert that its evaluations write.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertProgress {
    pub is_firing: bool,
    /// Whether an evaluation has had enough to say something.
    pub has_data: bool,
    /// How many evaluations in a row found the opposite of `is_firing`.
    pub streak: u32,
    /// Since when it has had this state.
    pub since_ms: Option<UnixMs>,
    pub evaluated_ms: Option<UnixMs>,
    /// What the latest evaluation measured: a share, or US dollars.
    pub value: Option<f64>,
    /// Over how many answers or attempts.
    pub sample: u64,
    /// The day (since 1970-01-01) whose budget the latest notice was about.
    pub spent_day: Option<u32>,
    pub mark: Option<RunMark>,
    /// The newest runs, oldest first; at most as many as the window has.
    pub runs: Vec<RunSums>,
    pub domains: Vec<WatchedDomain>,
    /// Whether the domains that were there at the beginning are known.
    pub has_domains: bool,
    /// The rows of the notices that are kept, oldest first.
    pub notices: Vec<u64>,
    /// The number of the next notice.
    pub next_notice: u64,
}

impl AlertProgress {
    /// Returns the state.
    pub fn state(&self) -> AlertState {
        match (self.has_data, self.is_firing) {
            (false, _) => AlertState::NoData,
            (true, true) => AlertState::Firing,
            (true, false) if self.streak > 0 => AlertState::Pending,
            (true, false) => AlertState::Ok,
        }
    }

    /// Notes whether the condition holds; returns whether the alert begins to fire. It changes its
    /// state after `needed` evaluations in a row that found the opposite.
    pub(super) fn observe(&mut self, holds: bool, needed: u32, now_ms: UnixMs) -> bool {
        if !self.has_data {
            self.has_data = true;
            self.since_ms = Some(now_ms);
        }
        if holds == self.is_firing {
            self.streak = 0;
            return false;
        }
        self.streak += 1;
        if self.streak < needed {
            return false;
        }
        self.streak = 0;
        self.is_firing = holds;
        self.since_ms = Some(now_ms);
        holds
    }

    /// Forgets what evaluations have found, but for its notices.
    pub fn reset(&mut self) {
        let AlertProgress { notices, next_notice, .. } = std::mem::take(self);
        *self = AlertProgress { notices, next_notice, ..AlertProgress::default() };
    }
}
