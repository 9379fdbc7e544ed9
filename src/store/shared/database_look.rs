//! What the database says of the store for operators: how many hours have tables, and what keeps
//! removed rows of the queue.

use super::connect::PgSession;
use super::error::PgError;
use crate::store::DatabaseFigures;

/// From which age on a transaction that keeps removed rows is logged, milliseconds.
const SNAPSHOT_MS_MAX: u64 = 600_000;

/// A transaction keeps what was removed since it began while it has a snapshot or has written. What
/// sessions of other roles do is seen with `pg_monitor` alone.
const FIGURES: &str = "
    SELECT (SELECT count(*) FROM hours), pg_stat_get_dead_tuples('queue'::regclass),
           oldest.pid, oldest.application_name,
           (extract(epoch FROM clock_timestamp() - oldest.xact_start) * 1000)::int8
    FROM (SELECT 1) AS one LEFT JOIN (
        SELECT pid, application_name, xact_start FROM pg_stat_activity
        WHERE coalesce(backend_xmin, backend_xid) IS NOT NULL AND xact_start IS NOT NULL
              AND datname = current_database() AND pid <> pg_backend_pid()
        ORDER BY xact_start LIMIT 1
    ) AS oldest ON true";

/// Looks at the database again and again.
#[derive(Default)]
pub(super) struct DatabaseLook {
    /// The process of the server whose old transaction was logged.
    logged: Option<i32>,
}

impl DatabaseLook {
    /// Reads the figures, and logs once who keeps old rows for too long.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(super) async fn look(&mut self, session: &PgSession) -> Result<DatabaseFigures, PgError> {
        let row = session.query_one(FIGURES, &[]).await?;
        let (pid, application): (Option<i32>, Option<String>) = (row.get(2), row.get(3));
        let figures = DatabaseFigures {
            hours: row.get::<_, i64>(0) as u64,
            queue_dead_rows: row.get::<_, i64>(1) as u64,
            oldest_snapshot_ms: u64::try_from(row.get::<_, Option<i64>>(4).unwrap_or(0))
                .unwrap_or(0),
        };
        let old = pid.filter(|_| figures.oldest_snapshot_ms >= SNAPSHOT_MS_MAX);
        if let Some(pid) = old.filter(|pid| self.logged != Some(*pid)) {
            tracing::warn!(
                pid,
                application = application.unwrap_or_default(),
                seconds = figures.oldest_snapshot_ms / 1000,
                "an old transaction keeps removed rows of the queue, which gets slow; end it with \
                 pg_terminate_backend if nothing needs it"
            );
        }
        self.logged = old;
        Ok(figures)
    }
}
