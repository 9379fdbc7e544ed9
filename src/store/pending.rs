//! A write that is under way: its answer comes when it has been committed.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot::Receiver;

use super::{Blocking, StoreError};

/// The most writes that may wait for the writer; one more is refused as busy.
pub const WRITES_WAITING_MAX: usize = 8_192;

/// The most writes in one transaction. Draining what is queued is enough (the design's facts):
/// the writer never waits for more.
pub const BATCH_WRITES_MAX: usize = 1_024;

/// The answer to a write, when it has been committed.
#[must_use = "a write is not done before its answer is there"]
pub struct Pending<T>(Answer<T>);

/// The time that a caller waits.
#[derive(Clone)]
pub(super) struct Patience {
    pub time: Duration,
    /// Where the time is waited for: the caller may have no timers.
    pub timers: Handle,
    /// Returns the error of a write that has not been answered for so long.
    pub late: fn(Duration) -> StoreError,
}

enum Answer<T> {
    Begun(Receiver<Result<T, StoreError>>),
    /// Begun for a caller who waits only for so long.
    BegunFor(Receiver<Result<T, StoreError>>, Patience),
    Ready(Result<T, StoreError>),
}

impl<T> Pending<T> {
    /// Creates one whose answer comes through a channel; without one the store was closed.
    pub(super) fn begun(answer: Receiver<Result<T, StoreError>>) -> Pending<T> {
        Pending(Answer::Begun(answer))
    }

    /// Creates one as [`Pending::begun`] does, for a caller who waits no longer than `patience`.
    /// Whether it is written then is not known.
    pub(super) fn begun_for(
        answer: Receiver<Result<T, StoreError>>,
        patience: Patience,
    ) -> Pending<T> {
        Pending(Answer::BegunFor(answer, patience))
    }

    /// Creates one that was refused at once.
    pub(super) fn refused(error: StoreError) -> Pending<T> {
        Pending::ready(Err(error))
    }

    /// Creates one whose answer is known without a write.
    pub(super) fn ready(answer: Result<T, StoreError>) -> Pending<T> {
        Pending(Answer::Ready(answer))
    }

    /// Waits without blocking the thread.
    ///
    /// # Errors
    /// Returns an error if the write was refused or its transaction failed: nothing of it is
    /// stored; or if a shared store has not answered for too long.
    pub async fn committed(self) -> Result<T, StoreError> {
        match self.0 {
            Answer::Begun(answer) => answer.await.unwrap_or(Err(StoreError::Closed)),
            Answer::BegunFor(answer, Patience { time, timers, late }) => {
                let timed = {
                    let _entered = timers.enter();
                    tokio::time::timeout(time, answer)
                };
                match timed.await {
                    Ok(answer) => answer.unwrap_or(Err(StoreError::Closed)),
                    Err(_) => Err(late(time)),
                }
            }
            Answer::Ready(answer) => answer,
        }
    }

    /// Waits and blocks the thread; not for handlers.
    ///
    /// # Errors
    /// Returns an error if [`Pending::committed`] would.
    pub fn wait(self) -> Result<T, StoreError> {
        match self.0 {
            Answer::Begun(answer) => answer.blocking_recv().unwrap_or(Err(StoreError::Closed)),
            answer @ (Answer::BegunFor(..) | Answer::Ready(_)) => {
                Blocking::wait(Pending(answer).committed())
            }
        }
    }
}

/// The writer's counters since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterStats {
    /// Transactions committed, each with one fsync.
    pub commits: u64,
    /// Writes in them.
    pub writes: u64,
}
