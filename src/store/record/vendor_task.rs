//! A vendor's task as it stands on disk.

use bincode::{Decode, Encode};

use super::super::StoreError;
use super::{seal, unseal};
use crate::job::VendorTask;

#[derive(Encode, Decode)]
struct VendorTaskV1<S> {
    upstream: S,
    id: S,
}

/// Encodes the task of a job's row.
///
/// # Errors
/// Returns an error if a field is longer than a record can hold.
pub fn encode_vendor_task(row: u64, task: &VendorTask) -> Result<Vec<u8>, StoreError> {
    seal(row, &VendorTaskV1 { upstream: task.upstream.as_str(), id: task.id.as_str() })
}

/// Decodes the task of a job's row.
///
/// # Errors
/// Returns an error if the record is damaged or another row's.
pub fn decode_vendor_task(row: u64, bytes: &[u8]) -> Result<VendorTask, StoreError> {
    let VendorTaskV1::<String> { upstream, id } = unseal(row, bytes)?;
    VendorTask::new(&upstream, &id).ok_or(StoreError::Damaged("the name of a vendor's task"))
}
