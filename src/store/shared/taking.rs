//! `db move`: a shared store takes over one from a file, in one transaction, so that it has all of
//! it or nothing. Rows keep their numbers, which are those of the first hours there are, and the
//! key of the ids comes with them: ids that clients hold stay valid.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::connect::{PgConnector, PgSession, Purpose};
use super::ended_jobs::EndedJobs;
use super::error::PgError;
use super::filling::Filling;
use super::move_error::MoveError;
use super::nodes::NodeNumber;
use super::options::pg_options;
use super::process::Process;
use super::readers::ReadQueues;
use super::schema;
use super::standby;
use super::status::NodeStatus;
use super::things::ThingKind;
use super::{clock_offset, hours};
use crate::clock::Clock;
use crate::config::SharedStoreSettings;
use crate::id::IdCipher;
use crate::store::cache::CacheIndex;
use crate::store::moved::{MoveReport, MovedRow};
use crate::store::scrapers::ScraperEntry;
use crate::store::{Scrapers, StoreError};

/// A store that is moved: the key of its ids, and the numbers and names of its scrapers.
pub(crate) struct MovedStore {
    pub id_key: [u8; 16],
    pub scrapers: Vec<(u16, String)>,
}

/// No process of the store begins or goes on while it is filled. Source and target may be slow.
const BEGIN: &str = "
    BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0;
    LOCK TABLE meta, nodes IN ACCESS EXCLUSIVE MODE;";
/// Every job there was is in the table of what was used. Things of the kinds `$1` are of any
/// process that was started.
const IS_USED: &str = "
    SELECT EXISTS (SELECT FROM usage) OR EXISTS (SELECT FROM queue)
        OR EXISTS (SELECT FROM batch_ends) OR EXISTS (SELECT FROM completions)
        OR EXISTS (SELECT FROM things WHERE kind <> ALL($1) AND value <> ''::bytea)";
const PUT_SCRAPERS: &str = "
    INSERT INTO scrapers(number, name) SELECT * FROM unnest($1::int2[], $2::text[])";

/// Takes over a store: `visit_all` passes on its rows, and returns what it has left out as
/// sentences. `seen` is called with how many rows were written. Makes the shared store when it is
/// not there. Blocks.
///
/// # Errors
/// Returns an error if `visit_all` does, the shared store is in use or has something already, or
/// the database fails: nothing was taken over then.
pub(crate) fn take_over(
    settings: &SharedStoreSettings,
    clock: &Clock,
    store: MovedStore,
    visit_all: impl FnOnce(
        &mut dyn FnMut(MovedRow<'_>) -> Result<(), StoreError>,
    ) -> Result<Vec<String>, StoreError>,
    seen: &mut dyn FnMut(u64),
) -> Result<MoveReport, StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| PgError::of_machine(&error))?;
    let connector = PgConnector::new(&pg_options(settings))?;
    let session = runtime.block_on(async {
        let session = connector.connect(Purpose::Command).await?;
        clock_offset::follow(&session, clock, true).await?;
        schema::prepare(&session, connector.schema(), None).await?;
        standby::check_as(&session, settings.require_standby).await?;
        begin(&connector, &session, &store).await?;
        Ok::<_, StoreError>(session)
    })?;
    let known = runtime.block_on(hours::all(&session))?;
    let process = process_of(connector, clock, store);
    let mut filling = Filling::new(&runtime, &session, &process, known, clock.now_ms());
    let left = visit_all(&mut |row| filling.take(row, seen))?;
    filling.finish(left)
}

/// Begins the transaction, once it is sure that the store is there for it.
async fn begin(
    connector: &PgConnector,
    session: &PgSession,
    store: &MovedStore,
) -> Result<(), StoreError> {
    session.batch_execute(BEGIN).await?;
    if let Some(node) = session.query_opt("SELECT name FROM nodes LIMIT 1", &[]).await? {
        return Err(MoveError::HasProcess(node.get(0)).into());
    }
    let of_any_process = vec![ThingKind::Models as i16, ThingKind::Counts as i16];
    if session.query_one(IS_USED, &[&of_any_process]).await?.get(0) {
        return Err(MoveError::NotEmpty(connector.schema().to_owned()).into());
    }
    session.batch_execute("DELETE FROM things; DELETE FROM scrapers; DELETE FROM depth;").await?;
    let (numbers, names): (Vec<i16>, Vec<String>) =
        store.scrapers.iter().map(|(number, name)| (*number as i16, name.clone())).unzip();
    session.execute(PUT_SCRAPERS, &[&numbers, &names]).await?;
    schema::put_id_key(session, store.id_key).await?;
    Ok(())
}

/// Returns what stands for this process, which is no node.
fn process_of(connector: PgConnector, clock: &Clock, store: MovedStore) -> Process {
    let entries = store.scrapers.into_iter().map(|(number, name)| ScraperEntry {
        number,
        name,
        unfinished: AtomicUsize::new(0),
    });
    Process::new(
        connector,
        NodeStatus::new(clock.clone(), NodeNumber(0)),
        ReadQueues::new(Vec::new()),
        IdCipher::new(store.id_key),
        Arc::new(Scrapers::new(entries.collect())),
        CacheIndex::new(0),
        EndedJobs::new(0),
    )
}
