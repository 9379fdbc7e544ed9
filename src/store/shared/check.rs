//! `db check` of a shared store, beside the processes that run: it reads one state of the database,
//! hour by hour, and changes nothing.

mod delivery;
mod found;
mod hour;
mod jobs;
mod keys;
mod measured;
mod snapshot;
mod things;
mod totals;

use super::clock_offset;
use super::command::{self, StoreOfCommand};
use super::hours;
use super::options::pg_options;
use super::pg_options::PgOptions;
use crate::clock::Clock;
use crate::config::SharedStoreSettings;
use crate::store::{CheckReport, HoursProgress, Store, StoreError};
use found::CheckFindings;
use snapshot::CheckSnapshot;

/// What the tables and their indexes take, bytes.
const BYTES: &str = "
    SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::int8 FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r'";

impl Store {
    /// Checks a shared store, whose processes go on meanwhile: every record and its checksum, and
    /// what the tables say of each other. `seen` gets the progress. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails or has no store; all damage is in the report.
    pub fn check_shared(
        settings: &SharedStoreSettings,
        clock: &Clock,
        seen: &mut dyn FnMut(HoursProgress),
    ) -> Result<CheckReport, StoreError> {
        check(&pg_options(settings), clock, seen)
    }
}

/// Checks the store of these options. Blocks.
///
/// # Errors
/// Returns an error if the database fails or has no store.
pub(super) fn check(
    options: &PgOptions,
    clock: &Clock,
    seen: &mut dyn FnMut(HoursProgress),
) -> Result<CheckReport, StoreError> {
    command::run(async {
        let store = StoreOfCommand::find(options).await?;
        clock_offset::follow(&store.session, clock, true).await?;
        check_store(&store, clock, seen).await
    })
}

async fn check_store(
    store: &StoreOfCommand,
    clock: &Clock,
    seen: &mut dyn FnMut(HoursProgress),
) -> Result<CheckReport, StoreError> {
    let snapshot = CheckSnapshot::take(&store.connector).await?;
    let now_ms = clock.now_ms();
    let scrapers = command::scraper_names(snapshot.tables()).await?;
    let mut found = CheckFindings::new(store.cipher.clone(), scrapers, now_ms);
    // They may be removed at any moment, and nothing that is in them exists any longer.
    found.skipped = hours::due(snapshot.tables(), now_ms).await?.into_iter().collect();
    let hours = snapshot.hours().await?;
    let mut progress =
        HoursProgress { hours_total: hours.len() as u64, ..HoursProgress::default() };
    for hour in hours {
        let session = snapshot.begin().await?;
        if !found.skipped.contains(&hour) && snapshot.keeps(hour).await? {
            let mut tell = |jobs| seen(HoursProgress { jobs, ..progress });
            hour::check(&snapshot, session, hour, &mut found, &mut tell).await?;
            found.report.hours = found.report.hours.map(|hours| hours + 1);
        } else {
            found.skipped.insert(hour);
        }
        snapshot.end().await?;
        progress.hours += 1;
        seen(HoursProgress { jobs: found.report.jobs, ..progress });
    }
    keys::check(&snapshot, &mut found).await?;
    things::check(&snapshot, &mut found).await?;
    totals::check(&snapshot, &mut found).await?;
    let bytes = store.session.query_one(BYTES, &[&store.connector.schema()]).await?;
    found.report.file_bytes = bytes.get::<_, i64>(0) as u64;
    Ok(found.report)
}
