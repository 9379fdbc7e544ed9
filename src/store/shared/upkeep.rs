//! The loop of what a node keeps up besides its beat: row numbers fetched ahead, what other nodes
//! have done, and, where it leads, the tables of hours.

use std::sync::Arc;

use futures_util::future::select;
use tokio::sync::watch;

use super::clock_offset;
use super::connect::{PgSession, Purpose};
use super::database_look::DatabaseLook;
use super::feed::{self, Feed};
use super::folding::SumFolder;
use super::hours;
use super::options::SharedOptions;
use super::outages::Finder;
use super::process::Process;
use super::retention;
use super::rows::{self, RowNumbers};
use super::standby;
use crate::clock::Clock;
use crate::store::StoreError;

/// The time between two passes, milliseconds.
const PASS_MS: u64 = 1_000;
/// The time between two looks at the clock and the standby, milliseconds.
const CHECK_MS: u64 = 10_000;
/// The time between two looks at what has had its time, milliseconds.
const RETAIN_MS: u64 = 60_000;

/// The loop's state.
pub(super) struct UpkeepLoop {
    process: Arc<Process>,
    numbers: Arc<RowNumbers>,
    clock: Clock,
    feed: Feed,
    require_standby: bool,
    evidence_bytes_max: u64,
    session: Option<PgSession>,
    database: DatabaseLook,
    folder: SumFolder,
    /// When the clock and the standby are looked at again, by the monotonic clock.
    check_ms: u64,
    /// When it is looked again at what has had its time, by the monotonic clock.
    retain_ms: u64,
}

impl UpkeepLoop {
    pub(super) fn new(
        process: Arc<Process>,
        numbers: Arc<RowNumbers>,
        feed: Feed,
        options: &SharedOptions,
    ) -> UpkeepLoop {
        UpkeepLoop {
            process,
            numbers,
            clock: options.clock.clone(),
            feed,
            require_standby: options.require_standby,
            evidence_bytes_max: options.evidence_bytes_max,
            session: None,
            database: DatabaseLook::default(),
            folder: SumFolder::default(),
            check_ms: 0,
            retain_ms: 0,
        }
    }

    /// Makes passes until `stopping` says so.
    pub(super) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let (clock, numbers) = (self.clock.clone(), self.numbers.clone());
        let mut due_ms = clock.now_ms() + PASS_MS;
        while !*stopping.borrow() {
            let next = async {
                // A clock that is set back puts no pass off.
                let due = clock.sleep_until(due_ms.min(clock.now_ms() + PASS_MS));
                select(Box::pin(due), Box::pin(numbers.until_wanted())).await;
                let now_ms = clock.now_ms();
                let is_due = now_ms >= due_ms || due_ms > now_ms + PASS_MS;
                if is_due {
                    due_ms = now_ms + PASS_MS;
                }
                match self.pass(is_due).await {
                    // This is an outage, and has been noted.
                    Ok(()) | Err(StoreError::NoStandby(_)) => {}
                    Err(error) => {
                        tracing::warn!(%error, "what other nodes have done could not be read");
                    }
                }
            };
            let stop = stopping.wait_for(|is_stopping| *is_stopping);
            select(Box::pin(next), Box::pin(stop)).await;
        }
    }

    /// Fetches the row numbers that are wanted, and does what else is due each second.
    ///
    /// # Errors
    /// Returns an error if the database fails: the rest is done by a later pass.
    async fn pass(&mut self, is_due: bool) -> Result<(), StoreError> {
        let known = self.session.take().filter(|session| !session.is_closed());
        let session = match known {
            Some(session) => session,
            None => self.process.connector.connect_until_done(Purpose::Upkeep).await,
        };
        let kept_up = self.keep_up(&session, is_due).await;
        if matches!(kept_up, Ok(()) | Err(StoreError::NoStandby(_))) {
            self.session = Some(session);
        }
        kept_up
    }

    async fn keep_up(&mut self, session: &PgSession, is_due: bool) -> Result<(), StoreError> {
        if is_due {
            // First: where a standby is missing, what is fetched would wait for it.
            self.check(session).await?;
        }
        rows::fetch(session, &self.numbers, self.clock.now_ms()).await?;
        if !is_due {
            return Ok(());
        }
        self.feed.read(&self.process).await?;
        self.process.tell(&feed::open_jobs(&self.process, self.clock.now_ms()).await?);
        self.process.tell(&feed::next_due(&self.process, self.clock.now_ms()).await?);
        let elapsed_ms = self.process.status.now_ms();
        if self.process.status.leads() && elapsed_ms >= self.retain_ms {
            self.retain(session).await?;
            self.retain_ms = elapsed_ms.saturating_add(RETAIN_MS);
        }
        Ok(())
    }

    /// Looks at the clock of the database, and whether what is acknowledged is on a second machine.
    async fn check(&mut self, session: &PgSession) -> Result<(), StoreError> {
        let elapsed_ms = self.process.status.now_ms();
        if elapsed_ms < self.check_ms {
            return Ok(());
        }
        let clock = clock_offset::follow(session, &self.clock, false).await;
        let standby =
            if self.require_standby { standby::check_as(session, true).await } else { Ok(()) };
        if let Err(error) = clock.and(standby) {
            self.process.note_outage(Finder::Upkeep, error.clone());
            return Err(error);
        }
        self.process.clear_outage(Finder::Upkeep);
        self.process.figures.saw_database(self.database.look(session).await?);
        self.check_ms = elapsed_ms.saturating_add(CHECK_MS);
        Ok(())
    }

    /// Makes the tables of the hours that come, and removes what has had its time.
    async fn retain(&mut self, session: &PgSession) -> Result<(), StoreError> {
        let now_ms = self.clock.now_ms();
        hours::make_ahead(session, now_ms).await?;
        for (hour, ended) in retention::remove_hours(session, now_ms).await? {
            tracing::info!(hour = hour.number(), ?ended, "the jobs of an hour have expired");
        }
        retention::bound_evidence(session, self.evidence_bytes_max).await?;
        retention::forget(session, now_ms).await?;
        self.folder.pass(session).await
    }
}
