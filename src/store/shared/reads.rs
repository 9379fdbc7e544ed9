//! Group reads: a reader drains what is asked for into one statement for each hour, which has one
//! snapshot, so that a job is never seen both in the queue and among the ends, or in neither.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_postgres::Row as PgRow;

use super::connect::{PgConnector, PgSession, Purpose};
use super::error::{ErrorClass, PgError};
use super::round::{Round, Value};
use super::row_number::{Hour, by_hour};
use super::statements::{Prepared, Sql};
use crate::store::{Row, StoreError};
use crate::tally::Histogram;

/// The most reads that one round trip has.
const READS_MAX: usize = 256;
/// How long a read waits for a connection.
const PATIENCE: Duration = Duration::from_secs(2);

/// The sender of a read's answer.
pub(super) type ReadReply<T> = oneshot::Sender<Result<T, StoreError>>;

/// The subject of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum RowSubject {
    /// What was asked, how it stands, and the result.
    Job,
    Batch,
    Delivery,
}

impl RowSubject {
    fn sql(self) -> Sql {
        match self {
            RowSubject::Job => Sql::ReadResults,
            RowSubject::Batch => Sql::ReadBatches,
            RowSubject::Delivery => Sql::ReadDeliveries,
        }
    }
}

/// A read that waits for its turn.
pub(super) enum Read {
    /// One row, which is read together with others.
    One(RowSubject, Row, ReadReply<Option<Arc<PgRow>>>),
    /// A statement of its own.
    Statement(Sql, Vec<Value>, ReadReply<Vec<PgRow>>),
    /// One that is asked too seldom to stay prepared.
    Text(String, Vec<Value>, ReadReply<Vec<PgRow>>),
}

type Askers = HashMap<(RowSubject, Row), Vec<ReadReply<Option<Arc<PgRow>>>>>;

/// A connection that reads.
pub(super) struct StoreReader {
    connector: PgConnector,
    /// The rows of each statement.
    read_rows: Arc<Histogram>,
    number: u16,
    receiver: mpsc::Receiver<Read>,
    session: Option<(PgSession, Prepared)>,
}

impl StoreReader {
    pub(super) fn new(
        connector: PgConnector,
        read_rows: Arc<Histogram>,
        number: u16,
        receiver: mpsc::Receiver<Read>,
    ) -> StoreReader {
        StoreReader { connector, read_rows, number, receiver, session: None }
    }

    /// Reads what is asked for until the queue is closed.
    pub(super) async fn run(mut self) {
        while let Some(first) = self.receiver.recv().await {
            let mut reads = vec![first];
            while reads.len() < READS_MAX
                && let Ok(next) = self.receiver.try_recv()
            {
                reads.push(next);
            }
            let mut rows = Askers::new();
            for read in reads {
                match read {
                    Read::One(kind, row, reply) => {
                        rows.entry((kind, row)).or_default().push(reply);
                    }
                    Read::Statement(sql, values, reply) => {
                        self.read_alone(ReadRound::Statement(sql, values), reply).await;
                    }
                    Read::Text(text, values, reply) => {
                        self.read_alone(ReadRound::Text(text, values), reply).await;
                    }
                }
            }
            if !rows.is_empty() {
                self.read_rows(rows).await;
            }
        }
    }

    async fn read_alone(&mut self, asked: ReadRound, reply: ReadReply<Vec<PgRow>>) {
        let answer = self.ask(&asked).await.map(|mut found| found.pop());
        let _ = reply.send(answer.map(|found| found.map_or_else(Vec::new, |(_, rows)| rows)));
    }

    async fn read_rows(&mut self, mut waiting: Askers) {
        let mut keys: Vec<(RowSubject, Row)> = waiting.keys().copied().collect();
        keys.sort_unstable();
        self.read_rows.observe(keys.len() as u64);
        match self.ask(&ReadRound::Rows(keys)).await {
            Ok(found) => {
                for (kind, answers) in found {
                    for answer in answers {
                        let row = answer.get::<_, i64>(0) as Row;
                        let answer = Arc::new(answer);
                        for reply in waiting.remove(&(kind, row)).into_iter().flatten() {
                            let _ = reply.send(Ok(Some(answer.clone())));
                        }
                    }
                }
                for reply in waiting.into_values().flatten() {
                    let _ = reply.send(Ok(None));
                }
            }
            Err(error) => {
                for reply in waiting.into_values().flatten() {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }

    /// Asks on the connection, and once more on a new one if it was lost.
    async fn ask(&mut self, asked: &ReadRound) -> Result<Answers, StoreError> {
        let mut tries = 0;
        loop {
            let (session, prepared) = self.connected().await?;
            match asked.answer(session, prepared).await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    if error.is_lost() {
                        self.session = None;
                    }
                    let is_gone = error.class() == ErrorClass::TableMissing;
                    if is_gone && let Some((_, prepared)) = &mut self.session {
                        // The tables of an hour were dropped that a statement was prepared for.
                        prepared.clear();
                    }
                    tries += 1;
                    if !(error.is_lost() || is_gone) || tries > 1 {
                        return Err(error.into());
                    }
                }
            }
        }
    }

    async fn connected(&mut self) -> Result<&mut (PgSession, Prepared), StoreError> {
        let known = self.session.take().filter(|(session, _)| !session.is_closed());
        let session = match known {
            Some(known) => known,
            None => {
                let connecting = self.connector.connect_until_done(Purpose::Reader(self.number));
                let session = tokio::time::timeout(PATIENCE, connecting).await;
                let silent = |_| PgError::silent(PATIENCE.as_secs());
                (session.map_err(silent)?, Prepared::default())
            }
        };
        Ok(self.session.insert(session))
    }
}

/// The rows that were found, by their subject.
type Answers = Vec<(RowSubject, Vec<PgRow>)>;

/// The statements of one round trip.
enum ReadRound {
    Rows(Vec<(RowSubject, Row)>),
    Statement(Sql, Vec<Value>),
    Text(String, Vec<Value>),
}

impl ReadRound {
    async fn answer(
        &self,
        session: &PgSession,
        prepared: &mut Prepared,
    ) -> Result<Answers, PgError> {
        let mut round = Round::new(session);
        let mut kinds = Vec::new();
        match self {
            ReadRound::Rows(keys) => {
                for kind in [RowSubject::Job, RowSubject::Batch, RowSubject::Delivery] {
                    let rows = keys.iter().filter(|(of, _)| *of == kind).map(|(_, row)| *row);
                    for (hour, rows) in by_hour(rows) {
                        match prepared.get(session, kind.sql(), hour).await {
                            Ok(statement) => {
                                round.add(statement, vec![Arc::new(rows)]);
                                kinds.push(kind);
                            }
                            // An hour without tables has no rows.
                            Err(error) if error.class() == ErrorClass::TableMissing => {}
                            Err(error) => return Err(error),
                        }
                    }
                }
            }
            ReadRound::Statement(sql, values) => {
                let statement = prepared.get(session, *sql, Hour::of_ms(0)).await?;
                round.add(statement, values.clone());
                kinds.push(RowSubject::Job);
            }
            ReadRound::Text(text, values) => match session.within(session.prepare(text)).await {
                Ok(statement) => {
                    round.add(statement, values.clone());
                    kinds.push(RowSubject::Job);
                }
                Err(error) if error.class() == ErrorClass::TableMissing => {}
                Err(error) => return Err(error),
            },
        }
        Ok(kinds.into_iter().zip(round.answers().await?).collect())
    }
}
