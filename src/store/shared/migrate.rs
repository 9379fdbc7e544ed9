//! `db migrate`: brings the tables of a shared store to the version of this build, beside the
//! processes that use them.

use std::time::Duration;

use super::command;
use super::connect::{PgConnector, PgSession, Purpose};
use super::error::{ErrorClass, PgError};
use super::options::pg_options;
use super::schema::{self, Relations, SchemaError};
use super::versions::{META_SCHEMA, META_SCHEMA_MIN, MIGRATIONS, Migration};
use crate::config::SharedStoreSettings;
use crate::store::{Store, StoreError};

/// How often a change is tried while somebody uses what it locks. It waits two seconds for a lock
/// at most, because all that come after it wait too.
const TRIES: u32 = 30;
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// In which time a node that lives beats more than once.
const BEATS: Duration = Duration::from_secs(3);

/// The versions of the tables before a migration and after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrateReport {
    pub before: u32,
    pub after: u32,
}

impl Store {
    /// Brings the tables of a shared store to the version of this build; its processes go on
    /// meanwhile. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails, has no store, or somebody keeps a table locked.
    pub fn migrate(settings: &SharedStoreSettings) -> Result<MigrateReport, StoreError> {
        command::run(async {
            let connector = PgConnector::new(&pg_options(settings))?;
            let session = connector.connect(Purpose::Command).await?;
            let report = migrate(&session, connector.schema(), MIGRATIONS).await?;
            // Says why, where there was nothing to migrate.
            schema::find(&session, connector.schema()).await?;
            report.ok_or(StoreError::Damaged("the version of the schema is missing"))
        })
    }
}

/// Makes the changes that the tables lack; `None` if there is no store. Several may do so at once.
///
/// # Errors
/// Returns an error if the database fails, or somebody keeps a table locked.
pub(super) async fn migrate(
    session: &PgSession,
    schema: &str,
    migrations: &[Migration],
) -> Result<Option<MigrateReport>, StoreError> {
    match schema::relations(session, schema).await? {
        Relations::WithMeta => {}
        Relations::None { .. } | Relations::Foreign => return Ok(None),
    }
    let Some(before) = version(session, "").await? else { return Ok(None) };
    let mut after = before;
    for (number, migration) in (2..).zip(migrations) {
        if number > before {
            check_nodes(session, schema, migration.schema_min).await?;
            apply_patiently(session, number, migration).await?;
            after = number;
        }
    }
    Ok(Some(MigrateReport { before, after }))
}

/// Checks that no process works with the store that a change leaves behind. One that does not beat
/// has ended; should it come back, it finds that it is too old.
async fn check_nodes(session: &PgSession, schema: &str, needed: u32) -> Result<(), StoreError> {
    let older = "SELECT node, beat, name || ' (' || version || ')' FROM nodes \
                 WHERE schema < $1 AND NOT fenced ORDER BY name";
    let older_nodes = async || -> Result<Vec<(i32, i64, String)>, PgError> {
        let found = session.query(older, &[&(needed as i32)]).await?;
        Ok(found.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
    };
    let first = older_nodes().await?;
    if first.is_empty() {
        return Ok(());
    }
    tokio::time::sleep(BEATS).await;
    let later = older_nodes().await?;
    let has_beaten = |(node, beat, _): &&(i32, i64, String)| {
        !first.iter().any(|(known, before, _)| (known, before) == (node, beat))
    };
    let beating: Vec<String> = later.iter().filter(has_beaten).map(|it| it.2.clone()).collect();
    if beating.is_empty() {
        return Ok(());
    }
    let (schema, nodes) = (schema.to_owned(), beating.join(", "));
    Err(SchemaError::OlderNodes { schema, needed, nodes }.into())
}

async fn apply_patiently(
    session: &PgSession,
    number: u32,
    migration: &Migration,
) -> Result<(), StoreError> {
    for _ in 0..TRIES {
        match apply(session, number, migration).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                session.batch_execute("ROLLBACK").await?;
                if error.class() != ErrorClass::Contended {
                    return Err(error.into());
                }
                tracing::info!(number, %error, "a change of the tables waits for a lock");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(StoreError::Busy)
}

/// Makes one change, unless somebody has made it meanwhile.
async fn apply(session: &PgSession, number: u32, migration: &Migration) -> Result<(), PgError> {
    session.batch_execute("BEGIN; SET LOCAL lock_timeout = '2s';").await?;
    let found = version(session, "FOR UPDATE").await?;
    if found.is_some_and(|found| found < number) {
        session.batch_execute(migration.sql).await?;
        let put = "UPDATE meta SET value = convert_to($2, 'UTF8') WHERE name = $1";
        for (name, value) in [(META_SCHEMA, number), (META_SCHEMA_MIN, migration.schema_min)] {
            session.execute(put, &[&name, &value.to_string()]).await?;
        }
    }
    session.batch_execute("COMMIT").await
}

/// Returns the version of the tables; `None` if they do not say it.
async fn version(session: &PgSession, lock: &str) -> Result<Option<u32>, PgError> {
    let text = format!("SELECT convert_from(value, 'UTF8') FROM meta WHERE name = $1 {lock}");
    let found = session.query_opt(text.as_str(), &[&META_SCHEMA]).await?;
    Ok(found.and_then(|row| row.get::<_, String>(0).parse().ok()))
}
