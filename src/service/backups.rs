//! Backups of the store while it is in use: one at a time, since each pins the state that it began
//! with.

use super::backup_slot::BackupPlace;
use super::{Caller, Service, ServiceError};
use crate::store::{BackupSource, StoreError};

/// A backup under way. Dropping it makes room for the next.
pub struct Backup {
    source: BackupSource,
    _place: BackupPlace,
}

impl Backup {
    /// Returns the next bytes, or `None` behind the last.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read, or was closed.
    pub fn next_block(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        self.source.next_block()
    }
}

impl Service {
    /// Begins a backup of the whole store, as it is now. Where there are keys, only a caller may
    /// who reads the jobs of all of them: it holds those.
    ///
    /// # Errors
    /// Returns an error if the caller may not, another backup is under way, or the store failed.
    pub fn back_up(&self, caller: &Caller) -> Result<Backup, ServiceError> {
        let is_open = self.keyring().keys().is_empty();
        if !caller.reads_all_jobs && !is_open {
            return Err(ServiceError::OperatorNeeded);
        }
        let place = self.backups.enter().ok_or(ServiceError::BackupRunning)?;
        let source = self.store.backup()?;
        tracing::info!(account = caller.account, "backup of the store began");
        Ok(Backup { source, _place: place })
    }
}
