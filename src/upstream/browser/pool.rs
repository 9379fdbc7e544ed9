//! The sessions of one upstream: at most a fixed number, each with one job, in browsers that it
//! shares with others.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::bounds::Bounds;
use super::browsers::{Browsers, WAIT_TURN};
use super::fault::Fault;
use super::runtime::Runtime;
use super::session::Session;
use super::whereabouts::Whereabouts;

/// How many turns the end of the service waits for jobs that are about to end.
const END_TURNS_MAX: usize = 50;

pub(crate) struct Pool {
    sessions_max: usize,
    browsers: Arc<Browsers>,
    taken: Mutex<usize>,
    freed: Condvar,
}

impl Pool {
    pub(crate) fn new(sessions_max: usize, browsers: Arc<Browsers>) -> Pool {
        Pool { sessions_max, browsers, taken: Mutex::new(0), freed: Condvar::new() }
    }

    /// Returns a session as [`Browsers::session`] does, when one is free.
    ///
    /// # Errors
    /// Returns an error if none is free or can be started in time.
    pub(crate) fn take(
        &self,
        runtime: &Runtime,
        at: &Whereabouts,
        bounds: &Bounds,
    ) -> Result<Session, Fault> {
        let mut taken = self.lock();
        while *taken >= self.sessions_max {
            if bounds.is_canceled() {
                return Err(Fault::Canceled);
            }
            if bounds.left().is_zero() {
                return Err(Fault::Deadline { doing: "waiting for a session".to_owned() });
            }
            taken = self.wait(taken);
        }
        *taken += 1;
        drop(taken);
        self.browsers.session(runtime, at, bounds).inspect_err(|_| self.free())
    }

    /// Takes a session back as [`Browsers::give_back`] does.
    pub(crate) fn give_back(&self, runtime: &Runtime, session: Session) {
        self.browsers.give_back(runtime, session);
        self.free();
    }

    /// Returns the most memory for a job, bytes.
    pub(crate) fn memory_bytes_max(&self) -> u64 {
        self.browsers.limits.memory_bytes_max
    }

    /// Waits for jobs that are about to end, and ends the browsers.
    pub(crate) fn end(&self, runtime: &Runtime) {
        let mut taken = self.lock();
        for _ in 0..END_TURNS_MAX {
            if *taken == 0 {
                break;
            }
            taken = self.wait(taken);
        }
        drop(taken);
        self.browsers.end(runtime);
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, taken: MutexGuard<'a, usize>) -> MutexGuard<'a, usize> {
        self.freed.wait_timeout(taken, WAIT_TURN).unwrap_or_else(PoisonError::into_inner).0
    }

    fn free(&self) {
        *self.lock() -= 1;
        self.freed.notify_one();
    }
}
