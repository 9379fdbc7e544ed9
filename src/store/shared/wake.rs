//! Waking between nodes. One loop sends the hints of this node, on a connection of its own and
//! outside of the transactions that write: PostgreSQL holds a lock over the commit of a transaction
//! that notifies. The other one hears those of all others, and looks at the rows in case it has
//! missed some.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{mpsc, watch};

use super::connect::{PgSession, Purpose};
use super::hints::{self, Hint, HintMessage, MESSAGE_HINTS_MAX};
use super::hours;
use super::process::Process;
use super::round::Value;
use super::row_number::by_hour;
use crate::clock::Clock;
use crate::config::WakeBy;
use crate::store::effects::Effect;
use crate::store::{Row, StoreError};

/// For how long hints are collected into one message.
const COLLECT: Duration = Duration::from_millis(5);
/// The most messages that wait to be read.
const MESSAGES_WAITING_MAX: usize = 1_024;
/// The time between two looks, milliseconds, and where nothing is heard.
const LOOK_MS: u64 = 2_000;
const LOOK_DEAF_MS: u64 = 250;
/// The scraper of a row that is waited for, where it does not matter.
const NO_SCRAPER: u16 = u16::MAX;

/// Sends the hints of this node until `stopping` says so.
pub(super) async fn notify(process: Arc<Process>, mut stopping: watch::Receiver<bool>) {
    let mut session: Option<PgSession> = None;
    while !*stopping.borrow() {
        let next = async {
            process.hints.added().await;
            tokio::time::sleep(COLLECT).await;
            let hints = process.hints.take();
            if process.status.is_alone() {
                return;
            }
            let known = session.take().filter(|session| !session.is_closed());
            let connected = match known {
                Some(session) => session,
                None => connect_to_notify(&process).await,
            };
            for hints in hints.chunks(MESSAGE_HINTS_MAX) {
                let (node, sent_us) = (process.status.number(), process.status.now_us());
                let message = hints::encode(node, sent_us, hints);
                let values: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
                    [&process.connector.schema(), &message];
                if let Err(error) = connected.execute("SELECT pg_notify($1, $2)", &values).await {
                    tracing::warn!(%error, "other nodes find what was committed a moment later");
                    return;
                }
            }
            session = Some(connected);
        };
        let stop = stopping.wait_for(|is_stopping| *is_stopping);
        select(Box::pin(next), Box::pin(stop)).await;
    }
}

async fn connect_to_notify(process: &Process) -> PgSession {
    loop {
        let session = process.connector.connect_until_done(Purpose::Notify).await;
        // Nothing is written, so nothing has to reach a disk.
        if session.batch_execute("SET synchronous_commit = off").await.is_ok() {
            return session;
        }
    }
}

/// Hears the hints of other nodes.
pub(super) struct WakeLoop {
    process: Arc<Process>,
    clock: Clock,
    by: WakeBy,
    heard: Option<(PgSession, mpsc::Receiver<String>)>,
}

impl WakeLoop {
    pub(super) fn new(process: Arc<Process>, clock: Clock, by: WakeBy) -> WakeLoop {
        WakeLoop { process, clock, by, heard: None }
    }

    /// Hears and looks until `stopping` says so.
    pub(super) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        while !*stopping.borrow() {
            let next = async {
                if let Err(error) = self.pass().await {
                    tracing::warn!(%error, "what other nodes have done could not be looked at");
                    // An error that stays must not fill the log.
                    tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
                }
            };
            let stop = stopping.wait_for(|is_stopping| *is_stopping);
            select(Box::pin(next), Box::pin(stop)).await;
        }
    }

    /// Looks, and then hears what comes until the next look is due.
    async fn pass(&mut self) -> Result<(), StoreError> {
        if self.by == WakeBy::Notify {
            // To listen comes first: what is committed meanwhile is then heard or seen.
            self.listen().await?;
        }
        self.look().await?;
        let look_ms = if self.by == WakeBy::Notify { LOOK_MS } else { LOOK_DEAF_MS };
        let clock = self.clock.clone();
        let mut due = Box::pin(clock.sleep_until(clock.now_ms() + look_ms));
        let Some((_, messages)) = &mut self.heard else {
            due.await;
            return Ok(());
        };
        loop {
            match select(Box::pin(messages.recv()), due).await {
                Either::Left((Some(message), waits)) => {
                    due = waits;
                    hear(&self.process, &message);
                }
                // The connection has ended: the next pass has a new one.
                Either::Left((None, _)) => break,
                Either::Right(_) => return Ok(()),
            }
        }
        self.heard = None;
        Ok(())
    }

    /// Makes sure that the connection listens and that the server is there.
    async fn listen(&mut self) -> Result<(), StoreError> {
        if let Some((session, _)) = &self.heard {
            // Nothing else would tell that a server is gone which has nothing to say.
            if session.query_one("SELECT 1", &[]).await.is_ok() {
                return Ok(());
            }
            self.heard = None;
        }
        let (sender, messages) = mpsc::channel(MESSAGES_WAITING_MAX);
        let connector = &self.process.connector;
        let session = connector.connect_until_heard(Purpose::Listen, Some(&sender)).await;
        session.batch_execute(&format!("LISTEN {}", connector.schema())).await?;
        self.heard = Some((session, messages));
        Ok(())
    }

    /// Looks whether the rows that somebody here waits for have ended.
    async fn look(&self) -> Result<(), StoreError> {
        let Some(listener) = self.process.listener.get() else { return Ok(()) };
        let waited = listener.waited_for();
        let mut effects: Vec<Effect> =
            waited.moves.iter().map(|row| Effect::Started { row: *row }).collect();
        let running = waited.running.iter().map(|(_, row)| *row);
        let rows = running.chain(waited.ends.iter().copied());
        let ended = self.ended(rows).await?;
        let scraper = |row: Row| {
            let known = waited.running.iter().find(|(_, of)| *of == row);
            known.map_or(NO_SCRAPER, |(scraper, _)| *scraper)
        };
        self.process.wakes_missed.fetch_add(ended.len() as u64, Ordering::Relaxed);
        effects.extend(ended.into_iter().map(|row| Effect::Ended { scraper: scraper(row), row }));
        self.process.tell(&effects);
        Ok(())
    }

    /// Returns those of some jobs and batches that have ended.
    async fn ended(&self, rows: impl Iterator<Item = Row>) -> Result<Vec<Row>, StoreError> {
        let mut ended = Vec::new();
        for (hour, rows) in by_hour(rows) {
            let mut text = String::new();
            let _ = write!(
                text,
                "SELECT u.row FROM unnest($1::int8[]) u(row) LEFT JOIN queue q ON q.row = u.row \
                 WHERE q.row IS NULL AND (EXISTS (SELECT FROM jobs_{} j WHERE j.row = u.row) \
                 OR EXISTS (SELECT FROM batch_ends b WHERE b.row = u.row \
                 AND b.completed_ms IS NOT NULL))",
                hours::suffix(hour)
            );
            let values: Vec<Value> = vec![Arc::new(rows)];
            let found = self.process.reads.ask_text(&text, values).committed().await?;
            ended.extend(found.iter().map(|row| row.get::<_, i64>(0) as Row));
        }
        Ok(ended)
    }
}

/// Makes what a message of another node brings about come about here.
fn hear(process: &Process, message: &str) {
    let Some(HintMessage { node, sent_us, hints }) = hints::decode(message) else {
        tracing::warn!("a message of another node could not be read");
        return;
    };
    if node == process.status.number() {
        // What it has sent itself says how long messages take.
        let lag_us = process.status.now_us().saturating_sub(sent_us);
        process.figures.wake_lags_us.observe(lag_us);
        return;
    }
    let gone: Vec<Row> = hints.iter().copied().filter_map(Hint::gone).collect();
    process.ended.forget(&gone);
    // Start deadlines are the leader's to see to.
    let leads = process.status.leads();
    let is_of_others = |effect: &Effect| matches!(effect, Effect::Deadline { .. }) && !leads;
    let effects = hints.into_iter().filter_map(Hint::effect);
    let effects: Vec<Effect> = effects.filter(|effect| !is_of_others(effect)).collect();
    process.tell(&effects);
}
