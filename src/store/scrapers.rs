//! The scrapers that the store knows, and how many unfinished jobs each has.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::StoreError;

/// The scrapers that the store knows: names by number, and how many unfinished jobs each has.
pub struct Scrapers {
    pub(super) entries: Vec<ScraperEntry>,
    /// Those that other processes have added since.
    later: OnceLock<Box<Scrapers>>,
}

pub(super) struct ScraperEntry {
    pub(super) number: u16,
    pub(super) name: String,
    pub(super) unfinished: AtomicUsize,
}

impl Scrapers {
    pub(super) fn new(entries: Vec<ScraperEntry>) -> Scrapers {
        Scrapers { entries, later: OnceLock::new() }
    }

    /// Returns all scrapers, in the order in which they were added.
    pub(super) fn iter(&self) -> impl Iterator<Item = &ScraperEntry> {
        let parts = std::iter::successors(Some(self), |part| part.later.get().map(Box::as_ref));
        parts.flat_map(|part| &part.entries)
    }

    /// Adds scrapers after all others; those that are known already are left out.
    pub(super) fn add(&self, mut entries: Vec<ScraperEntry>) {
        entries.retain(|new| self.entry(new.number).is_none());
        if entries.is_empty() {
            return;
        }
        let mut part = self;
        let mut added = Box::new(Scrapers::new(entries));
        while let Err(refused) = part.later.set(added) {
            added = refused;
            let Some(next) = part.later.get() else { return };
            part = next;
        }
    }

    /// Returns a scraper's name by its number.
    pub fn name(&self, number: u16) -> Option<String> {
        self.entry(number).map(|entry| entry.name.clone())
    }

    /// Returns a scraper's number by its name.
    pub(super) fn number(&self, name: &str) -> Result<u16, StoreError> {
        let entry = self.iter().find(|entry| entry.name == name);
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
        self.iter().flat_map(|entry| [(entry.number, false), (entry.number, true)])
    }

    pub(super) fn entry(&self, number: u16) -> Option<&ScraperEntry> {
        self.iter().find(|entry| entry.number == number)
    }
}
