//! A writer: drains its queue into one transaction (group commit), commits it, and only then
//! answers every caller in it. Each transaction begins with the fence, a number in the writer's own
//! row that rises with each try. So a batch whose commit was not answered is neither lost nor
//! applied twice, and a node that was declared dead, whose row is gone, writes nothing.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{mpsc, watch};

use super::accounts;
use super::connect::{PgSession, Purpose};
use super::decided::Decided;
use super::error::{ErrorClass, PgError};
use super::hours::{self, WRITE_EXPIRY, WrittenExpiries};
use super::loading::{self, LoadedRows};
use super::needs::Needs;
use super::nodes::NodeNumber;
use super::operation::Operation;
use super::outages::Finder;
use super::process::{Process, UnknownOutcomes};
use super::round::{Round, Value};
use super::row_number::{Hour, RowParts};
use super::saving::{self, Writes};
use super::statements::{Prepared, Sql};
use super::transaction::Transaction;
use crate::clock::UnixMs;
use crate::store::{BATCH_WRITES_MAX, StoreError};

/// How often a batch is tried again that found another transaction in its way.
const CONTENDED_TRIES_MAX: u32 = 5;
/// How often the operations of a batch may demand more rows. Each demand follows from the one
/// before, and no operation has as many steps.
const DEMANDS_MAX: u32 = 32;
/// The SQLSTATE of the fence's statement where it finds no row.
const FENCE_CLOSED: &str = "22012";

/// A connection and what it has prepared.
struct Link {
    session: PgSession,
    prepared: Prepared,
}

/// A writer.
pub(super) struct StoreWriter {
    process: Arc<Process>,
    /// The node that the process was when this writer learned it.
    node: NodeNumber,
    /// Its number among the writers of the node.
    number: u16,
    /// The fence as the latest commit has left it.
    fence: i64,
    /// The highest number to which a try would have raised it.
    issued: i64,
    receiver: mpsc::Receiver<Box<dyn Operation>>,
    closing: watch::Receiver<bool>,
    /// A batch was given up at the close: the next ones are not waited for.
    has_given_up: bool,
    link: Option<Link>,
    expiries: WrittenExpiries,
    /// How long a batch that was not begun waits for a connection before it is refused.
    patience: Duration,
}

/// Why a try has not been committed.
enum Failed {
    /// The connection was lost; the try may be committed all the same.
    Unknown,
    /// It was rolled back.
    Refused(StoreError),
    /// The same again may succeed.
    Again(PgError),
    /// The fence is not where this writer has left it.
    FenceClosed,
}

impl From<PgError> for Failed {
    fn from(error: PgError) -> Failed {
        match error.class() {
            ErrorClass::ConnectionLost => Failed::Unknown,
            ErrorClass::Contended | ErrorClass::TableMissing => Failed::Again(error),
            ErrorClass::Refused if error.has_code(FENCE_CLOSED) => Failed::FenceClosed,
            ErrorClass::Overloaded
            | ErrorClass::Duplicate
            | ErrorClass::Denied
            | ErrorClass::Corrupted
            | ErrorClass::Refused => Failed::Refused(error.into()),
        }
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Failed {
        Failed::Refused(error)
    }
}

impl StoreWriter {
    /// Creates a writer whose row has been made with the number 0.
    pub(super) fn new(
        process: Arc<Process>,
        number: u16,
        receiver: mpsc::Receiver<Box<dyn Operation>>,
        closing: watch::Receiver<bool>,
    ) -> StoreWriter {
        let expiries = WrittenExpiries::default();
        let (fence, issued, link, patience) = (0, 0, None, Duration::ZERO);
        let has_given_up = false;
        let node = process.status.number();
        StoreWriter {
            process,
            node,
            number,
            fence,
            issued,
            receiver,
            closing,
            has_given_up,
            link,
            expiries,
            patience,
        }
    }

    /// Makes a batch that was not begun wait so long for a connection.
    pub(super) fn with_patience(self, patience: Duration) -> StoreWriter {
        StoreWriter { patience, ..self }
    }

    /// Writes what comes until the queue is closed, and all that is in it then.
    pub(super) async fn run(mut self) {
        while let Some(first) = self.receiver.recv().await {
            let mut batch = vec![first];
            while batch.len() < BATCH_WRITES_MAX
                && let Ok(next) = self.receiver.try_recv()
            {
                batch.push(next);
            }
            batch.retain(|operation| operation.is_wanted());
            self.write(batch).await;
        }
    }

    /// Writes a batch, and answers all of it. Where the database refuses it, each of its operations
    /// is tried alone, so that one defect fails one caller.
    async fn write(&mut self, batch: Vec<Box<dyn Operation>>) {
        let mut waiting = VecDeque::from([batch]);
        while let Some(mut batch) = waiting.pop_front() {
            let mut tries = Vec::new();
            match self.commit_unless_closed(&mut batch, &mut tries).await {
                Ok(number) => {
                    self.process.clear_outage(Finder::Writer(self.number));
                    let decided = tries.swap_remove(number);
                    self.process.committed(batch.len(), decided);
                    batch.into_iter().for_each(|operation| operation.settle(Ok(number)));
                }
                Err(error) if batch.len() > 1 && is_of_one(&error) && tries.len() < 2 => {
                    tracing::error!(%error, "a batch of writes was refused");
                    waiting = batch.into_iter().map(|operation| vec![operation]).collect();
                }
                Err(error) => {
                    batch.into_iter().for_each(|operation| operation.settle(Err(error.clone())));
                }
            }
        }
    }

    /// Commits a batch as [`StoreWriter::commit`] does. One that is not answered in time is an
    /// outage, and is given up once the store is being closed: nothing else would end the wait for
    /// a standby that is gone.
    async fn commit_unless_closed(
        &mut self,
        batch: &mut [Box<dyn Operation>],
        tries: &mut Vec<Decided>,
    ) -> Result<usize, StoreError> {
        let patience = if self.has_given_up { Duration::ZERO } else { self.patience };
        let seconds = self.patience.as_secs();
        let silent = || StoreError::from(PgError::silent(seconds));
        let (process, finder) = (self.process.clone(), Finder::Writer(self.number));
        let mut closing = self.closing.clone();
        let given_up = async {
            tokio::time::sleep(patience).await;
            process.note_outage(finder, silent());
            let _ = closing.wait_for(|is_closing| *is_closing).await;
        };
        let done = match select(Box::pin(self.commit(batch, tries)), Box::pin(given_up)).await {
            Either::Left((done, _)) => done,
            Either::Right(_) => Err(silent()),
        };
        let is_away = matches!(done, Err(StoreError::Unavailable(_)));
        self.has_given_up |= is_away && *self.closing.borrow();
        done
    }

    /// Tries to commit a batch until its outcome is known. Returns the number of the try that was
    /// committed.
    async fn commit(
        &mut self,
        batch: &mut [Box<dyn Operation>],
        tries: &mut Vec<Decided>,
    ) -> Result<usize, StoreError> {
        let mut needs = Needs::default();
        batch.iter().for_each(|operation| needs.add(operation.needs()));
        let (mut contended, mut is_unknown) = (0, false);
        loop {
            let mut link = self.connected(is_unknown).await?;
            match self.attempt(&mut link, batch, (&needs, is_unknown), tries).await {
                Ok(number) => {
                    self.note_outcome(is_unknown, |outcomes| &outcomes.again);
                    self.fence = tries[number].fence;
                    self.link = Some(link);
                    return Ok(number);
                }
                // What the connection has begun ends with it.
                Err(Failed::Unknown) => is_unknown = !tries.is_empty(),
                Err(Failed::Again(error)) => {
                    if error.class() == ErrorClass::TableMissing {
                        // That of an hour that was dropped.
                        link.prepared.clear();
                    }
                    contended += 1;
                    // What may have been committed is not answered before that is known.
                    let waits = is_unknown && !*self.closing.borrow();
                    if contended > CONTENDED_TRIES_MAX && !waits {
                        return Err(error.into());
                    }
                    self.roll_back(link).await;
                }
                Err(Failed::Refused(error)) => {
                    self.roll_back(link).await;
                    if matches!(error, StoreError::Unavailable(_)) {
                        self.process.status.note_no_room(error.clone());
                        self.process.note_outage(Finder::Writer(self.number), error.clone());
                    }
                    return Err(error);
                }
                Err(Failed::FenceClosed) => match read_fence(&link, self.row()).await {
                    Ok(Some(fence)) => {
                        // Where it is none of these, a batch that was given up has been committed.
                        self.fence = fence;
                        self.link = Some(link);
                        if let Some(number) = tries.iter().position(|it| it.fence == fence) {
                            self.note_outcome(true, |outcomes| &outcomes.committed);
                            return Ok(number);
                        }
                    }
                    Ok(None) => match read_gone_fence(&link, self.row()).await {
                        Ok(fence) => {
                            let committed = tries.iter().position(|it| Some(it.fence) == fence);
                            if let Some(number) = committed {
                                self.note_outcome(true, |outcomes| &outcomes.committed);
                                return Ok(number);
                            }
                            self.link = Some(link);
                            is_unknown = false;
                            self.register_again().await?;
                        }
                        Err(error) if error.is_lost() || error.class() == ErrorClass::Contended => {
                        }
                        Err(error) => return Err(error.into()),
                    },
                    Err(error) if error.is_lost() || error.class() == ErrorClass::Contended => {}
                    Err(error) => return Err(error.into()),
                },
            }
        }
    }

    fn note_outcome(&self, was_unknown: bool, counter: impl Fn(&UnknownOutcomes) -> &AtomicU64) {
        if was_unknown {
            counter(&self.process.unknown_outcomes).fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the key of the row that has the fence.
    fn row(&self) -> (i32, i16) {
        (self.node.0, self.number as i16)
    }

    /// Returns the connection, or a new one. A batch that may have been committed waits for one
    /// until the store is closed.
    async fn connected(&mut self, is_unknown: bool) -> Result<Link, StoreError> {
        if let Some(link) = self.link.take().filter(|link| !link.session.is_closed()) {
            return Ok(link);
        }
        let connecting = self.process.connector.connect_until_done(Purpose::Writer(self.number));
        let mut closing = self.closing.clone();
        let patience = self.patience;
        let given_up = async {
            if is_unknown {
                let _ = closing.wait_for(|is_closing| *is_closing).await;
            }
            tokio::time::sleep(patience).await;
        };
        match select(Box::pin(connecting), Box::pin(given_up)).await {
            Either::Left((session, _)) => Ok(Link { session, prepared: Prepared::default() }),
            Either::Right(_) => {
                let error = StoreError::from(PgError::silent(self.patience.as_secs()));
                self.process.note_outage(Finder::Writer(self.number), error.clone());
                Err(error)
            }
        }
    }

    /// Waits until the process is a node again, after it was declared dead.
    async fn register_again(&mut self) -> Result<(), StoreError> {
        let renewed = self.process.status.registered_after(self.node);
        let mut closing = self.closing.clone();
        let patience = self.patience;
        let given_up = async {
            let closed = async { closing.wait_for(|is_closing| *is_closing).await.is_ok() };
            let _ = tokio::time::timeout(patience, closed).await;
        };
        match select(Box::pin(renewed), Box::pin(given_up)).await {
            Either::Left((Some(node), _)) => {
                // Its fences begin at 0.
                (self.node, self.fence) = (node, 0);
                Ok(())
            }
            Either::Left((None, _)) | Either::Right(_) => {
                let known = self.process.status.outages.error();
                Err(known.unwrap_or_else(|| PgError::silent(self.patience.as_secs()).into()))
            }
        }
    }

    /// Ends what the connection has begun, and keeps it if it is in order.
    async fn roll_back(&mut self, link: Link) {
        let ended = link.session.batch_execute("ROLLBACK").await;
        self.link = ended.is_ok().then_some(link);
    }

    /// Tries once to commit a batch. Where it may have been committed, the fence is asked before
    /// anything is written again. Returns the number of the try.
    async fn attempt(
        &mut self,
        link: &mut Link,
        batch: &mut [Box<dyn Operation>],
        (needs, is_unknown): (&Needs, bool),
        tries: &mut Vec<Decided>,
    ) -> Result<usize, Failed> {
        self.prepare(link, needs).await?;
        let Link { session, prepared } = link;
        let process = self.process.clone();
        let slot = self.node.slot(self.number);
        let mut transaction = Transaction::new(&process, self.node, slot);
        let mut rows = LoadedRows::default();
        let (mut round, fence) = self.begin(session, prepared).await?;
        if is_unknown || !needs.is_blind() {
            rows =
                loading::load(session, prepared, round, &process, needs, &mut transaction).await?;
            round = Round::new(session);
        }
        let mut demands = 0;
        loop {
            decide_all(batch, tries.len(), &mut transaction)?;
            let demand = std::mem::take(&mut transaction.things.demand);
            if demand.is_empty() {
                break;
            }
            demands += 1;
            if demands > DEMANDS_MAX {
                return Err(Failed::Refused(StoreError::Busy));
            }
            loading::load_more(session, prepared, round, demand, &mut rows).await?;
            round = Round::new(session);
            transaction = Transaction::new(&process, self.node, slot);
            rows.fill(&process, needs, &mut transaction);
        }
        let writes = Writes::of(&transaction)?;
        writes.add_to(session, prepared, &mut round).await?;
        round.add_word("COMMIT");
        let (ended, forgets) = (saving::ended(&transaction)?, process.ended.forgets());
        let Transaction { effects, depth, opened, deleted, .. } = transaction;
        tries.push(Decided { fence, effects, depth, opened, deleted, ended, forgets });
        round.answers().await?;
        Ok(tries.len() - 1)
    }

    /// Begins a transaction with the fence, which each try raises to a number of its own: so it is
    /// known later which of them was committed. Returns that number.
    async fn begin<'s>(
        &mut self,
        session: &'s PgSession,
        prepared: &mut Prepared,
    ) -> Result<(Round<'s>, i64), PgError> {
        let statement = prepared.get(session, Sql::Fence, Hour::of_ms(0)).await?;
        self.issued += 1;
        let ((node, writer), fence) = (self.row(), self.issued);
        let mut round = Round::new(session);
        round.add_word("BEGIN");
        let values: Vec<Value> =
            vec![Arc::new(node), Arc::new(writer), Arc::new(self.fence), Arc::new(fence)];
        round.add(statement, values);
        Ok((round, fence))
    }

    /// Makes what a batch takes for granted: numbers of its accounts, tables of its hours, and that
    /// these stay for as long as its jobs exist.
    async fn prepare(&mut self, link: &mut Link, needs: &Needs) -> Result<(), PgError> {
        accounts::learn(&link.session, &self.process.accounts, &needs.accounts).await?;
        let mut expiries: BTreeMap<Hour, UnixMs> = BTreeMap::new();
        for (row, expires_ms) in &needs.new_rows {
            let latest_ms = expiries.entry(RowParts::of(*row).hour).or_default();
            *latest_ms = (*latest_ms).max(*expires_ms);
        }
        for (hour, expires_ms) in expiries {
            match link.prepared.get(&link.session, Sql::InsertJobs, hour).await {
                Err(error) if error.class() == ErrorClass::TableMissing => {
                    hours::make(&link.session, hour).await?;
                }
                prepared => drop(prepared?),
            }
            let Some(at_ms) = self.expiries.missing(hour, expires_ms) else { continue };
            let (number, expiry) = (hour.number(), at_ms as i64);
            let session = &link.session;
            // Before the batch: its lock is not held over a commit, and too late does no harm.
            session.execute(WRITE_EXPIRY, &[&number, &expiry]).await?;
            self.expiries.written(hour, at_ms);
        }
        Ok(())
    }
}

/// Returns the fence of a writer's row, after it was not where it was expected; `None` if the node
/// was declared dead. The answer comes with one more commit: where a standby is waited for, a
/// commit that was cut off while it waited is known to be there with the next.
async fn read_fence(link: &Link, (node, writer): (i32, i16)) -> Result<Option<i64>, PgError> {
    let session = &link.session;
    session.batch_execute("ROLLBACK").await?;
    let raise = "UPDATE writers SET seq = seq WHERE node = $1 AND slot = $2 RETURNING seq";
    let fence = session.query_opt(raise, &[&node, &writer]).await?;
    Ok(fence.map(|row| row.get(0)))
}

/// Returns the fence that a writer's row had when its node was declared dead, with one more commit
/// as [`read_fence`] does; `None` if that is long ago.
async fn read_gone_fence(link: &Link, (node, writer): (i32, i16)) -> Result<Option<i64>, PgError> {
    let raise = "UPDATE gone_writers SET seq = seq WHERE node = $1 AND slot = $2 RETURNING seq";
    let fence = link.session.query_opt(raise, &[&node, &writer]).await?;
    Ok(fence.map(|row| row.get(0)))
}

/// Lets all operations decide, in the order in which they came.
fn decide_all(
    batch: &mut [Box<dyn Operation>],
    number: usize,
    transaction: &mut Transaction<'_>,
) -> Result<(), StoreError> {
    let decided = catch_unwind(AssertUnwindSafe(|| {
        batch.iter_mut().for_each(|operation| operation.decide(number, transaction));
    }));
    decided.map_err(|_| StoreError::Panicked)
}

/// Returns whether an error may be the fault of one operation of a batch.
fn is_of_one(error: &StoreError) -> bool {
    match error {
        StoreError::Database(_)
        | StoreError::Damaged(_)
        | StoreError::Version(_)
        | StoreError::Panicked => true,
        StoreError::Directory { .. }
        | StoreError::Missing(_)
        | StoreError::InUse(_)
        | StoreError::Unsound { .. }
        | StoreError::Unavailable(_)
        | StoreError::NoStandby(_)
        | StoreError::Unsuitable(_)
        | StoreError::Busy
        | StoreError::SpaceLow { .. }
        | StoreError::Closed
        | StoreError::NoRandomness(_) => false,
    }
}
