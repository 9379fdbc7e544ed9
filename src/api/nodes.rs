//! The reply about the processes that share a store.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::wire::Time;

/// The processes that share the store, by their names.
#[derive(Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Nodes")]
pub struct NodesView {
    pub nodes: Vec<NodeView>,
}

/// A process, as the one that answers sees it.
#[derive(Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Node")]
pub struct NodeView {
    pub name: String,
    /// New at each start.
    pub number: u32,
    pub version: String,
    pub started_at: Time,
    /// How long ago its latest heartbeat was seen.
    #[schemars(range(min = 0))]
    pub beat_seconds: f64,
    /// Jobs that it runs at once, of all scrapers.
    pub workers: usize,
    /// Jobs whose attempt it runs.
    pub running: usize,
    /// Whether it does what one at a time does, such as the sweep.
    pub leader: bool,
    /// The parts of the settings in which it differs from the one that answers: `keys`, `scrapers`,
    /// `upstreams`, `retention`.
    pub settings_differ: Vec<String>,
    /// Whether it is the one that answers.
    pub is_self: bool,
}
