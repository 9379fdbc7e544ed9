//! A write that is under way: its answer comes when it has been committed.

use tokio::sync::oneshot::Receiver;

use super::StoreError;

/// The most writes that may wait for the writer; one more is refused as busy.
pub const WRITES_WAITING_MAX: usize = 8_192;

/// The most writes in one transaction. Draining what is queued is enough (the design's facts):
/// the writer never waits for more.
pub const BATCH_WRITES_MAX: usize = 1_024;

/// The answer to a write, when it has been committed.
#[must_use = "a write is not done before its answer is there"]
pub struct Pending<T>(Answer<T>);

enum Answer<T> {
    Begun(Receiver<Result<T, StoreError>>),
    Ready(Result<T, StoreError>),
}

impl<T> Pending<T> {
    /// Creates one whose answer comes through a channel; without one the store was closed.
    pub(super) fn begun(answer: Receiver<Result<T, StoreError>>) -> Pending<T> {
        Pending(Answer::Begun(answer))
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
    /// stored.
    pub async fn committed(self) -> Result<T, StoreError> {
        match self.0 {
            Answer::Begun(answer) => answer.await.unwrap_or(Err(StoreError::Closed)),
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
            Answer::Ready(answer) => answer,
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
