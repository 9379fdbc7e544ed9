//! One state of the database for the whole of a check, which may take long and names the tables of
//! more hours than one transaction could lock.

use std::collections::HashMap;

use tokio_postgres::Row as PgRow;
use tokio_postgres::types::ToSql;

use crate::store::StoreError;
use crate::store::shared::connect::{PgConnector, PgSession, Purpose};
use crate::store::shared::error::ErrorClass;
use crate::store::shared::hours::{self, HourTable};
use crate::store::shared::row_number::Hour;

/// The file of the table that `$1` names. It is another one after the table was emptied.
const FILE: &str = "SELECT pg_relation_filenode(to_regclass($1)::oid)";

/// A state of the database.
pub(super) struct CheckSnapshot {
    /// Holds the state.
    held: PgSession,
    /// Has a transaction of that state for each part.
    reader: PgSession,
    name: String,
    /// The file of each hour's table of jobs when the state was taken.
    files: HashMap<Hour, Option<u32>>,
}

impl CheckSnapshot {
    /// Takes the state as it is now.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(super) async fn take(connector: &PgConnector) -> Result<CheckSnapshot, StoreError> {
        let held = connector.connect(Purpose::Command).await?;
        let reader = connector.connect(Purpose::Command).await?;
        // It does nothing while the other one reads.
        held.batch_execute(
            "SET idle_in_transaction_session_timeout = 0; \
             BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;",
        )
        .await?;
        let name = held.query_one("SELECT pg_export_snapshot()", &[]).await?.get(0);
        let mut snapshot = CheckSnapshot { held, reader, name, files: HashMap::new() };
        for hour in snapshot.hours().await? {
            let file = snapshot.file(hour).await?;
            snapshot.files.insert(hour, file);
        }
        Ok(snapshot)
    }

    /// Returns the hours that have tables, the oldest first.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(super) async fn hours(&self) -> Result<Vec<Hour>, StoreError> {
        hours::all(&self.held).await
    }

    /// Returns the session that reads the tables which stay.
    pub(super) fn tables(&self) -> &PgSession {
        &self.held
    }

    /// Begins to read the tables of an hour, or of several; [`CheckSnapshot::end`] ends that.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(super) async fn begin(&self) -> Result<&PgSession, StoreError> {
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{}';",
            self.name
        );
        self.reader.batch_execute(&begin).await?;
        Ok(&self.reader)
    }

    /// Ends what [`CheckSnapshot::begin`] has begun, so that an hour's tables can be dropped.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(super) async fn end(&self) -> Result<(), StoreError> {
        Ok(self.reader.batch_execute("ROLLBACK").await?)
    }

    /// Returns whether the tables of an hour are still those of the state: they are dropped or
    /// emptied when their jobs have expired, whatever state somebody reads. Afterwards they stay
    /// until [`CheckSnapshot::end`].
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(super) async fn keeps(&self, hour: Hour) -> Result<bool, StoreError> {
        let Some(known) = self.files.get(&hour) else { return Ok(false) };
        let jobs = HourTable::Jobs.in_hour(hour);
        // The first table that a removal of the hour locks.
        let lock = format!("LOCK TABLE {jobs} IN ACCESS SHARE MODE");
        match self.reader.batch_execute(&lock).await {
            Err(error) if error.class() == ErrorClass::TableMissing => return Ok(false),
            locked => locked?,
        }
        let file: Option<u32> = self.reader.query_one(FILE, &[&jobs]).await?.get(0);
        Ok(file.is_some() && file == *known)
    }

    async fn file(&self, hour: Hour) -> Result<Option<u32>, StoreError> {
        Ok(self.held.query_one(FILE, &[&HourTable::Jobs.in_hour(hour)]).await?.get(0))
    }
}

/// Reads the rows of a statement that names the tables of an hour as `{hour}`.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn rows_of_hour(
    session: &PgSession,
    hour: Hour,
    text: &str,
    values: &[&(dyn ToSql + Sync)],
) -> Result<Vec<PgRow>, StoreError> {
    Ok(session.query(text.replace("{hour}", &hours::suffix(hour)).as_str(), values).await?)
}
