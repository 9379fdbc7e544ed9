//! The named places at which tests stop the engine's threads: to step them one by one, and to let
//! one fail, panic or die there. It is compiled for tests only.

use std::sync::{Arc, OnceLock};

/// A place in the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// A worker is about to wait for a row.
    WorkerIdle,
    /// The channel gave a worker a row. The start of its attempt is about to be written.
    RowTaken,
    /// The start is on disk.
    StartWritten,
    /// Inside the attempt: the upstreams are about to be asked.
    Asking,
    /// The attempt is over. Its outcome is about to be written.
    OutcomeKnown,
    /// The outcome is on disk, or was refused.
    OutcomeWritten,
    /// A thread that sends webhooks is about to wait for one.
    SenderIdle,
    /// A webhook is about to be sent.
    WebhookUnsent,
    /// Its receiver has answered. That is about to be noted.
    WebhookSent,
    /// It is noted.
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
pub(crate) type Hook = dyn Fn(Point) + Send + Sync;

/// What happens at the points: nothing, unless a test has set a hook before the threads were
/// started.
#[derive(Default)]
pub(crate) struct Breakpoints(OnceLock<Arc<Hook>>);

impl Breakpoints {
    /// Makes every thread call `hook` at every point. Only the first call counts.
    pub fn set(&self, hook: Arc<Hook>) {
        let _ = self.0.set(hook);
    }

    /// The calling thread is at this point.
    pub fn reach(&self, point: Point) {
        if let Some(hook) = self.0.get() {
            hook(point);
        }
    }
}
