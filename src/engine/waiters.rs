//! Those who wait for something of a job, its end or its next transition: open connections. One
//! entry each, no thread.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::store::Row;

/// The map is split, so that waking one job does not hold up another's waiter.
const SHARDS: usize = 16;

/// Who waits for which row.
#[derive(Default)]
pub struct Waiters {
    shards: [Mutex<HashMap<Row, Vec<oneshot::Sender<()>>>>; SHARDS],
    /// Nothing more will end before the process does.
    closed: AtomicBool,
}

impl Waiters {
    /// Registers for a row. Register first and look at the job second: what happens between the
    /// two is then seen by one of them.
    pub fn register(&self, row: Row) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut shard = self.shard(row);
        if self.closed.load(Ordering::SeqCst) {
            // Whoever comes after `wake_all` would wait for its whole time-out.
            let _ = sender.send(());
            return receiver;
        }
        let waiting = shard.entry(row).or_default();
        waiting.retain(|sender| !sender.is_closed());
        waiting.push(sender);
        receiver
    }

    /// Whether everyone has been woken for good: a wake says nothing of a job any more.
    pub fn closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Every row that somebody waits for.
    pub fn rows(&self) -> Vec<Row> {
        let shards = self.shards.iter();
        let rows = |shard: &Mutex<HashMap<Row, _>>| -> Vec<Row> {
            shard.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
        };
        shards.flat_map(rows).collect()
    }

    /// Wakes everyone who waits for a row.
    pub fn wake(&self, row: Row) {
        let waiting = self.shard(row).remove(&row);
        for sender in waiting.into_iter().flatten() {
            // Whoever waited may have gone.
            let _ = sender.send(());
        }
    }

    /// Wakes everyone, and from now on whoever comes: nothing more will end before the process
    /// does.
    pub fn wake_all(&self) {
        self.closed.store(true, Ordering::SeqCst);
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            for sender in shard.drain().flat_map(|(_, waiting)| waiting) {
                let _ = sender.send(());
            }
        }
    }

    /// Forgets a row's waiters that have gone.
    pub fn forget_gone(&self, row: Row) {
        let mut shard = self.shard(row);
        if let Some(waiting) = shard.get_mut(&row) {
            waiting.retain(|sender| !sender.is_closed());
            if waiting.is_empty() {
                shard.remove(&row);
            }
        }
    }

    fn shard(&self, row: Row) -> MutexGuard<'_, HashMap<Row, Vec<oneshot::Sender<()>>>> {
        let shard = &self.shards[(row % SHARDS as u64) as usize];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_wakes_everyone_and_leaves_nothing_behind() {
        let waiters = Waiters::default();
        let mut first = waiters.register(5);
        drop(waiters.register(5));
        let mut other = waiters.register(6);
        waiters.wake(5);
        assert_eq!(first.try_recv(), Ok(()));
        assert!(other.try_recv().is_err());
        drop(other);
        waiters.forget_gone(6);
        assert!(waiters.shards.iter().all(|shard| shard.lock().unwrap().is_empty()));
    }

    #[test]
    fn who_comes_after_the_end_of_everything_does_not_wait() {
        let waiters = Waiters::default();
        let mut before = waiters.register(5);
        waiters.wake_all();
        assert_eq!(before.try_recv(), Ok(()));
        assert_eq!(waiters.register(5).try_recv(), Ok(()));
        assert!(waiters.shards.iter().all(|shard| shard.lock().unwrap().is_empty()));
    }
}
