//! The cache: which finished job may serve an identical request. The table keeps entries by time,
//! so that its keys only rise; the index from a request's hash is kept in memory and rebuilt at
//! the start.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest, Sha256};

use super::row::Row;
use crate::clock::UnixMs;
use crate::job::ScrapeRequest;

/// What the cache holds from further in the future than this, milliseconds, is swept: a clock that
/// was ahead has stored it. Less than that is stored while a sweep is on its way.
pub(super) const CACHE_AHEAD_MS_MAX: u64 = 60_000;

/// Returns the hash under which a request's result is cached: of everything that shapes the answer.
pub fn request_hash(request: &ScrapeRequest) -> u128 {
    let mut hasher = Sha256::new();
    request.feed_answer(&mut |part| hasher.update(part));
    let digest: [u8; 32] = hasher.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    u128::from_be_bytes(half)
}

/// A result that may serve an identical request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    pub stored_ms: UnixMs,
    /// What it answers. Readers compare: damage may have led to another's result.
    pub request: ScrapeRequest,
    pub json: Vec<u8>,
}

/// The place of a cached result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheEntry {
    pub row: Row,
    pub stored_ms: UnixMs,
}

/// The index in memory. Holds at most `entries_max`; the oldest give way.
pub(super) struct CacheIndex {
    entries_max: usize,
    by_hash: HashMap<u128, CacheEntry>,
    /// Every insertion in order of time; those that a later one has replaced too.
    by_age: VecDeque<(u128, CacheEntry)>,
}

impl CacheIndex {
    pub(crate) fn new(entries_max: usize) -> CacheIndex {
        CacheIndex { entries_max, by_hash: HashMap::new(), by_age: VecDeque::new() }
    }

    pub(crate) fn insert(&mut self, hash: u128, entry: CacheEntry) {
        self.by_hash.insert(hash, entry);
        self.by_age.push_back((hash, entry));
        while self.by_age.len() > self.entries_max {
            self.forget_oldest();
        }
    }

    /// Returns the entry for a hash that was stored from `from_ms` to `now_ms`. One that was stored
    /// later is of a clock that was ahead: how old it is, is unknown.
    pub(crate) fn get(&self, hash: u128, from_ms: UnixMs, now_ms: UnixMs) -> Option<CacheEntry> {
        let entry = self.by_hash.get(&hash).copied();
        entry.filter(|entry| (from_ms..=now_ms).contains(&entry.stored_ms))
    }

    /// Returns when the oldest entry was stored.
    pub(crate) fn oldest_ms(&self) -> Option<UnixMs> {
        self.by_age.front().map(|(_, entry)| entry.stored_ms)
    }

    /// Forgets what was stored after `now_ms`.
    pub(crate) fn forget_after(&mut self, now_ms: UnixMs) {
        let known = self.by_age.len();
        self.by_age.retain(|(_, entry)| entry.stored_ms <= now_ms);
        if self.by_age.len() < known {
            self.by_hash = self.by_age.iter().copied().collect();
        }
    }

    /// Forgets what was stored before `from_ms`.
    pub(crate) fn forget_before(&mut self, from_ms: UnixMs) {
        while self.by_age.front().is_some_and(|(_, entry)| entry.stored_ms < from_ms) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((hash, entry)) = self.by_age.pop_front()
            && self.by_hash.get(&hash) == Some(&entry)
        {
            self.by_hash.remove(&hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Device, Location, RawRequest};

    fn entry(row: Row, stored_ms: UnixMs) -> CacheEntry {
        CacheEntry { row, stored_ms }
    }

    #[test]
    fn what_shapes_the_answer_shapes_the_hash() {
        let request = RawRequest { prompt: Some("x".to_owned()), ..RawRequest::default() }
            .check("chatgpt", &[])
            .unwrap();
        let hash = request_hash(&request);
        assert_eq!(hash, request_hash(&ScrapeRequest { timeout_ms: 10_000, ..request.clone() }));
        assert_eq!(hash, request_hash(&ScrapeRequest { bypass_cache: true, ..request.clone() }));
        for other in [
            ScrapeRequest { prompt: "y".to_owned(), ..request.clone() },
            ScrapeRequest { scraper: "grok".to_owned(), ..request.clone() },
            ScrapeRequest { country: "DE".to_owned(), ..request.clone() },
            ScrapeRequest { web_search: false, ..request.clone() },
            ScrapeRequest { markdown_json: true, ..request.clone() },
            ScrapeRequest { mode: Some("deep".to_owned()), ..request.clone() },
        ] {
            assert_ne!(hash, request_hash(&other), "{other:?}");
        }
    }

    #[test]
    fn every_part_of_a_place_shapes_the_hash_and_none_passes_for_another() {
        let request = RawRequest { prompt: Some("x".to_owned()), ..RawRequest::default() }
            .check("chatgpt", &[])
            .unwrap();
        let name = || Some("Springfield".to_owned());
        let none = Location::default;
        let places = [
            none(),
            Location { region: name(), ..none() },
            Location { city: name(), ..none() },
            Location { region: name(), city: name(), ..none() },
            Location { language: Some("de".to_owned()), ..none() },
            Location { timezone: Some("Europe/Berlin".to_owned()), ..none() },
            Location { device: Some(Device::Mobile), ..none() },
            Location { device: Some(Device::Desktop), ..none() },
            Location { strict: true, ..none() },
        ];
        let hash = |location: &Location| {
            request_hash(&ScrapeRequest { location: location.clone(), ..request.clone() })
        };
        let hashes: std::collections::HashSet<u128> = places.iter().map(hash).collect();
        assert_eq!(hashes.len(), places.len());
    }

    #[test]
    fn the_oldest_give_way_and_a_newer_answer_stays() {
        let mut index = CacheIndex::new(2);
        index.insert(1, entry(10, 100));
        index.insert(1, entry(11, 200));
        index.insert(2, entry(12, 300));
        assert_eq!(index.get(1, 0, 400), Some(entry(11, 200)));
        index.insert(3, entry(13, 400));
        assert_eq!(index.get(1, 0, 400), None);
        assert_eq!(index.get(2, 301, 400), None);
        index.forget_before(400);
        assert_eq!((index.get(2, 0, 400), index.get(3, 0, 400)), (None, Some(entry(13, 400))));
        assert_eq!(index.by_age.len(), 1);
    }

    #[test]
    fn cache_ignores_and_forgets_what_is_stored_in_the_future() {
        let mut index = CacheIndex::new(3);
        index.insert(1, entry(10, 100));
        index.insert(1, entry(11, 5_000));
        assert_eq!(index.get(1, 0, 4_999), None);
        assert_eq!(index.get(1, 0, 5_000), Some(entry(11, 5_000)));
        index.forget_after(4_999);
        assert_eq!(index.get(1, 0, 5_000), Some(entry(10, 100)));
        assert_eq!(index.by_age.len(), 1);
    }
}
