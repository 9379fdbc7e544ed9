//! Backups of the store while it is in use: one at a time, since each pins the state that it began
//! with.

use uuid::Uuid;

use super::backup_slot::{BackupReader, ReadError};
use super::{Caller, Service, ServiceError};
use crate::id;
use crate::store::{ResumePoint, StoreError};

/// A backup under way. When it is dropped before its end it is kept for some minutes.
pub struct Backup(BackupReader);

impl Backup {
    /// Returns what [`Service::resume_backup`] knows it by.
    pub fn id(&self) -> Uuid {
        self.0.id
    }

    /// Returns the next bytes, or `None` behind the last.
    ///
    /// # Errors
    /// Returns an error if another reader goes on with it, or the store cannot be read or was
    /// closed.
    pub fn next_block(&mut self) -> Result<Option<Vec<u8>>, ServiceError> {
        self.0.next_block().map_err(|error| match error {
            ReadError::Ended => ServiceError::BackupNotFound,
            ReadError::Store(error) => error.into(),
        })
    }
}

impl Service {
    /// Begins a backup of the whole store, as it is now. Where there are keys, only a caller may
    /// who reads the jobs of all of them: it holds those.
    ///
    /// # Errors
    /// Returns an error if the caller may not, another backup is read, or the store failed.
    pub fn back_up(&self, caller: &Caller) -> Result<Backup, ServiceError> {
        self.check_backup_allowed(caller)?;
        if self.backups.is_read() {
            return Err(ServiceError::BackupRunning);
        }
        let id = id::fast_uuid_v4().map_err(StoreError::from)?;
        let reader = self.backups.begin(id, self.store.backup()?);
        tracing::info!(account = caller.account, "backup of the store began");
        reader.map(Backup).ok_or(ServiceError::BackupRunning)
    }

    /// Goes on with a backup where it broke off. Its reader of before, which may not know yet that
    /// its connection has gone, reads no more.
    ///
    /// # Errors
    /// Returns an error if the caller may not, the backup is not kept any more or has not come that
    /// far, or the store failed.
    pub fn resume_backup(&self, caller: &Caller, at: ResumePoint) -> Result<Backup, ServiceError> {
        self.check_backup_allowed(caller)?;
        let reader = self.backups.resume(at.backup, at.block)?;
        let reader = reader.ok_or(ServiceError::BackupNotFound)?;
        tracing::info!(account = caller.account, block = at.block, "backup of the store goes on");
        Ok(Backup(reader))
    }

    fn check_backup_allowed(&self, caller: &Caller) -> Result<(), ServiceError> {
        let is_open = self.keyring().keys().is_empty();
        let may = caller.reads_all_jobs || is_open;
        may.then_some(()).ok_or(ServiceError::OperatorNeeded)
    }
}
