//! The nodes: the processes that share the store. Each has a row with a beat that rises, and a
//! fence for each of its writers. A node whose beat stands still is declared dead: its fences go
//! first, so that nothing of it can be committed later, and then all that it held is given back.

use tokio_postgres::types::ToSql;

use super::connect::PgSession;
use super::error::PgError;
use super::versions::SCHEMA;
use crate::store::StoreError;

/// The most writers of a node.
pub(super) const WRITERS_MAX: u16 = 16;
/// The slot with what the slots of dead nodes had. It is the one that is locked where a sum over
/// all slots must not change.
pub(super) const SLOT_OF_ALL: i32 = 0;
/// How many rows are given back in one transaction.
const GIVE_BACK_ROWS: i64 = 1_000;
/// The time of the database's clock, milliseconds.
pub(super) const NOW_MS: &str = "(extract(epoch FROM clock_timestamp()) * 1000)::int8";
/// How often a name is taken over while another process takes it too.
const REGISTER_TRIES: u32 = 5;

/// The number of a node, new at each start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NodeNumber(pub i32);

impl NodeNumber {
    /// Returns the slot of one of the node's writers. It is never [`SLOT_OF_ALL`], because nodes
    /// are counted from 1.
    pub(super) fn slot(self, writer: u16) -> i32 {
        debug_assert!(writer < WRITERS_MAX);
        self.0 * i32::from(WRITERS_MAX) + i32::from(writer)
    }
}

/// A node's row, as other nodes and operators see it.
#[derive(Clone, Debug)]
pub(super) struct NodeProfile {
    /// Registering under a name takes over from the node that has it.
    pub name: String,
    pub version: String,
    /// The newest version of records that it reads.
    pub record_max: i16,
    /// Its load and its upstreams, as `neighbors.rs` publishes them.
    pub workers: Vec<u8>,
    /// The hashes of the settings that all nodes should share.
    pub settings: Vec<u8>,
    pub started_ms: i64,
    pub writers: u16,
}

const NODE_OF_NAME: &str = "SELECT node FROM nodes WHERE name = $1";
const REGISTER: &str = "
    WITH registered AS (
        INSERT INTO nodes(name, version, schema, record_max, workers, settings, started_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING node
    )
    INSERT INTO writers(node, slot, seq)
    SELECT node, slot, 0 FROM registered, generate_series(0, $8 - 1) AS slot RETURNING node";

/// Registers a node under a new number, with fences that are at 0. A node that has the name is
/// declared dead: a process that is started again goes on at once, and of two with one name the
/// later one stays.
///
/// # Errors
/// Returns an error if the database fails, or several processes fight for the name.
pub(super) async fn register(
    session: &PgSession,
    profile: &NodeProfile,
) -> Result<NodeNumber, StoreError> {
    for _ in 0..REGISTER_TRIES {
        if let Some(known) = node_of_name(session, &profile.name).await? {
            declare_dead(session, known, None).await?;
        }
        if let Some(node) = insert(session, profile).await? {
            return Ok(node);
        }
    }
    Err(StoreError::Busy)
}

/// Registers a node under a new number that was `known` and was declared dead; `None` if another
/// process has its name by now.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn register_again(
    session: &PgSession,
    profile: &NodeProfile,
    known: NodeNumber,
) -> Result<Option<NodeNumber>, StoreError> {
    loop {
        match node_of_name(session, &profile.name).await? {
            // What it held is still being given back.
            Some(node) if node == known => drop(declare_dead(session, node, None).await?),
            Some(_) => return Ok(None),
            None => {
                if let Some(node) = insert(session, profile).await? {
                    return Ok(Some(node));
                }
            }
        }
    }
}

async fn node_of_name(session: &PgSession, name: &str) -> Result<Option<NodeNumber>, StoreError> {
    let found = session.query_opt(NODE_OF_NAME, &[&name]).await?;
    Ok(found.map(|row| NodeNumber(row.get(0))))
}

/// Inserts a node with its fences; `None` if another one has the name.
async fn insert(
    session: &PgSession,
    profile: &NodeProfile,
) -> Result<Option<NodeNumber>, StoreError> {
    let NodeProfile { name, version, record_max, workers, settings, started_ms, writers } = profile;
    let (schema, writers) = (SCHEMA as i32, i32::from(*writers));
    let values: [&(dyn ToSql + Sync); 8] =
        [name, version, &schema, record_max, workers, settings, started_ms, &writers];
    match session.query(REGISTER, &values).await {
        Ok(rows) => {
            let damaged = StoreError::Damaged("a node was registered without a writer");
            rows.first().map(|row| Some(NodeNumber(row.get(0)))).ok_or(damaged)
        }
        Err(error) if error.is_duplicate() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The nodes after a beat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Beats {
    /// The beat was counted. The beat of each other node, those being given back included.
    Counted(Vec<(NodeNumber, i64)>),
    /// This node was declared dead. Its writers cannot commit any longer.
    Gone,
}

const BEAT: &str = "
    WITH own AS (UPDATE nodes SET beat = beat + 1 WHERE node = $1 AND NOT fenced RETURNING 1)
    SELECT node, beat, EXISTS (SELECT FROM own) FROM nodes";

/// Raises a node's beat and reads those of the others.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn beat(session: &PgSession, node: NodeNumber) -> Result<Beats, PgError> {
    let rows = session.query(BEAT, &[&node.0]).await?;
    if !rows.iter().any(|row| row.get(2)) {
        return Ok(Beats::Gone);
    }
    let others = rows.iter().map(|row| (NodeNumber(row.get(0)), row.get(1)));
    Ok(Beats::Counted(others.filter(|(other, _)| *other != node).collect()))
}

/// Returns whether another process has registered under the name of a node that is gone. Then it is
/// not to register again: two processes with one name would drive each other out for ever.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn is_replaced(
    session: &PgSession,
    node: NodeNumber,
    name: &str,
) -> Result<bool, PgError> {
    let asked = "SELECT 1 FROM nodes WHERE name = $1 AND node > $2";
    Ok(session.query_opt(asked, &[&name, &node.0]).await?.is_some())
}

/// A condition of every statement that makes rows a node's outside of the batches of its writers,
/// such as a reserve: `$1` is the node. The lock makes a declaration of death wait for it, and
/// neither beats nor batches do.
pub(super) const NOT_FENCED: &str =
    "EXISTS (SELECT 1 FROM writers WHERE node = $1 AND slot = 0 FOR KEY SHARE)";

const FENCE_OFF: &str =
    "UPDATE nodes SET fenced = true WHERE node = $1 AND (fenced OR beat = coalesce($2, beat))";
/// `{table}` is what has rows that belong to nodes.
const GIVE_BACK: &str = "
    WITH held AS MATERIALIZED (
        SELECT row FROM {table} WHERE node = $1 ORDER BY row LIMIT $2 FOR UPDATE
    )
    UPDATE {table} SET node = NULL FROM held WHERE {table}.row = held.row";
/// A lead that no node has is taken at once: see `lead.rs`.
const RESIGN_FOR: &str = "UPDATE leads SET node = 0, beat = beat + 1 WHERE node = $1";
const REMOVE: &str = "DELETE FROM nodes WHERE node = $1 AND fenced";

/// Declares a node dead and gives back all that it held. `beat` is its last one that was seen: if
/// it has risen since, nothing is done. Returns whether the node is gone. Several may do so at the
/// same time, and a declaration that was broken off is repeated by the next one.
///
/// # Errors
/// Returns an error if the database fails, or a transaction of the node is still open: later it
/// is not.
pub(super) async fn declare_dead(
    session: &PgSession,
    node: NodeNumber,
    beat: Option<i64>,
) -> Result<bool, PgError> {
    if session.execute(FENCE_OFF, &[&node.0, &beat]).await? == 0 {
        return Ok(false);
    }
    session.batch_execute(&fold_slots(node)).await?;
    session.execute(RESIGN_FOR, &[&node.0]).await?;
    for table in ["queue", "outbox"] {
        let give_back = GIVE_BACK.replace("{table}", table);
        while session.execute(&give_back, &[&node.0, &GIVE_BACK_ROWS]).await? > 0 {}
    }
    // Last: as long as it is there, others see that something is left to do.
    session.execute(REMOVE, &[&node.0]).await?;
    Ok(true)
}

/// Returns the statements of one transaction that removes a node's fences and moves what its slots
/// have. A batch that is under way is waited for: what it commits is moved too.
fn fold_slots(node: NodeNumber) -> String {
    let (first, last) = (node.slot(0), node.slot(WRITERS_MAX - 1));
    let own = format!("slot BETWEEN {first} AND {last}");
    let fold = |table: &str, keys: &str, sums: &[&str]| {
        let summed: Vec<String> = sums.iter().map(|sum| format!("sum({sum})::int8")).collect();
        let added: Vec<String> =
            sums.iter().map(|sum| format!("{sum} = {table}.{sum} + excluded.{sum}")).collect();
        let (columns, summed, added) = (sums.join(", "), summed.join(", "), added.join(", "));
        // In the order of the keys, as writers lock them.
        format!(
            "INSERT INTO {table}({keys}, slot, {columns})
             SELECT {keys}, {SLOT_OF_ALL}, {summed} FROM {table} WHERE {own}
             GROUP BY {keys} ORDER BY {keys}
             ON CONFLICT ({keys}, slot) DO UPDATE SET {added};
             DELETE FROM {table} WHERE {own};\n"
        )
    };
    // A batch whose commit was not answered still finds its fence.
    format!(
        "WITH gone AS (DELETE FROM writers WHERE node = {} RETURNING node, slot, seq)
         INSERT INTO gone_writers(node, slot, seq, gone_ms)
         SELECT node, slot, seq, {NOW_MS} FROM gone;\n",
        node.0
    ) + &fold("depth", "scraper", &["n"])
        + &fold("credits", "account, month", &["reserved", "used"])
        + &fold("usage", "account, day, scraper", &["jobs", "done", "failed", "cached", "credits"])
}
