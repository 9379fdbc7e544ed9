//! A node among the others: once a second it beats, looks at the beats of the others, and keeps or
//! takes the lead.

use super::connect::PgSession;
use super::error::PgError;
use super::lead::{NodeLead, TIMER};
use super::nodes::{self, Beats, NodeNumber};
use super::watch::CounterWatch;

/// How long a node's beat may stand still until the node is declared dead, milliseconds of the
/// observer's own time.
const DEAD_AFTER_MS: u64 = 15_000;

/// The outcome of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pulse {
    /// The beat was counted. Another node that was silent for too long was declared dead.
    Counted { declared_dead: Option<NodeNumber> },
    /// This node was declared dead; it may register again, under a new number.
    Dead,
    /// Another process has taken over under this node's name; this one is to stop.
    Replaced,
    /// The tables were changed to what this build cannot use; it has given back what it had.
    Outdated,
}

/// A registered node.
pub(super) struct Membership {
    node: NodeNumber,
    name: String,
    watch: CounterWatch,
    lead: NodeLead,
    /// There was no other node at the last look.
    is_alone: bool,
}

impl Membership {
    pub(super) fn new(node: NodeNumber, name: &str) -> Membership {
        Membership {
            node,
            name: name.to_owned(),
            watch: CounterWatch::new(DEAD_AFTER_MS),
            lead: NodeLead::new(TIMER, node),
            is_alone: true,
        }
    }

    /// Returns whether this node leads, by what it knows at `now_ms` of the monotonic clock.
    pub(super) fn leads(&self, now_ms: u64) -> bool {
        self.lead.leads(now_ms)
    }

    /// Returns when the latest beat of another node was seen first, by the monotonic clock.
    pub(super) fn seen_ms(&self, node: NodeNumber) -> Option<u64> {
        self.watch.seen_ms(i64::from(node.0))
    }

    pub(super) fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Returns until when this node leads, by the monotonic clock; 0 if it does not.
    pub(super) fn leads_until_ms(&self) -> u64 {
        self.lead.until_ms()
    }

    /// Does what is due each second. `now_ms` reads the monotonic clock.
    ///
    /// # Errors
    /// Returns an error if the database fails: the rest is done by a later pass.
    pub(super) async fn pass(
        &mut self,
        session: &PgSession,
        now_ms: impl Fn() -> u64 + Copy,
    ) -> Result<Pulse, PgError> {
        let asked_ms = now_ms();
        let others = match nodes::beat(session, self.node).await? {
            Beats::Counted(others) => others,
            Beats::Gone => {
                let replaced = nodes::is_replaced(session, self.node, &self.name).await?;
                return Ok(if replaced { Pulse::Replaced } else { Pulse::Dead });
            }
        };
        self.is_alone = others.is_empty();
        let beats = others.iter().map(|(NodeNumber(node), beat)| (i64::from(*node), *beat));
        let silent = self.watch.look(asked_ms, now_ms(), beats);
        self.lead.pass(session, now_ms).await?;
        // One in a pass: what it held may be much, and this node's own beat is due.
        let Some((node, beat)) = silent.first() else {
            return Ok(Pulse::Counted { declared_dead: None });
        };
        let node = NodeNumber(*node as i32);
        let dead = nodes::declare_dead(session, node, Some(*beat)).await?;
        Ok(Pulse::Counted { declared_dead: dead.then_some(node) })
    }

    /// Gives back the lead and all that the node holds, at a stop.
    ///
    /// # Errors
    /// Returns an error if the database fails: other nodes notice then that this one is silent.
    pub(super) async fn leave(&mut self, session: &PgSession) -> Result<(), PgError> {
        self.lead.resign(session).await?;
        nodes::declare_dead(session, self.node, None).await.map(drop)
    }
}
