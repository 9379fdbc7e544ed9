//! What the loops find out about this process as a node, for all that need it at once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, watch};

use super::nodes::NodeNumber;
use super::outages::Outages;
use crate::clock::{Clock, UnixMs};
use crate::store::StoreError;

/// For how long no new jobs are taken after the server had no room, milliseconds.
const NO_ROOM_MS: u64 = 30_000;

/// The latest registration of the process.
struct Registration {
    node: NodeNumber,
    is_replaced: bool,
}

/// The node that this process is, and how it stands.
pub(super) struct NodeStatus {
    clock: Clock,
    origin: Instant,
    registration: watch::Sender<Registration>,
    is_alone: AtomicBool,
    /// Until when it leads, by the monotonic clock, milliseconds.
    leads_until_ms: AtomicU64,
    /// Somebody has found out what a beat should look at.
    wanted: Notify,
    pub outages: Outages,
    /// Why the server has refused a write for want of room, and when.
    refused: Mutex<Option<(u64, StoreError)>>,
}

impl NodeStatus {
    pub(super) fn new(clock: Clock, number: NodeNumber) -> NodeStatus {
        NodeStatus {
            origin: clock.instant(),
            clock,
            registration: watch::Sender::new(Registration { node: number, is_replaced: false }),
            is_alone: AtomicBool::new(true),
            leads_until_ms: AtomicU64::new(0),
            wanted: Notify::new(),
            outages: Outages::default(),
            refused: Mutex::default(),
        }
    }

    /// Returns the number of the latest registration. It may have been declared dead since.
    pub(super) fn number(&self) -> NodeNumber {
        self.registration.borrow().node
    }

    /// Returns the time.
    pub(super) fn wall_ms(&self) -> UnixMs {
        self.clock.now_ms()
    }

    /// Returns whether there is no other node, as far as this one knows.
    pub(super) fn is_alone(&self) -> bool {
        self.is_alone.load(Ordering::Relaxed)
    }

    pub(super) fn set_alone(&self, is_alone: bool) {
        self.is_alone.store(is_alone, Ordering::Relaxed);
    }

    /// Returns the time of the monotonic clock.
    pub(super) fn now_ms(&self) -> u64 {
        self.clock.monotonic_ms(self.origin)
    }

    /// Returns the microseconds since the start, by the machine's monotonic clock.
    pub(super) fn now_us(&self) -> u64 {
        let since = self.clock.instant().saturating_duration_since(self.origin);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }

    /// Returns whether this node leads.
    pub(super) fn leads(&self) -> bool {
        self.now_ms() < self.leads_until_ms.load(Ordering::Relaxed)
    }

    /// Notes until when this node leads; 0 if it does not.
    pub(super) fn set_lead(&self, until_ms: u64) {
        self.leads_until_ms.store(until_ms, Ordering::Relaxed);
    }

    /// Notes that the node was registered again.
    pub(super) fn registered(&self, number: NodeNumber) {
        self.registration.send_replace(Registration { node: number, is_replaced: false });
    }

    /// Notes that this process is no node any longer, and does not register again: another one has
    /// its name, or the tables are too new for it.
    pub(super) fn replaced(&self) {
        self.registration.send_modify(|latest| latest.is_replaced = true);
    }

    /// Waits until the process has registered again after it was `node`, and asks for that; `None`
    /// if it does not.
    pub(super) async fn registered_after(&self, node: NodeNumber) -> Option<NodeNumber> {
        let mut latest = self.registration.subscribe();
        self.wanted.notify_one();
        let found = latest.wait_for(|latest| latest.node != node || latest.is_replaced).await;
        found.ok().map(|latest| latest.node).filter(|number| *number != node)
    }

    /// Notes that the server has refused a write for want of space, memory or connections.
    pub(super) fn note_no_room(&self, error: StoreError) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused = Some((self.now_ms(), error));
    }

    /// Returns why the server has refused a write a moment ago.
    pub(super) fn refused_for_space(&self) -> Option<StoreError> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let latest =
            |(at_ms, _): &&(u64, StoreError)| self.now_ms().saturating_sub(*at_ms) < NO_ROOM_MS;
        refused.as_ref().filter(latest).map(|(_, error)| error.clone())
    }

    /// Waits until a beat is wanted before its time.
    pub(super) async fn until_wanted(&self) {
        self.wanted.notified().await;
    }
}
