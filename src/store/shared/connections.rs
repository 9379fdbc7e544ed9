//! The open connections of a process, counted by what they are for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The uses of connections, as the server and the metrics name them.
const ROLES: [&str; 8] =
    ["setup", "writer", "reader", "list", "beat", "upkeep", "notify", "listen"];

/// The numbers of open connections.
#[derive(Clone, Default)]
pub(super) struct OpenConnections(Arc<[AtomicU64; ROLES.len()]>);

/// A connection that is open until this is dropped.
pub(super) struct OpenConnection {
    all: OpenConnections,
    place: usize,
}

impl OpenConnections {
    /// Counts a connection of a role.
    pub(super) fn open(&self, role: &'static str) -> Option<OpenConnection> {
        let place = ROLES.iter().position(|known| *known == role)?;
        self.0[place].fetch_add(1, Ordering::Relaxed);
        Some(OpenConnection { all: self.clone(), place })
    }

    /// Returns how many there are of each role that lasts.
    pub(super) fn report(&self) -> Vec<(&'static str, u64)> {
        let counts = ROLES.iter().zip(self.0.iter()).skip(1);
        counts.map(|(role, count)| (*role, count.load(Ordering::Relaxed))).collect()
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.all.0[self.place].fetch_sub(1, Ordering::Relaxed);
    }
}
