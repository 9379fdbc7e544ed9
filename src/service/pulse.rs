//! Whether the service lives: its writer commits and its engine's timer goes round.

use super::Service;
use crate::store::StoreError;

impl Service {
    /// Commits an empty write and gives how many passes the timer has begun, after asking it for
    /// another. A service whose number does not rise between two calls that lie seconds apart hangs.
    /// Blocks for as long as the writer takes, so it is not for handlers.
    ///
    /// # Errors
    /// The store takes no writes.
    pub fn pulse(&self) -> Result<u64, StoreError> {
        self.store.probe()?;
        Ok(self.engine.timer_passes())
    }
}
