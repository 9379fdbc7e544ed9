//! A vendor's task as stored on disk.

use bincode::{Decode, Encode};

use super::super::{StoreError, envelope};
use super::{VERSION, at_end, decode, encode};
use crate::job::VendorTask;

/// The version of a task whose price is counted.
const COUNTED_VERSION: u8 = 2;

#[derive(Encode, Decode)]
struct VendorTaskV1<S> {
    upstream: S,
    id: S,
}

/// Encodes the task of a job's row.
///
/// # Errors
/// Returns an error if a field is longer than a record can hold.
pub(crate) fn encode_vendor_task(row: u64, task: &VendorTask) -> Result<Vec<u8>, StoreError> {
    let body = encode(&VendorTaskV1 { upstream: task.upstream.as_str(), id: task.id.as_str() })?;
    let version = if task.is_counted { COUNTED_VERSION } else { VERSION };
    Ok(envelope::seal(version, row, &body))
}

/// Decodes the task of a job's row.
///
/// # Errors
/// Returns an error if the record is damaged or another row's.
pub(crate) fn decode_vendor_task(row: u64, bytes: &[u8]) -> Result<VendorTask, StoreError> {
    let (body, is_counted) = match envelope::open(VERSION, row, bytes) {
        Err(StoreError::Version(_)) => (envelope::open(COUNTED_VERSION, row, bytes)?, true),
        opened => (opened?, false),
    };
    let (VendorTaskV1::<String> { upstream, id }, rest) = decode(body)?;
    at_end(rest)?;
    let task = VendorTask::new(&upstream, &id);
    let task = task.ok_or(StoreError::Damaged("the name of a vendor's task"))?;
    Ok(VendorTask { is_counted, ..task })
}
