//! Moving the sums that writers of nodes that are gone have left into the slot of all: each start
//! of a node has slots of its own, and readers add up all that there are.

use std::collections::BTreeMap;

use super::connect::PgSession;
use super::kept;
use super::nodes::{NodeNumber, SLOT_OF_ALL, WRITERS_MAX};
use super::observations::SumsGroup;
use super::things::{ThingKey, ThingKind};
use crate::job::Spend;
use crate::measure::{GroupSums, PageSums};
use crate::store::{StoreError, record};

/// The kinds of things that have slots.
const SUMMED: [ThingKind; 3] = [ThingKind::Spend, ThingKind::Sums, ThingKind::PageSums];
/// The most sums of a pass.
const SUMS_MAX: i64 = 1_000;

/// The nodes that are gone, lately. Their fences stay for a day.
const GONE: &str = "SELECT DISTINCT node FROM gone_writers ORDER BY node";
/// Keys of sums in some slots: `$2` has these as bytes.
const LEFT: &str = "
    SELECT key FROM things WHERE kind = $1 AND value <> ''
    AND substr(key, length(key) - 3) = ANY($2) ORDER BY key LIMIT $3";
/// Locks them in the order in which writers lock things.
const LOCK: &str = "
    SELECT key, value FROM things WHERE kind = $1 AND key = ANY($2) AND value <> ''
    ORDER BY key FOR UPDATE";
const REMOVE: &str = "DELETE FROM things WHERE kind = $1 AND key = ANY($2)";
const PUT: &str = "UPDATE things SET value = $3 WHERE kind = $1 AND key = $2";
/// One without a value is as good as not there.
const INSERT: &str = "
    INSERT INTO things(kind, key, value) VALUES ($1, $2, $3)
    ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value WHERE things.value = ''";

/// Folds the sums of nodes that are gone.
#[derive(Default)]
pub(super) struct SumFolder {
    /// Those of which nothing is left.
    folded: Vec<i32>,
}

impl SumFolder {
    /// Folds what is left of the nodes that have gone since the last pass. Two may do so at once.
    ///
    /// # Errors
    /// Returns an error if the database fails or a sum is damaged: it is tried again later.
    pub(super) async fn pass(&mut self, session: &PgSession) -> Result<(), StoreError> {
        let gone = session.query(GONE, &[]).await?;
        let gone: Vec<i32> = gone.iter().map(|row| row.get(0)).collect();
        let new = gone.iter().copied().filter(|node| !self.folded.contains(node));
        let slots: Vec<Vec<u8>> = new.flat_map(slots_of).collect();
        if !slots.is_empty() {
            for kind in SUMMED {
                while fold_some(session, kind, &slots).await? {}
            }
        }
        self.folded = gone;
        Ok(())
    }
}

/// Returns the slots of a node's writers, as keys have them.
fn slots_of(node: i32) -> impl Iterator<Item = Vec<u8>> {
    (0..WRITERS_MAX).map(move |writer| NodeNumber(node).slot(writer).to_be_bytes().to_vec())
}

/// Folds some sums of a kind. Returns whether there may be more.
async fn fold_some(
    session: &PgSession,
    kind: ThingKind,
    slots: &[Vec<u8>],
) -> Result<bool, StoreError> {
    let left = session.query(LEFT, &[&(kind as i16), &slots, &SUMS_MAX]).await?;
    let mut groups: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
    for found in &left {
        let key: Vec<u8> = found.get(0);
        let of_all = ThingKey { kind, key: key.clone() }.with_slot(SLOT_OF_ALL).key;
        groups.entry(of_all).or_default().push(key);
    }
    for (of_all, keys) in groups {
        session.batch_execute("BEGIN").await?;
        match fold_group(session, kind, of_all, keys).await {
            Ok(true) => session.batch_execute("COMMIT").await?,
            ended => {
                session.batch_execute("ROLLBACK").await?;
                if !ended? {
                    // Another node folds the same.
                    return Ok(false);
                }
            }
        }
    }
    Ok(left.len() as i64 == SUMS_MAX)
}

/// Adds up the sums of a group. Returns false if another transaction was in the way.
async fn fold_group(
    session: &PgSession,
    kind: ThingKind,
    of_all: Vec<u8>,
    mut keys: Vec<Vec<u8>>,
) -> Result<bool, StoreError> {
    keys.insert(0, of_all.clone());
    let found = session.query(LOCK, &[&(kind as i16), &keys]).await?;
    let stored = |row: &tokio_postgres::Row| (row.get::<_, Vec<u8>>(0), row.get::<_, Vec<u8>>(1));
    let stored: Vec<(Vec<u8>, Vec<u8>)> = found.iter().map(stored).collect();
    let old: Vec<&[u8]> = stored.iter().map(|(key, _)| key.as_slice()).collect();
    let old: Vec<&[u8]> = old.into_iter().filter(|key| *key != of_all).collect();
    if old.is_empty() {
        return Ok(true);
    }
    let sum = added(kind, &of_all, stored.iter().map(|(_, value)| value.as_slice()))?;
    let is_there = stored.iter().any(|(key, _)| *key == of_all);
    let text = if is_there { PUT } else { INSERT };
    let written = session.execute(text, &[&(kind as i16), &of_all, &sum]).await?;
    session.execute(REMOVE, &[&(kind as i16), &old]).await?;
    Ok(written == 1)
}

/// Returns the sum of some records of one group.
fn added<'v>(
    kind: ThingKind,
    key: &[u8],
    values: impl Iterator<Item = &'v [u8]>,
) -> Result<Vec<u8>, StoreError> {
    const KEYLESS: StoreError = StoreError::Damaged("a sum has no key");
    if kind == ThingKind::Spend {
        let (day, mut spend) = (kept::day_of_spend(key).ok_or(KEYLESS)?, Spend::default());
        for value in values {
            spend = spend.and(record::decode_spend(day, value)?);
        }
        return record::encode_spend(day, spend);
    }
    let day = SumsGroup::read(key).ok_or(KEYLESS)?.day;
    if kind == ThingKind::PageSums {
        let mut sums = PageSums::default();
        for value in values {
            sums.merge_group(&record::decode_page_sums(day, value)?);
        }
        return record::encode_page_sums(day, &sums);
    }
    let mut sums = GroupSums::default();
    for value in values {
        sums.merge_group(&record::decode_sums(day, value)?);
    }
    record::encode_sums(day, &sums)
}
