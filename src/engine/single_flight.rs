//! Single flight: while one job's attempt asks for an answer, jobs that ask for the same wait for
//! it instead of asking too. Then the cache answers them, or, where the attempt failed, the first
//! of them asks. Only in memory: a job that waits here is in the ready index like any other.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Engine;
use super::queue::{Offer, Queue};
use crate::job::Job;
use crate::store::{Row, request_hash};

/// The attempts under way by the hash of what they ask for, each with the jobs that wait for it.
#[derive(Default)]
pub struct SingleFlight(Mutex<HashMap<u128, UnderWay>>);

/// An attempt, and the jobs that wait for it.
struct UnderWay {
    leader: Row,
    waiting: Vec<Waiting>,
}

/// A job that waits for another one's attempt.
struct Waiting {
    row: Row,
    interactive: bool,
}

/// How an attempt stands to the others that ask for the same.
pub enum Join<'a> {
    /// It asks. Others wait for it until the flight is dropped.
    Leader(Leadership<'a>),
    /// It asks, and nobody waits for it: it wants an answer of its own, or the cache is off.
    Bypass,
    /// Another one asks already.
    Follower(u128),
}

/// An attempt that others wait for. Dropping it, once the outcome is stored, lets them go on.
pub struct Leadership<'a> {
    engine: &'a Engine,
    queue: &'a Queue,
    hash: u128,
    leader: Row,
}

impl SingleFlight {
    /// Whether the job's attempt has to ask by itself.
    pub fn join<'a>(engine: &'a Engine, queue: &'a Queue, job: &Job) -> Join<'a> {
        if engine.cache_ttl_ms == 0 {
            return Join::Bypass;
        }
        let hash = request_hash(&job.request);
        let mut under_way = engine.flights.under_way();
        match under_way.entry(hash) {
            Entry::Vacant(entry) => {
                entry.insert(UnderWay { leader: job.row, waiting: Vec::new() });
                Join::Leader(Leadership { engine, queue, hash, leader: job.row })
            }
            Entry::Occupied(_) if job.request.bypass_cache => Join::Bypass,
            Entry::Occupied(_) => Join::Follower(hash),
        }
    }

    /// Makes a row wait for the attempt under way; false when that has ended meanwhile.
    pub fn wait(&self, hash: u128, row: Row, interactive: bool) -> bool {
        match self.under_way().get_mut(&hash) {
            Some(under_way) => {
                under_way.waiting.push(Waiting { row, interactive });
                true
            }
            None => false,
        }
    }

    /// Lets those go on who wait for the attempt of a row, though its call has not returned.
    pub fn abandon(engine: &Engine, queue: &Queue, leader: Row) {
        let under_way = engine.flights.under_way();
        let led = under_way.iter().find(|(_, under_way)| under_way.leader == leader);
        let hash = led.map(|(hash, _)| *hash);
        drop(under_way);
        if let Some(hash) = hash {
            drop(Leadership { engine, queue, hash, leader });
        }
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<u128, UnderWay>> {
        // Every change is one insertion or removal, so a panic cannot have torn the map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Leadership<'_> {
    fn drop(&mut self) {
        let ended = match self.engine.flights.under_way().entry(self.hash) {
            Entry::Occupied(entry) if entry.get().leader == self.leader => entry.remove(),
            // It was abandoned, and another one may lead now.
            Entry::Occupied(_) | Entry::Vacant(_) => return,
        };
        for Waiting { row, interactive } in ended.waiting {
            self.queue.release(row);
            if self.queue.offer_from_index(row, interactive) == Offer::Full {
                self.engine.wake();
            }
        }
    }
}
