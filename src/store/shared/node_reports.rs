//! The reports of this process as a node, and of the others, for operators.

use std::sync::atomic::{AtomicU64, Ordering};

use super::handle::SharedStore;
use crate::store::{NodeFiguresReport, NodeReport, ScraperLoad};

impl SharedStore {
    /// Returns the nodes as of the latest beat, by their names.
    pub(crate) fn nodes(&self) -> Vec<NodeReport> {
        self.process.figures.nodes()
    }

    /// Returns what the other nodes do for a scraper, as of the latest beat.
    pub(crate) fn load_elsewhere(&self, scraper: u16) -> ScraperLoad {
        self.process.figures.load_elsewhere(scraper)
    }

    /// Returns what this process counts as a node.
    pub(crate) fn node_figures(&self) -> NodeFiguresReport {
        let process = &self.process;
        let figures = &process.figures;
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        NodeFiguresReport {
            name: process.connector.node_name().to_owned(),
            number: process.status.number().0 as u32,
            leads: process.status.leads(),
            nodes: figures.nodes(),
            nodes_dead: count(&figures.nodes_dead),
            connections: process.connector.open_connections(),
            unknown_committed: count(&process.unknown_outcomes.committed),
            unknown_again: count(&process.unknown_outcomes.again),
            read_rows: figures.read_rows.report(),
            reserves_us: figures.reserves_us.report(),
            wake_lags_us: figures.wake_lags_us.report(),
            wakes_missed: count(&process.wakes_missed),
            clock_ahead_ms: self.clock.correction_ms(),
            database: figures.database(),
        }
    }
}
