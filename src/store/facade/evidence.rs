//! Evidence of attempts: files of a job, as long as the job exists.

use super::backend::{Backend, ask};
use crate::clock::UnixMs;
use crate::store::{EvidenceFile, EvidenceOwner, Store, StoreError};

impl Store {
    /// Keeps files of a job; what is too large, or one too many, is left out. The jobs that expire
    /// first lose theirs when there is too much.
    ///
    /// # Errors
    /// Returns an error if they cannot be written.
    pub fn put_evidence(
        &self,
        job: EvidenceOwner,
        files: &[(String, &[u8])],
    ) -> Result<(), StoreError> {
        ask!(self.backend, store => store.put_evidence(job, files))
    }

    /// Returns the files of a job, by name.
    ///
    /// # Errors
    /// Returns an error if they cannot be read.
    pub fn evidence(&self, job: EvidenceOwner) -> Result<Vec<EvidenceFile>, StoreError> {
        ask!(self.backend, store => store.evidence(job))
    }

    /// Returns a file of a job; `None` when it has none of that name.
    ///
    /// # Errors
    /// Returns an error if it cannot be read, or is not as it was written.
    pub fn read_evidence(
        &self,
        job: EvidenceOwner,
        name: &str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        ask!(self.backend, store => store.read_evidence(job, name))
    }

    /// Removes the files of a job.
    ///
    /// # Errors
    /// Returns an error if they cannot be removed.
    pub fn remove_evidence(&self, job: EvidenceOwner) -> Result<(), StoreError> {
        ask!(self.backend, store => store.remove_evidence(job))
    }

    /// Removes what belongs to jobs that have expired at `now_ms`, and what belongs to none. That
    /// of a shared store goes with the tables of its hour.
    ///
    /// # Errors
    /// Returns an error if it cannot be removed.
    pub fn sweep_evidence(&self, now_ms: UnixMs) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Embedded(store) => store.sweep_evidence(now_ms),
            Backend::Shared(_) => Ok(()),
        }
    }
}
