//! The database as a `db` command uses it: beside the processes that run, and without becoming one
//! of them.

use std::collections::HashMap;

use super::connect::{PgConnector, PgSession, Purpose};
use super::error::PgError;
use super::pg_options::PgOptions;
use super::schema;
use crate::id::IdCipher;
use crate::store::StoreError;

/// A store that is there, for a command.
pub(super) struct StoreOfCommand {
    pub connector: PgConnector,
    pub session: PgSession,
    pub cipher: IdCipher,
}

impl StoreOfCommand {
    /// Connects to a store.
    ///
    /// # Errors
    /// Returns an error if the database cannot be reached, or has no store that this build uses.
    pub(super) async fn find(options: &PgOptions) -> Result<StoreOfCommand, StoreError> {
        let connector = PgConnector::new(options)?;
        let session = connector.connect(Purpose::Command).await?;
        let key = schema::find(&session, connector.schema()).await?;
        Ok(StoreOfCommand { connector, session, cipher: IdCipher::new(key) })
    }
}

/// Returns the names of the scrapers by their numbers.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn scraper_names(session: &PgSession) -> Result<HashMap<u16, String>, StoreError> {
    let names = session.query("SELECT number, name FROM scrapers", &[]).await?;
    Ok(names.iter().map(|row| (row.get::<_, i16>(0) as u16, row.get(1))).collect())
}

/// Runs what a command awaits. Blocks until it is done.
///
/// # Errors
/// Returns an error if `task` does, or this machine cannot run it.
pub(super) fn run<T>(task: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| PgError::of_machine(&error))?.block_on(task)
}
