//! What an error of redb means for the store.

use std::io::ErrorKind;

use crate::store::StoreError;
use crate::store::error::BackendError;

/// Returns whether the database says that its content is at fault, and not what it is kept on.
#[expect(clippy::wildcard_enum_match_arm, reason = "redb's list of errors is open")]
fn is_unsound(error: &redb::Error) -> bool {
    match error {
        // A page that is said to lie after the end of the file is read no more than one that is
        // torn.
        redb::Error::Io(error) => {
            matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
        }
        redb::Error::Corrupted(_)
        | redb::Error::UpgradeRequired(_)
        | redb::Error::RepairAborted
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. }
        | redb::Error::TableDoesNotExist(_) => true,
        // redb may add more; none of those that it has besides speaks of the content.
        _ => false,
    }
}

impl From<redb::Error> for BackendError {
    fn from(error: redb::Error) -> BackendError {
        let unsound = is_unsound(&error);
        BackendError::new(error, unsound)
    }
}

/// redb has an error type for each operation; here they are one.
macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> StoreError {
                StoreError::Database(redb::Error::from(error).into())
            }
        }
    )*};
}
from_redb!(
    redb::StorageError,
    redb::TableError,
    redb::DatabaseError,
    redb::TransactionError,
    redb::CommitError,
    redb::CompactionError
);
