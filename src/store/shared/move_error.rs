//! Why a shared store takes over no other one.

use crate::store::StoreError;
use crate::store::error::BackendError;

/// A reason why a shared store takes over no other one.
#[derive(Debug, thiserror::Error)]
pub(super) enum MoveError {
    #[error(
        "the store in the schema {0} has or had jobs, schedules, trackers or alerts; name a schema \
         in `store.schema` that has no store yet"
    )]
    NotEmpty(String),
    #[error(
        "the process {0} has the store in the database open, or was killed there; stop all that \
         have it, and one that was killed after a start under the same name"
    )]
    HasProcess(String),
    #[error("the store has had more jobs than a shared one can take over")]
    TooManyRows,
    #[error("{moved} {what} were moved and {found} are there; nothing is kept of the move")]
    Differs { what: &'static str, moved: u64, found: u64 },
}

impl From<MoveError> for StoreError {
    fn from(error: MoveError) -> StoreError {
        StoreError::Unsuitable(BackendError::new(error, false))
    }
}
