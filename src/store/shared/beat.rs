//! The loop of a node: it beats each second, watches the others, keeps or takes the lead, and
//! registers again when it was declared dead.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::select;
use tokio::sync::watch;

use super::connect::{self, PgSession, Purpose};
use super::error::PgError;
use super::membership::{Membership, Pulse};
use super::neighbors::Neighbors;
use super::nodes::{self, NodeProfile};
use super::outages::Finder;
use super::process::Process;
use super::schema;
use super::versions::SCHEMA;
use crate::clock::Clock;
use crate::store::StoreError;
use crate::store::effects::Effect;
use crate::store::error::BackendError;

/// The time between two beats, milliseconds.
const BEAT_MS: u64 = 1_000;
/// How long ago the last beat may be that succeeded until writes are refused, milliseconds.
const SILENT_MS_MAX: u64 = 2_000;

/// A beat that waited for a standby would make a node dead whose standby is. What other nodes
/// commit after a declaration of death is on the standby only together with it.
const BEAT_COMMITS: &str = "SET synchronous_commit = local";

/// A reason why a process is no node any more.
#[derive(Debug, thiserror::Error)]
#[error(
    "another process has started as the node {0} and has taken its place; stop one of them, or \
     give each a name of its own"
)]
struct Replaced(String);

/// The loop's state.
pub(super) struct BeatLoop {
    process: Arc<Process>,
    clock: Clock,
    profile: NodeProfile,
    membership: Membership,
    neighbors: Neighbors,
    session: Option<PgSession>,
    /// When the last beat succeeded, by the monotonic clock.
    counted_ms: u64,
    failures: u32,
}

impl BeatLoop {
    pub(super) fn new(process: Arc<Process>, clock: Clock, profile: NodeProfile) -> BeatLoop {
        let membership = Membership::new(process.status.number(), &profile.name);
        BeatLoop {
            counted_ms: process.status.now_ms(),
            process,
            clock,
            profile,
            membership,
            neighbors: Neighbors::default(),
            session: None,
            failures: 0,
        }
    }

    /// Beats until `stopping` says so, and then gives back what the node has. A node whose name
    /// another process has taken, or that the tables are too new for, only waits for that.
    pub(super) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let (process, clock) = (self.process.clone(), self.clock.clone());
        let (mut is_replaced, mut due_ms) = (false, clock.now_ms() + BEAT_MS);
        while !*stopping.borrow() {
            let next = async {
                if is_replaced {
                    return std::future::pending::<()>().await;
                }
                // A clock that is set back puts no beat off.
                let due = clock.sleep_until(due_ms.min(clock.now_ms() + BEAT_MS));
                select(Box::pin(due), Box::pin(process.status.until_wanted())).await;
                due_ms = clock.now_ms() + BEAT_MS;
                match self.pass().await {
                    Ok(Pulse::Replaced | Pulse::Outdated) => is_replaced = true,
                    Ok(Pulse::Counted { .. } | Pulse::Dead) => {}
                    Err(error) => {
                        self.pause_after(error).await;
                        due_ms = 0;
                    }
                }
            };
            let stop = stopping.wait_for(|is_stopping| *is_stopping);
            select(Box::pin(next), Box::pin(stop)).await;
        }
        self.leave().await;
    }

    /// Beats once. A node that was declared dead is registered again first.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(super) async fn pass(&mut self) -> Result<Pulse, StoreError> {
        let known = self.session.take().filter(|session| !session.is_closed());
        let session = match known {
            Some(session) => session,
            None => self.connect().await?,
        };
        let process = self.process.clone();
        let now_ms = || process.status.now_ms();
        if let Some(error) = self.outdated(&session).await? {
            // Before anything else: what this process writes would not fit the tables.
            self.membership.leave(&session).await?;
            process.status.set_lead(0);
            process.note_outage(Finder::Beat, error);
            process.status.replaced();
            self.session = Some(session);
            return Ok(Pulse::Outdated);
        }
        let mut pulse = self.membership.pass(&session, now_ms).await?;
        if pulse == Pulse::Dead {
            tracing::warn!("this node was declared dead and registers again");
            process.status.set_lead(0);
            let known = process.status.number();
            // A number that is lost with this server could be given to another node by the next.
            session.batch_execute("SET synchronous_commit = on").await?;
            pulse = match nodes::register_again(&session, &self.profile, known).await? {
                Some(node) => {
                    self.membership = Membership::new(node, &self.profile.name);
                    process.status.registered(node);
                    self.membership.pass(&session, now_ms).await?
                }
                None => Pulse::Replaced,
            };
            session.batch_execute(BEAT_COMMITS).await?;
        }
        let led = process.status.leads();
        process.status.set_lead(self.membership.leads_until_ms());
        if !led && process.status.leads() {
            // What is due for the leader has waited for one.
            process.tell(&[Effect::Deadline { at_ms: 0 }]);
        }
        process.status.set_alone(self.membership.is_alone());
        match pulse {
            Pulse::Replaced => {
                process.status.set_lead(0);
                let error = BackendError::new(Replaced(self.profile.name.clone()), true);
                process.note_outage(Finder::Beat, StoreError::Unsuitable(error));
                process.status.replaced();
            }
            Pulse::Counted { declared_dead } => {
                if let Some(node) = declared_dead {
                    process.figures.nodes_dead.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(node = node.0, "a node was silent and was declared dead");
                }
                process.clear_outage(Finder::Beat);
                let seen_ms = |node| self.membership.seen_ms(node);
                self.neighbors.meet(&session, &process, seen_ms).await?;
            }
            Pulse::Dead | Pulse::Outdated => {}
        }
        self.session = Some(session);
        (self.counted_ms, self.failures) = (self.process.status.now_ms(), 0);
        Ok(pulse)
    }

    /// Returns why this build cannot be a node any longer; `None` if it can.
    async fn outdated(&self, session: &PgSession) -> Result<Option<StoreError>, StoreError> {
        let schema = self.process.connector.schema();
        match schema::check_still_usable(session, schema, SCHEMA).await {
            Err(error @ StoreError::Unsuitable(_)) => Ok(Some(error)),
            Err(error) => Err(error),
            Ok(()) => Ok(None),
        }
    }

    async fn connect(&self) -> Result<PgSession, PgError> {
        let session = self.process.connector.connect(Purpose::Beat).await?;
        session.batch_execute(BEAT_COMMITS).await?;
        Ok(session)
    }

    /// Notes a failure that lasts, and waits before the next try.
    async fn pause_after(&mut self, error: StoreError) {
        tracing::warn!(%error, "a beat failed");
        let silent_ms = self.process.status.now_ms().saturating_sub(self.counted_ms);
        if silent_ms >= SILENT_MS_MAX {
            self.process.note_outage(Finder::Beat, error);
        }
        let random = getrandom::u64().unwrap_or_default();
        let wait_ms = connect::backoff_ms(self.failures, random);
        self.failures += 1;
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }

    async fn leave(mut self) {
        self.process.status.set_lead(0);
        let left = async {
            let known = self.session.take().filter(|session| !session.is_closed());
            let session = match known {
                Some(session) => session,
                None => self.connect().await?,
            };
            self.membership.leave(&session).await
        };
        if let Err(error) = left.await {
            tracing::warn!(%error, "what this process had is given back by the others");
        }
    }
}
