//! The scrapers that the store knows, and how many unfinished jobs each has.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::StoreError;

/// The scrapers that the store knows: names by number, and how many unfinished jobs each has.
pub struct Scrapers {
    pub(super) entries: Vec<ScraperEntry>,
}

pub(super) struct ScraperEntry {
    pub(super) number: u16,
    pub(super) name: String,
    pub(super) unfinished: AtomicUsize,
}

impl Scrapers {
    /// Returns a scraper's name by its number.
    pub fn name(&self, number: u16) -> Option<String> {
        self.entry(number).map(|entry| entry.name.clone())
    }

    /// Returns a scraper's number by its name.
    pub(super) fn number(&self, name: &str) -> Result<u16, StoreError> {
        let entry = self.entries.iter().find(|entry| entry.name == name);
        entry.map(|entry| entry.number).ok_or(StoreError::Damaged("a scraper was not registered"))
    }

    /// Returns the number of unfinished jobs, counting what the transaction under way adds and
    /// takes.
    pub(super) fn depth(&self, number: u16, changes: &HashMap<u16, isize>) -> usize {
        let committed =
            self.entry(number).map_or(0, |entry| entry.unfinished.load(Ordering::Relaxed));
        committed.saturating_add_signed(changes.get(&number).copied().unwrap_or(0))
    }

    /// Returns the beginnings of all keys of the ready index, in its order: every scraper's number,
    /// without and with somebody who waits.
    pub(super) fn lanes(&self) -> impl Iterator<Item = (u16, bool)> {
        self.entries.iter().flat_map(|entry| [(entry.number, false), (entry.number, true)])
    }

    pub(super) fn entry(&self, number: u16) -> Option<&ScraperEntry> {
        self.entries.iter().find(|entry| entry.number == number)
    }
}
