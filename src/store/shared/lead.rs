//! The lead: which node does what one at a time should do. A term rises each time that it changes
//! hands. All that a leader does may be done twice: for a moment two may believe that they lead.

use tokio_postgres::types::ToSql;

use super::connect::PgSession;
use super::error::PgError;
use super::nodes::NodeNumber;
use super::watch::CounterWatch;

/// The lead over deadlines, sweeps, the tables of hours and counts.
pub(super) const TIMER: &str = "timer";
/// How long a leader may not beat before another node takes over, milliseconds. A leader that was
/// not confirmed for as long does not believe any longer that it leads.
const SILENT_MS: u64 = 5_000;
/// The node of a lead that was given up.
const RESIGNED: i32 = 0;

const READ: &str = "SELECT node, term, beat FROM leads WHERE name = $1";
const BEGIN: &str =
    "INSERT INTO leads(name, node, term, beat) VALUES ($1, $2, 1, 0) ON CONFLICT DO NOTHING";
const KEEP: &str = "UPDATE leads SET beat = beat + 1 WHERE name = $1 AND node = $2 AND term = $3";
const TAKE: &str = "
    UPDATE leads SET node = $2, term = term + 1, beat = 0
    WHERE name = $1 AND term = $3 AND beat = $4";
const RESIGN: &str = "
    UPDATE leads SET node = $4, beat = beat + 1 WHERE name = $1 AND node = $2 AND term = $3";

/// A node's part in a lead.
pub(super) struct NodeLead {
    name: &'static str,
    node: NodeNumber,
    watch: CounterWatch,
    /// The term in which this node leads, and until when it believes so.
    held: Option<(i64, u64)>,
}

impl NodeLead {
    pub(super) fn new(name: &'static str, node: NodeNumber) -> NodeLead {
        NodeLead { name, node, watch: CounterWatch::new(SILENT_MS), held: None }
    }

    /// Returns whether this node leads, by what it knows at `now_ms` of the monotonic clock.
    pub(super) fn leads(&self, now_ms: u64) -> bool {
        self.held.is_some_and(|(_, until_ms)| now_ms < until_ms)
    }

    /// Returns until when this node leads, by what it knows; 0 if it does not.
    pub(super) fn until_ms(&self) -> u64 {
        self.held.map_or(0, |(_, until_ms)| until_ms)
    }

    /// Confirms the lead, or takes it from a node that is silent. `now_ms` is a reading of the
    /// monotonic clock.
    ///
    /// # Errors
    /// Returns an error if the database fails. The lead then lasts for as long as was confirmed.
    pub(super) async fn pass(
        &mut self,
        session: &PgSession,
        now_ms: impl Fn() -> u64,
    ) -> Result<(), PgError> {
        let asked_ms = now_ms();
        if let Some((term, _)) = self.held {
            let kept = session.execute(KEEP, &[&self.name, &self.node.0, &term]).await? == 1;
            self.held = kept.then_some((term, asked_ms + SILENT_MS));
            return Ok(());
        }
        let Some(row) = session.query_opt(READ, &[&self.name]).await? else {
            let begun = session.execute(BEGIN, &[&self.name, &self.node.0]).await? == 1;
            self.held = begun.then_some((1, asked_ms + SILENT_MS));
            return Ok(());
        };
        let (leader, term, beat): (i32, i64, i64) = (row.get(0), row.get(1), row.get(2));
        let silent = !self.watch.look(asked_ms, now_ms(), [(term, beat)]).is_empty();
        if silent || leader == RESIGNED {
            let asked_ms = now_ms();
            let seen: [&(dyn ToSql + Sync); 4] = [&self.name, &self.node.0, &term, &beat];
            let taken = session.execute(TAKE, &seen).await? == 1;
            self.held = taken.then_some((term + 1, asked_ms + SILENT_MS));
        }
        Ok(())
    }

    /// Gives the lead up, so that the next node takes it at once.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(super) async fn resign(&mut self, session: &PgSession) -> Result<(), PgError> {
        let Some((term, _)) = self.held.take() else { return Ok(()) };
        session.execute(RESIGN, &[&self.name, &self.node.0, &term, &RESIGNED]).await.map(drop)
    }
}
