//! Callers that wait for something of a job, its end or its next transition: open connections. One
//! entry each, no thread.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::lock::lock;
use crate::store::Row;

/// The map is split, so that waking one job does not hold up another's waiter.
const SHARDS: usize = 16;

type Shard = HashMap<Row, Vec<oneshot::Sender<()>>>;

/// Waiting callers, by row.
#[derive(Default)]
pub(super) struct Waiters {
    shards: [Mutex<Shard>; SHARDS],
    /// Nothing more will end before the process does.
    closed: AtomicBool,
}

/// A caller's wait for a row. It is over when the row is woken; dropping it forgets the caller.
pub struct Wait<'a> {
    waiters: &'a Waiters,
    row: Row,
    woken: oneshot::Receiver<()>,
}

impl Waiters {
    /// Registers for a row. Register first and look at the job second: what happens between the
    /// two is then seen by one of them.
    pub(crate) fn register(&self, row: Row) -> Wait<'_> {
        let (sender, woken) = oneshot::channel();
        let mut shard = self.shard(row);
        if self.closed.load(Ordering::SeqCst) {
            // A caller that comes after `wake_all` would wait for its whole time-out.
            let _ = sender.send(());
        } else {
            shard.entry(row).or_default().push(sender);
        }
        Wait { waiters: self, row, woken }
    }

    /// Returns whether every caller has been woken for good: a wake says nothing of a job any more.
    pub(crate) fn closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Returns every row that a caller waits for.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let rows = |shard: &Mutex<Shard>| lock(shard).keys().copied().collect::<Vec<Row>>();
        self.shards.iter().flat_map(rows).collect()
    }

    /// Wakes every caller that waits for a row.
    pub(crate) fn wake(&self, row: Row) {
        let waiting = self.shard(row).remove(&row);
        for sender in waiting.into_iter().flatten() {
            // The caller may have gone.
            let _ = sender.send(());
        }
    }

    /// Wakes every caller, and from now on each that comes: nothing more will end before the process
    /// does.
    pub(crate) fn wake_all(&self) {
        self.closed.store(true, Ordering::SeqCst);
        for shard in &self.shards {
            for sender in lock(shard).drain().flat_map(|(_, waiting)| waiting) {
                let _ = sender.send(());
            }
        }
    }

    /// Forgets the callers of a row that have gone.
    fn forget_gone(&self, row: Row) {
        let mut shard = self.shard(row);
        if let Some(waiting) = shard.get_mut(&row) {
            waiting.retain(|sender| !sender.is_closed());
            if waiting.is_empty() {
                shard.remove(&row);
            }
        }
    }

    fn shard(&self, row: Row) -> MutexGuard<'_, Shard> {
        lock(&self.shards[(row % SHARDS as u64) as usize])
    }
}

#[cfg(test)]
impl Wait<'_> {
    /// Returns whether it is over.
    pub fn is_over(&mut self) -> bool {
        self.woken.try_recv().is_ok()
    }
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match Pin::new(&mut self.woken).poll(context) {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            // A sender is dropped only after its caller.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.woken.close();
        self.waiters.forget_gone(self.row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_empty(waiters: &Waiters) -> bool {
        waiters.shards.iter().all(|shard| lock(shard).is_empty())
    }

    #[test]
    fn wake_ends_every_wait_for_the_row_and_leaves_nothing_behind() {
        let waiters = Waiters::default();
        let mut first = waiters.register(5);
        let mut second = waiters.register(5);
        drop(waiters.register(5));
        let mut other = waiters.register(6);
        waiters.wake(5);
        assert!(first.is_over() && second.is_over() && !other.is_over());
        assert_eq!(waiters.rows(), [6]);
        drop(other);
        assert!(is_empty(&waiters));
    }

    #[test]
    fn wait_that_begins_after_the_end_of_everything_is_over() {
        let waiters = Waiters::default();
        let mut before = waiters.register(5);
        waiters.wake_all();
        assert!(before.is_over() && waiters.register(5).is_over());
        assert!(is_empty(&waiters));
    }
}
