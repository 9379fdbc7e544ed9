//! A look at a database before a start: whether a process could share the store there. Nothing is
//! written, and this process does not become a node.

use super::clock_offset;
use super::connect::{PgConnector, PgSession, Purpose};
use super::error::PgError;
use super::options::SharedOptions;
use super::schema;
use super::standby;
use crate::store::{DatabaseReport, StandbyReport, StoreError};

/// What is done by mistake is refused.
const READ_ONLY: &str = "SET default_transaction_read_only = on";
/// The standbys that the server sends to, the synchronous ones first.
const STANDBYS: &str = "
    SELECT application_name, coalesce(sync_state, 'unseen'),
           (extract(epoch FROM flush_lag) * 1000)::int8
    FROM pg_stat_replication
    ORDER BY sync_state IN ('sync', 'quorum') DESC NULLS LAST, application_name LIMIT 100";
const NODES: &str =
    "SELECT name || ' (' || version || ')' FROM nodes WHERE NOT fenced ORDER BY name";

/// Looks at the database of a shared store. Blocks until it has answered or failed to.
///
/// # Errors
/// Returns an error if the database cannot be reached.
pub(crate) fn inspect(options: &SharedOptions) -> Result<DatabaseReport, StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| PgError::of_machine(&error))?;
    runtime.block_on(look(options))
}

async fn look(options: &SharedOptions) -> Result<DatabaseReport, StoreError> {
    let connector = PgConnector::new(&options.pg)?;
    let session = connector.connect(Purpose::Setup).await?;
    session.batch_execute(READ_ONLY).await?;
    let version = session.query_one("SELECT current_setting('server_version')", &[]).await?;
    let mut report = DatabaseReport {
        server_version: version.get(0),
        schema: connector.schema().to_owned(),
        ..DatabaseReport::default()
    };
    // Each is looked at, whatever is wrong with the others.
    match schema::examine(&session, connector.schema()).await {
        Ok(version) => report.schema_version = version,
        Err(error) => report.problems.push(error.to_string()),
    }
    if report.schema_version.is_some() {
        let nodes = session.query(NODES, &[]).await?;
        report.nodes = nodes.iter().map(|row| row.get(0)).collect();
    }
    look_at_standbys(&session, options.require_standby, &mut report).await?;
    let ahead_ms = clock_offset::measure(&session, &options.clock).await?;
    report.clock_ahead_ms = Some(ahead_ms);
    Ok(report)
}

async fn look_at_standbys(
    session: &PgSession,
    is_required: bool,
    report: &mut DatabaseReport,
) -> Result<(), StoreError> {
    let standbys = session.query(STANDBYS, &[]).await?;
    let standbys = standbys.iter().map(|row| StandbyReport {
        name: row.get(0),
        state: row.get(1),
        lag_ms: row.get::<_, Option<i64>>(2).and_then(|lag_ms| u64::try_from(lag_ms).ok()),
    });
    report.standbys = standbys.collect();
    if let Err(error) = standby::check(session).await? {
        let found = if is_required { &mut report.problems } else { &mut report.warnings };
        found.push(error.to_string());
    }
    Ok(())
}
