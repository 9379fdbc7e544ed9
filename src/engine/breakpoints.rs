//! Named places at which tests stop the engine's threads, one by one, or let one fail, panic or die.
//! Outside of tests, reaching one does nothing.

#[cfg(test)]
use std::sync::{Arc, OnceLock};

/// A place in the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// A worker is about to wait for a row.
    WorkerIdle,
    /// A worker has claimed a row. The start of its attempt is about to be written.
    RowTaken,
    /// The start is on disk.
    StartWritten,
    /// Inside the attempt: the upstreams are about to be asked.
    Asking,
    /// The attempt is over. Its outcome is about to be written.
    OutcomeKnown,
    /// The outcome is on disk, or was rejected.
    OutcomeWritten,
    /// A thread that sends webhooks is about to wait for one.
    SenderIdle,
    /// A webhook is about to be sent.
    WebhookUnsent,
    /// Its receiver has answered. That is about to be written.
    WebhookSent,
    /// It is written.
    WebhookNoted,
    /// A pass of the scheduler is about to begin.
    PassBegins,
    /// Jobs that have not started in time are about to be ended.
    OverdueFound,
    OverdueEnded,
    /// Jobs that have expired are about to be removed.
    ExpiredFound,
    ExpiredRemoved,
    /// The scheduler is about to wait for its next pass.
    PassEnded,
    /// The store refuses every write; a thread is about to wait until it works again.
    StoreOut,
}

/// Called on the thread that has reached a point. It may block, and unwind.
#[cfg(test)]
pub(crate) type Hook = dyn Fn(Point) + Send + Sync;

/// The hook that a test sets before the threads start, shared by all of them.
#[derive(Clone, Default)]
pub(crate) struct Breakpoints {
    #[cfg(test)]
    hook: Arc<OnceLock<Arc<Hook>>>,
}

impl Breakpoints {
    /// Makes every thread call `hook` at every point. Only the first call counts.
    #[cfg(test)]
    pub(crate) fn set(&self, hook: Arc<Hook>) {
        let _ = self.hook.set(hook);
    }

    /// Calls the hook, if there is one.
    #[cfg(test)]
    pub(crate) fn reach(&self, point: Point) {
        if let Some(hook) = self.hook.get() {
            hook(point);
        }
    }

    #[cfg(not(test))]
    #[inline]
    pub(crate) fn reach(&self, _: Point) {}
}
