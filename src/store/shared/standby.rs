//! Whether what is acknowledged is on a second machine: a synchronous standby is connected.

use super::connect::PgSession;
use crate::store::StoreError;
use crate::store::error::BackendError;

/// Whether the setting names one, whether one is connected and synchronous, and whether there are
/// some whose state the role may not see.
const STANDBYS: &str = "
    SELECT current_setting('synchronous_standby_names') <> '',
           coalesce(bool_or(sync_state IN ('sync', 'quorum')), false),
           coalesce(bool_or(sync_state IS NULL), false), current_user::text
    FROM pg_stat_replication";

/// A reason why the loss of one machine may lose what was acknowledged.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum StandbyError {
    #[error(
        "the server waits for no standby, so that its loss would lose accepted jobs; set \
         synchronous_standby_names, or store.require_standby = false where the storage below it is \
         replicated"
    )]
    NotAsked,
    #[error("no synchronous standby is connected; start one, or see why it cannot follow")]
    Missing,
    #[error("the role {0} may not see the standbys; run `GRANT pg_monitor TO {0}`")]
    Unseen(String),
}

impl From<StandbyError> for StoreError {
    fn from(error: StandbyError) -> StoreError {
        // It passes when a standby comes.
        StoreError::NoStandby(BackendError::new(error, false))
    }
}

/// Checks what [`check`] does where a standby is required, and else only says what is missing.
///
/// # Errors
/// Returns an error if the database fails, or a standby is required and missing.
pub(super) async fn check_as(session: &PgSession, is_required: bool) -> Result<(), StoreError> {
    match check(session).await? {
        Err(error) if is_required => Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "what is accepted may be on one machine only");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Checks that a commit waits for a standby, and that one is there.
///
/// # Errors
/// Returns an error if the database fails; the inner one says what is missing.
pub(super) async fn check(session: &PgSession) -> Result<Result<(), StandbyError>, StoreError> {
    let row = session.query_one(STANDBYS, &[]).await?;
    let (is_asked, is_there, is_hidden): (bool, bool, bool) = (row.get(0), row.get(1), row.get(2));
    Ok(match (is_asked, is_there, is_hidden) {
        (false, ..) => Err(StandbyError::NotAsked),
        (true, true, _) => Ok(()),
        (true, false, true) => Err(StandbyError::Unseen(row.get(3))),
        (true, false, false) => Err(StandbyError::Missing),
    })
}
