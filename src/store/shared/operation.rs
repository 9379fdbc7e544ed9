//! An operation of the store as the writer sees it: what it needs, how it decides, and who waits
//! for its answer.

use tokio::sync::oneshot;

use super::needs::Needs;
use super::transaction::Transaction;
use crate::store::pending::Patience;
use crate::store::{Pending, StoreError};

/// An operation that waits for its transaction.
pub(super) trait Operation: Send {
    fn needs(&self) -> &Needs;

    /// Returns whether it is to be written: not one whose caller was told that it failed, before it
    /// was begun.
    fn is_wanted(&self) -> bool;

    /// Decides on what is there, and keeps the answer under the number of the try: what was there
    /// may have changed since the one before.
    fn decide(&mut self, number: usize, transaction: &mut Transaction<'_>);

    /// Answers the caller with what the try of this number has decided, or with an error.
    fn settle(self: Box<Self>, committed: Result<usize, StoreError>);
}

struct PendingOperation<T, F> {
    needs: Needs,
    decide: F,
    /// By the number of the try.
    outcomes: Vec<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
    /// It is written even if its caller has gone.
    stands_alone: bool,
}

impl<T, F> Operation for PendingOperation<T, F>
where
    T: Send,
    F: Fn(&mut Transaction<'_>) -> Result<T, StoreError> + Send,
{
    fn needs(&self) -> &Needs {
        &self.needs
    }

    fn is_wanted(&self) -> bool {
        self.stands_alone || !self.reply.is_closed()
    }

    fn decide(&mut self, number: usize, transaction: &mut Transaction<'_>) {
        // Of tries that came to no commit.
        self.outcomes.truncate(number);
        self.outcomes.push((self.decide)(transaction));
    }

    fn settle(mut self: Box<Self>, committed: Result<usize, StoreError>) {
        let answer = match committed {
            Ok(number) if number < self.outcomes.len() => self.outcomes.swap_remove(number),
            Ok(_) => Err(StoreError::Closed),
            Err(error) => Err(error),
        };
        // The caller may have gone; the write stands all the same.
        let _ = self.reply.send(answer);
    }
}

/// Creates an operation, and the answer to wait for. `decide` refuses before it changes anything.
pub(super) fn operation<T: Send + 'static>(
    needs: Needs,
    decide: impl Fn(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
) -> (Box<dyn Operation>, Pending<T>) {
    let (waiting, answer) = pending(needs, decide, true);
    (Box::new(waiting), Pending::begun(answer))
}

/// Creates an operation as [`operation`] does, for a caller who waits for as long as `patience`.
/// One that was not begun by then is not written.
pub(super) fn operation_for<T: Send + 'static>(
    patience: Patience,
    needs: Needs,
    decide: impl Fn(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
) -> (Box<dyn Operation>, Pending<T>) {
    let (waiting, answer) = pending(needs, decide, false);
    (Box::new(waiting), Pending::begun_for(answer, patience))
}

type Answer<T> = oneshot::Receiver<Result<T, StoreError>>;

fn pending<T, F>(
    needs: Needs,
    decide: F,
    stands_alone: bool,
) -> (PendingOperation<T, F>, Answer<T>) {
    let (reply, answer) = oneshot::channel();
    (PendingOperation { needs, decide, outcomes: Vec::new(), reply, stands_alone }, answer)
}
