//! The heartbeat: whether the writer answers and the engine's scheduler makes passes.

use super::Service;
use crate::store::StoreError;

impl Service {
    /// Returns how many passes the scheduler has begun, once the writer has answered; asks it for
    /// another. A service hangs if this does not return, or if the number does not rise between two
    /// calls that lie seconds apart. A writer that refuses a write promptly, because the disk is
    /// full for instance, is alive. Blocks until the writer answers, so it is not for handlers.
    ///
    /// # Errors
    /// Returns an error if the writer has ended.
    pub fn heartbeat(&self) -> Result<u64, StoreError> {
        if let Err(error) = self.store.probe()
            && error.is_closed()
        {
            return Err(error);
        }
        Ok(self.engine.scheduler_passes())
    }
}
