//! Evidence of attempts, in a folder beside the database.

use std::io;
use std::sync::Arc;

use super::Embedded;
use crate::clock::UnixMs;
use crate::store::{EvidenceFile, EvidenceOwner, StoreError};

impl Embedded {
    pub(crate) fn put_evidence(
        &self,
        job: EvidenceOwner,
        files: &[(String, &[u8])],
    ) -> Result<(), StoreError> {
        self.evidence.put(job, files).map_err(unreadable)
    }

    pub(crate) fn evidence(&self, job: EvidenceOwner) -> Result<Vec<EvidenceFile>, StoreError> {
        self.evidence.list(job).map_err(unreadable)
    }

    pub(crate) fn read_evidence(
        &self,
        job: EvidenceOwner,
        name: &str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.evidence.read(job, name).map_err(unreadable)
    }

    pub(crate) fn remove_evidence(&self, job: EvidenceOwner) -> Result<(), StoreError> {
        self.evidence.remove(job).map_err(unreadable)
    }

    pub(crate) fn sweep_evidence(&self, now_ms: UnixMs) -> Result<(), StoreError> {
        self.evidence.sweep(now_ms).map_err(unreadable)
    }
}

fn unreadable(error: io::Error) -> StoreError {
    StoreError::Directory { path: "evidence".to_owned(), error: Arc::new(error) }
}
