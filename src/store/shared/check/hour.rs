//! The check of the tables of one hour: its jobs, its batches, and that nothing else is there.

use std::collections::BTreeMap;

use tokio_postgres::Row as PgRow;

use super::delivery::{self, StoredDelivery};
use super::found::CheckFindings;
use super::jobs::{self, BatchJobs};
use super::snapshot::{CheckSnapshot, rows_of_hour};
use crate::store::shared::connect::PgSession;
use crate::store::shared::loading::batch_of;
use crate::store::shared::row_number::Hour;
use crate::store::shared::things::ThingKind;
use crate::store::{Row, StoreError, record};

/// The most batches that are in memory at once: a record may name thousands of refused items.
const ROWS_MAX: i64 = 250;
/// The most rows of one kind of problem that are read.
const STRAYS_MAX: i64 = 1_000;
const BATCHES: &str = "
    SELECT b.row, b.record, p.done, p.failed, p.completed_ms, b.created_ms, a.name, d.record,
           o.due_ms, o.receiver
    FROM batches_{hour} b LEFT JOIN batch_ends p ON p.row = b.row
    LEFT JOIN deliveries_{hour} d ON d.row = b.row LEFT JOIN outbox o ON o.row = b.row
    LEFT JOIN accounts a ON a.number = b.account
    WHERE b.row > $1 ORDER BY b.row LIMIT $2";
const CACHED: &str = "SELECT count(*) FROM cache_{hour}";

/// Rows that belong to nothing, and what is said of each.
const STRAYS: [(&str, &str); 6] = [
    (
        "SELECT e.row FROM ends_{hour} e LEFT JOIN jobs_{hour} j ON j.row = e.row \
         WHERE j.row IS NULL",
        "an end of row {row} belongs to no job",
    ),
    (
        "SELECT q.row FROM queue q LEFT JOIN jobs_{hour} j ON j.row = q.row \
         WHERE q.row BETWEEN {first} AND {last} AND j.row IS NULL",
        "the queue names row {row}, which is no job",
    ),
    (
        "SELECT d.row FROM deliveries_{hour} d LEFT JOIN jobs_{hour} j ON j.row = d.row \
         LEFT JOIN batches_{hour} b ON b.row = d.row WHERE j.row IS NULL AND b.row IS NULL",
        "delivery row {row} belongs to no job and no batch",
    ),
    (
        "SELECT o.row FROM outbox o LEFT JOIN deliveries_{hour} d ON d.row = o.row \
         LEFT JOIN things t ON t.kind = {notices} AND t.key = int8send(o.row) \
         WHERE o.row BETWEEN {first} AND {last} AND d.row IS NULL AND t.key IS NULL",
        "the outbox names row {row}, which has no delivery",
    ),
    (
        "SELECT p.row FROM batch_ends p LEFT JOIN batches_{hour} b ON b.row = p.row \
         WHERE p.row BETWEEN {first} AND {last} AND b.row IS NULL AND p.expires_ms > {now_ms}",
        "batch counts of row {row} belong to no batch",
    ),
    (
        "SELECT c.row FROM cache_{hour} c LEFT JOIN ends_{hour} e ON e.row = c.row \
         WHERE e.result IS NULL",
        "the cache names row {row}, which has no result",
    ),
];

/// Checks the tables of an hour. `seen` is called with how many jobs were looked at.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn check(
    snapshot: &CheckSnapshot,
    session: &PgSession,
    hour: Hour,
    found: &mut CheckFindings,
    seen: &mut impl FnMut(u64),
) -> Result<(), StoreError> {
    let of_batches = jobs::check(snapshot, session, hour, found, seen).await?;
    let mut after = -1_i64;
    loop {
        let page = rows_of_hour(session, hour, BATCHES, &[&after, &ROWS_MAX]).await?;
        let Some(last) = page.last() else { break };
        after = last.get(0);
        page.iter().for_each(|row| check_batch(row, &of_batches, found));
    }
    let (first, last) = hour.rows();
    let notices = (ThingKind::NoticeDelivery as i16).to_string();
    for (text, sentence) in STRAYS {
        let text = text.replace("{first}", &first.to_string());
        let text = text.replace("{last}", &last.to_string()).replace("{notices}", &notices);
        let text = text.replace("{now_ms}", &found.now_ms.to_string());
        let text = format!("{text} LIMIT {STRAYS_MAX}");
        for stray in rows_of_hour(session, hour, &text, &[]).await? {
            let row: i64 = stray.get(0);
            found.problem(sentence.replace("{row}", &row.to_string()));
        }
    }
    let cached = rows_of_hour(session, hour, CACHED, &[]).await?;
    found.report.cache_entries += cached.first().map_or(0, |row| row.get::<_, i64>(0) as u64);
    Ok(())
}

fn check_batch(answer: &PgRow, of_batches: &BTreeMap<Row, BatchJobs>, found: &mut CheckFindings) {
    let row = answer.get::<_, i64>(0) as Row;
    let is_counted = answer.get::<_, Option<i32>>(2).is_some();
    let read = if is_counted {
        batch_of(answer)
    } else {
        record::decode_batch(row, answer.get(1), crate::job::BatchProgress::default())
    };
    let batch = match read {
        Ok(batch) => batch,
        Err(error) => {
            found.problem(format!("batch row {row} cannot be read: {}", error.kind()));
            return;
        }
    };
    if !is_counted {
        // Those of a batch that has expired go before its hour.
        if batch.expires_ms > found.now_ms {
            found.problem(format!("batch row {row} ({}) has no counts", batch.key.id));
        }
        return;
    }
    let what = format!("batch row {row} ({})", batch.key.id);
    let account: Option<&str> = answer.get(6);
    if account != Some(batch.account.as_str()) || answer.get::<_, i64>(5) as u64 != batch.created_ms
    {
        found.problem(format!("{what} is listed as of another account or time"));
    }
    let jobs = of_batches.get(&row).copied().unwrap_or_default();
    let counted = batch.progress;
    // Jobs that have ended may be gone: deleted, or expired before they could end.
    let short = counted.done < jobs.done || counted.failed < jobs.failed;
    if batch.pending() != jobs.pending || short {
        found.problem(format!(
            "{what} counts {} pending, {} done and {} failed, its jobs are {}, {} and {}",
            batch.pending(),
            counted.done,
            counted.failed,
            jobs.pending,
            jobs.done,
            jobs.failed
        ));
    }
    let has_ended = counted.completed_ms.is_some();
    if (batch.pending() == 0) != has_ended {
        found.problem(format!("{what} does not know whether it has ended"));
    }
    let stored = StoredDelivery {
        row,
        record: answer.get(7),
        outbox: answer.get::<_, Option<i64>>(8).zip(answer.get(9)),
    };
    delivery::check(found, &what, has_ended && batch.webhook_url.is_some(), &stored);
}
