//! The way to the connections that read: each read goes to one of them, in turn.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;
use tokio_postgres::Row as PgRow;

use super::reads::{Read, ReadReply};
use super::round::Value;
use super::statements::Sql;
use crate::store::{Pending, StoreError};

/// The queues of all readers.
pub(super) struct ReadQueues {
    queues: Vec<mpsc::Sender<Read>>,
    next: AtomicUsize,
}

impl ReadQueues {
    pub(super) fn new(queues: Vec<mpsc::Sender<Read>>) -> ReadQueues {
        ReadQueues { queues, next: AtomicUsize::new(0) }
    }

    /// Asks a statement of its own that no hour's tables are named by.
    pub(super) fn ask_statement(&self, sql: Sql, values: Vec<Value>) -> Pending<Vec<PgRow>> {
        self.ask(|reply| Read::Statement(sql, values, reply))
    }

    /// Does what [`ReadQueues::ask_statement`] does, for what is asked too seldom to stay prepared.
    /// It may name an hour's tables: an hour without tables has no rows.
    pub(super) fn ask_text(&self, text: &str, values: Vec<Value>) -> Pending<Vec<PgRow>> {
        self.ask(|reply| Read::Text(text.to_owned(), values, reply))
    }

    /// Gives a read to a reader, in turn.
    pub(super) fn ask<T>(&self, read: impl FnOnce(ReadReply<T>) -> Read) -> Pending<T> {
        let (reply, answer) = oneshot::channel();
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let Some(queue) = turn.checked_rem(self.queues.len()).map(|place| &self.queues[place])
        else {
            return Pending::refused(StoreError::Closed);
        };
        match queue.try_send(read(reply)) {
            Ok(()) => Pending::begun(answer),
            Err(TrySendError::Full(_)) => Pending::refused(StoreError::Busy),
            Err(TrySendError::Closed(_)) => Pending::refused(StoreError::Closed),
        }
    }
}
