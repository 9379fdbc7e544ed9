//! The only thread that writes. It drains its queue into one transaction (group commit), commits
//! with an fsync, and only then answers every caller in it: what was answered is on disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, RecvError, RecvTimeoutError, Sender, TrySendError};
use tokio::sync::oneshot;

use super::shared::Shared;
use super::transaction::Tables;
use crate::store::{BATCH_WRITES_MAX, Pending, QuickRepair, StoreError, WRITES_WAITING_MAX};

/// A write that waits for its transaction.
trait Write: Send {
    /// Runs inside the transaction.
    ///
    /// # Errors
    /// Only what makes the whole transaction void.
    fn run(&mut self, tables: &mut Tables<'_>) -> Result<(), StoreError>;

    /// Answers the caller, after the commit or its failure.
    fn settle(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Operation<T, F> {
    run: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Write for Operation<T, F>
where
    T: Send,
    F: FnOnce(&mut Tables<'_>) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, tables: &mut Tables<'_>) -> Result<(), StoreError> {
        let Some(run) = self.run.take() else { return Ok(()) };
        match run(tables) {
            Err(error) if error.voids_transaction() => Err(error),
            outcome => {
                self.outcome = Some(outcome);
                Ok(())
            }
        }
    }

    fn settle(self: Box<Self>, committed: Result<(), StoreError>) {
        let answer = match (committed, self.outcome) {
            (Err(error), _) => Err(error),
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(StoreError::Closed),
        };
        // The caller may have gone; the write stands all the same.
        let _ = self.reply.send(answer);
    }
}

/// The queue's end that everyone else holds.
pub(super) struct WriteQueue {
    sender: Sender<Box<dyn Write>>,
}

impl WriteQueue {
    /// Queues a write without waiting: full is an error, so that a handler never blocks.
    pub(crate) fn submit<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Tables<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        let (reply, answer) = oneshot::channel();
        let operation = Operation { run: Some(run), outcome: None, reply };
        match self.sender.try_send(Box::new(operation)) {
            Ok(()) => Pending::begun(answer),
            Err(TrySendError::Full(_)) => Pending::refused(StoreError::Busy),
            Err(TrySendError::Disconnected(_)) => Pending::refused(StoreError::Closed),
        }
    }

    /// Queues a write and blocks while the queue is full: for the engine's threads, whose writes
    /// must not be refused.
    pub(crate) fn submit_blocking<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Tables<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        let (reply, answer) = oneshot::channel();
        let operation = Operation { run: Some(run), outcome: None, reply };
        match self.sender.send(Box::new(operation)) {
            Ok(()) => Pending::begun(answer),
            Err(_) => Pending::refused(StoreError::Closed),
        }
    }
}

/// Starts the writer. It ends, having written all that was queued, when the queue is dropped.
pub(super) fn spawn(shared: Arc<Shared>) -> std::io::Result<(WriteQueue, JoinHandle<()>)> {
    let (sender, receiver) = crossbeam_channel::bounded(WRITES_WAITING_MAX);
    let thread = std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || run(&receiver, &shared))?;
    Ok((WriteQueue { sender }, thread))
}

fn run(receiver: &Receiver<Box<dyn Write>>, shared: &Shared) {
    let mut batch = Vec::with_capacity(BATCH_WRITES_MAX);
    // Whether an opening after a crash would need no repair.
    let mut settled = false;
    loop {
        let Ok((first, rested)) = next(receiver, shared, &mut settled) else { return };
        batch.push(first);
        batch.extend(receiver.try_iter().take(BATCH_WRITES_MAX - 1));
        shared.room_seen.store(false, Ordering::Relaxed);
        if let Some(error) = shared.outage_error() {
            for write in batch.drain(..) {
                write.settle(Err(error.clone()));
            }
            continue;
        }
        let quick = rested || shared.quick_repair == QuickRepair::Always;
        settled = quick;
        let outcome = transact_guarded(shared, &mut batch, quick);
        for write in batch.drain(..) {
            write.settle(outcome.clone());
        }
    }
}

/// Waits for the next write; returns whether the writer has rested before it. At the beginning of a
/// rest the database is settled.
fn next(
    receiver: &Receiver<Box<dyn Write>>,
    shared: &Shared,
    settled: &mut bool,
) -> Result<(Box<dyn Write>, bool), RecvError> {
    let QuickRepair::AfterRest(rest) = shared.quick_repair else {
        return Ok((receiver.recv()?, false));
    };
    match receiver.recv_timeout(rest) {
        Ok(first) => return Ok((first, false)),
        Err(RecvTimeoutError::Disconnected) => return Err(RecvError),
        Err(RecvTimeoutError::Timeout) => {}
    }
    if !*settled && shared.outage_error().is_none() {
        *settled = transact_guarded(shared, &mut [], true).is_ok();
    }
    Ok((receiver.recv()?, true))
}

/// As [`transact`], with the last net: for a panic of redb's own, after one of a write has been
/// caught further in.
fn transact_guarded(
    shared: &Shared,
    batch: &mut [Box<dyn Write>],
    quick: bool,
) -> Result<(), StoreError> {
    let outcome = catch_unwind(AssertUnwindSafe(|| transact(shared, batch, quick)));
    shared.noted(outcome.unwrap_or_else(|_| {
        // What of the database is still sound is not known: only opening it again tells.
        shared.stop_writes(StoreError::Panicked);
        Err(StoreError::Panicked)
    }))
}

/// Runs the batch in one transaction, commits it, and lets its effects follow. A `quick` commit
/// takes longer, and the database needs no repair after a crash that follows it.
fn transact(shared: &Shared, batch: &mut [Box<dyn Write>], quick: bool) -> Result<(), StoreError> {
    let database = shared.database.read().map_err(|_| StoreError::Panicked)?;
    let database = database.as_ref().ok_or_else(|| shared.absent())?;
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(quick);
    let mut tables = Tables::open(&transaction)?;
    // A panic is a defect of one write. It is caught while the transaction stands, so that this is
    // aborted in order: dropped by the unwinding, it would leak its pages until a repair.
    catch_unwind(AssertUnwindSafe(|| run_all(batch, &mut tables)))
        .unwrap_or(Err(StoreError::Panicked))?;
    let effects = std::mem::take(&mut tables.effects);
    let depth_changes = std::mem::take(&mut tables.depth_changes);
    drop(tables);
    transaction.commit()?;
    #[cfg(test)]
    shared.reach_after_commit();
    shared.forget_latest();
    shared.committed(batch.len(), &effects, &depth_changes);
    Ok(())
}

fn run_all(batch: &mut [Box<dyn Write>], tables: &mut Tables<'_>) -> Result<(), StoreError> {
    for write in batch {
        write.run(tables)?;
    }
    tables.flush_credits()?;
    tables.flush_usage()
}
