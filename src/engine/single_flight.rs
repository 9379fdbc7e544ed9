//! Single flight: while one job's attempt asks for an answer, jobs that ask for the same wait for it
//! instead of asking too. Only in memory: a job that waits here is in the ready index like any other.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Mutex;

use super::lock::lock;
use super::pass_loop::PassLoop;
use super::queue::{Offer, Queue};
use crate::store::Row;

/// In-flight requests, by cache key.
#[derive(Default)]
pub(super) struct SingleFlight(Mutex<HashMap<u128, InFlightRequest>>);

/// An attempt, and the jobs that wait for it: the row of each, and whether a caller waits for it.
struct InFlightRequest {
    leader: Row,
    followers: Vec<(Row, bool)>,
}

/// The part that an attempt plays among those that ask for the same.
pub(super) enum Join<'a> {
    /// It asks. Others wait for it until the leadership is dropped.
    Leader(Leadership<'a>),
    /// It asks, and no other waits for it.
    Bypass,
    /// Another attempt asks already.
    Follower,
}

/// An attempt that others wait for. Dropping it, once the outcome is stored, offers their rows again:
/// the cache answers them or, if the attempt failed, the first of them asks.
pub(super) struct Leadership<'a> {
    single_flight: &'a SingleFlight,
    queue: &'a Queue,
    scheduler: &'a PassLoop,
    hash: u128,
    leader: Row,
}

impl SingleFlight {
    /// Joins those that ask for a request. One that bypasses the cache leads, or asks alone.
    pub(crate) fn join<'a>(
        &'a self,
        hash: u128,
        row: Row,
        bypass: bool,
        queue: &'a Queue,
        scheduler: &'a PassLoop,
    ) -> Join<'a> {
        match lock(&self.0).entry(hash) {
            Entry::Vacant(entry) => {
                entry.insert(InFlightRequest { leader: row, followers: Vec::new() });
                let single_flight = self;
                Join::Leader(Leadership { single_flight, queue, scheduler, hash, leader: row })
            }
            Entry::Occupied(_) if bypass => Join::Bypass,
            Entry::Occupied(_) => Join::Follower,
        }
    }

    /// Makes a row wait for the attempt in flight; returns false if that has ended meanwhile.
    pub(crate) fn follow(&self, hash: u128, row: Row, interactive: bool) -> bool {
        let mut in_flight = lock(&self.0);
        let Some(request) = in_flight.get_mut(&hash) else { return false };
        request.followers.push((row, interactive));
        true
    }

    /// Lets the followers of a row go on, though its call has not returned.
    pub(crate) fn abandon(&self, leader: Row, queue: &Queue, scheduler: &PassLoop) {
        let led = lock(&self.0)
            .iter()
            .find_map(|(hash, request)| (request.leader == leader).then_some(*hash));
        if let Some(hash) = led {
            drop(Leadership { single_flight: self, queue, scheduler, hash, leader });
        }
    }
}

impl Drop for Leadership<'_> {
    fn drop(&mut self) {
        let ended = match lock(&self.single_flight.0).entry(self.hash) {
            Entry::Occupied(entry) if entry.get().leader == self.leader => entry.remove(),
            // It was abandoned, and another one may lead now.
            Entry::Occupied(_) | Entry::Vacant(_) => return,
        };
        for (row, interactive) in ended.followers {
            self.queue.release(row);
            if self.queue.offer_from_index(row, interactive) == Offer::Full {
                self.scheduler.wake();
            }
        }
    }
}
