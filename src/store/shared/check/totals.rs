//! The check of the tables that stay: what the slots add up to, which nodes hold rows, and which
//! hours the rows are of.

use std::collections::BTreeMap;

use super::found::CheckFindings;
use super::snapshot::CheckSnapshot;
use crate::store::StoreError;
use crate::store::accounts::{Credits, Usage};
use crate::store::shared::loading::credits_of;
use crate::store::shared::process::AccountNumber;
use crate::store::shared::things::ThingKind;

/// The most rows of one kind of problem that are read.
const STRAYS_MAX: i64 = 1_000;
const DEPTHS: &str = "
    SELECT coalesce(d.scraper, q.scraper), coalesce(d.n, 0), coalesce(q.n, 0)
    FROM (SELECT scraper, sum(n)::int8 AS n FROM depth GROUP BY scraper) d
    FULL JOIN (SELECT scraper, count(*) AS n FROM queue GROUP BY scraper) q
    ON q.scraper = d.scraper WHERE coalesce(d.n, 0) <> coalesce(q.n, 0) ORDER BY 1";
const CREDITS: &str = "
    SELECT account, month, sum(reserved)::int8, sum(used)::int8 FROM credits GROUP BY 1, 2";
const USAGE: &str = "
    SELECT account, day, scraper, sum(jobs)::int8, sum(done)::int8, sum(failed)::int8,
           sum(cached)::int8, sum(credits)::int8 FROM usage GROUP BY 1, 2, 3";
const ACCOUNTS: &str = "SELECT number, name FROM accounts";

/// Rows that name what is not there, and what is said of each.
const STRAYS: [(&str, &str); 5] = [
    (
        "SELECT row FROM queue q WHERE node IS NOT NULL \
         AND NOT EXISTS (SELECT FROM nodes n WHERE n.node = q.node)",
        "row {row} of the queue is held by a node that is none",
    ),
    (
        "SELECT row FROM outbox o WHERE node IS NOT NULL \
         AND NOT EXISTS (SELECT FROM nodes n WHERE n.node = o.node)",
        "row {row} of the outbox is held by a node that is none",
    ),
    (
        "SELECT row FROM queue q \
         WHERE NOT EXISTS (SELECT FROM hours h WHERE h.hour = q.row >> 30)",
        "the queue names row {row}, whose hour has no tables",
    ),
    (
        "SELECT row FROM outbox o \
         WHERE NOT EXISTS (SELECT FROM hours h WHERE h.hour = o.row >> 30) AND NOT EXISTS \
         (SELECT FROM things t WHERE t.kind = {notices} AND t.key = int8send(o.row))",
        "the outbox names row {row}, whose hour has no tables",
    ),
    (
        "SELECT row FROM batch_ends p WHERE expires_ms > {now_ms} \
         AND NOT EXISTS (SELECT FROM hours h WHERE h.hour = p.row >> 30)",
        "batch counts name row {row}, whose hour has no tables",
    ),
];

/// Checks the tables that stay, once the jobs of all hours have been added up.
///
/// # Errors
/// Returns an error if the database fails.
pub(super) async fn check(
    snapshot: &CheckSnapshot,
    found: &mut CheckFindings,
) -> Result<(), StoreError> {
    let session = snapshot.tables();
    let notices = (ThingKind::NoticeDelivery as i16).to_string();
    for (text, sentence) in STRAYS {
        let text = text.replace("{notices}", &notices);
        let text = text.replace("{now_ms}", &found.now_ms.to_string());
        for stray in session.query(&format!("{text} LIMIT {STRAYS_MAX}"), &[]).await? {
            let row: i64 = stray.get(0);
            found.problem(sentence.replace("{row}", &row.to_string()));
        }
    }
    for row in session.query(DEPTHS, &[]).await? {
        let (scraper, counted, queued): (i16, i64, i64) = (row.get(0), row.get(1), row.get(2));
        let name = found.scrapers.get(&(scraper as u16)).cloned();
        let name = name.unwrap_or_else(|| format!("scraper {scraper}"));
        found.problem(format!("{name} counts {counted} unfinished jobs, the queue has {queued}"));
    }
    let names = session.query(ACCOUNTS, &[]).await?;
    let names = names.iter().map(|row| (row.get(0), row.get(1)));
    let names: BTreeMap<AccountNumber, String> = names.collect();
    let name = |number| names.get(&number).cloned().unwrap_or_else(|| format!("account {number}"));
    credits(snapshot, found, name).await?;
    usage(snapshot, found, name).await
}

/// Checks that reservations match exactly. Use may exceed what the jobs say, since they expire
/// before their month ends.
async fn credits(
    snapshot: &CheckSnapshot,
    found: &mut CheckFindings,
    name: impl Fn(AccountNumber) -> String,
) -> Result<(), StoreError> {
    let mut stored: BTreeMap<(AccountNumber, u32), Credits> = BTreeMap::new();
    for row in snapshot.tables().query(CREDITS, &[]).await? {
        let (reserved, used): (i64, i64) = (row.get(2), row.get(3));
        let (account, month) = (row.get(0), row.get::<_, i32>(1) as u32);
        if reserved < 0 || used < 0 {
            let sums = format!("{reserved} credits reserved and {used} used in {month}");
            found.problem(format!("{} has {sums}", name(account)));
        }
        stored.insert((account, month), credits_of(reserved, used));
    }
    found.report.accounts = stored.len() as u64;
    // Some jobs that hold reservations were not counted.
    let skipped = is_queue_skipped(snapshot, found).await?;
    let wanted = std::mem::take(&mut found.credits);
    for key in stored.keys().chain(wanted.keys().filter(|key| !stored.contains_key(*key))) {
        let have = stored.get(key).copied().unwrap_or_default();
        let want = wanted.get(key).copied().unwrap_or_default();
        let (account, month) = (name(key.0), key.1);
        let differs =
            if skipped { have.reserved < want.reserved } else { have.reserved != want.reserved };
        if differs {
            found.problem(format!(
                "{account} has {} credits reserved in {month}, its unfinished jobs {}",
                have.reserved, want.reserved
            ));
        }
        if have.used < want.used {
            found.problem(format!(
                "{account} has used {} credits in {month}, its finished jobs {}",
                have.used, want.used
            ));
        }
    }
    Ok(())
}

async fn is_queue_skipped(
    snapshot: &CheckSnapshot,
    found: &CheckFindings,
) -> Result<bool, StoreError> {
    let queued = "SELECT DISTINCT (row >> 30)::int4 FROM queue";
    if found.skipped.is_empty() {
        return Ok(false);
    }
    let hours = snapshot.tables().query(queued, &[]).await?;
    let skipped = found.skipped.iter().map(|hour| hour.number());
    let skipped: Vec<i32> = skipped.collect();
    Ok(hours.iter().any(|row| skipped.contains(&row.get::<_, i32>(0))))
}

/// Checks the use by day. It may exceed what the jobs say, since they expire.
async fn usage(
    snapshot: &CheckSnapshot,
    found: &mut CheckFindings,
    name: impl Fn(AccountNumber) -> String,
) -> Result<(), StoreError> {
    let mut stored: BTreeMap<(AccountNumber, u32, u16), Usage> = BTreeMap::new();
    for row in snapshot.tables().query(USAGE, &[]).await? {
        let key = (row.get(0), row.get::<_, i32>(1) as u32, row.get::<_, i16>(2) as u16);
        let count = |column: usize| u64::try_from(row.get::<_, i64>(column)).unwrap_or(0);
        let usage = Usage {
            jobs: count(3),
            done: count(4),
            failed: count(5),
            cached: count(6),
            credits: count(7),
        };
        stored.insert(key, usage);
    }
    for ((account, day, scraper), want) in std::mem::take(&mut found.usage) {
        let have = stored.get(&(account, day, scraper)).copied().unwrap_or_default();
        if !have.covers(want) {
            let account = name(account);
            found.problem(format!(
                "{account} has used {have:?} of scraper {scraper} on {day}, its jobs {want:?}"
            ));
        }
    }
    Ok(())
}
