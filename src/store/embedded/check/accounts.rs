//! The check of what accounts have reserved and used.

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadTransaction, ReadableTable};

use super::report::Expected;
use crate::store::accounts::{Credits, DAY_MIN, DayRecord};
use crate::store::embedded::tables;
use crate::store::{CheckReport, StoreError, record};

/// Reservations must match exactly. Use may exceed what the jobs say, since they expire before
/// their month ends.
pub(super) fn credits(
    transaction: &ReadTransaction,
    expected: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let mut stored: BTreeMap<(String, u32), Credits> = BTreeMap::new();
    for entry in transaction.open_table(tables::CREDITS)?.iter()? {
        let (key, bytes) = entry?;
        let (account, month) = key.value();
        if month >= DAY_MIN {
            continue;
        }
        match record::decode_credits(month, bytes.value()) {
            Ok(credits) => drop(stored.insert((account.to_owned(), month), credits)),
            Err(error) => {
                report
                    .problem(format!("the credits of {account} cannot be read: {}", error.kind()));
            }
        }
    }
    report.accounts = stored.len() as u64;
    let keys = stored.keys().chain(expected.credits.keys()).cloned();
    for key in keys.collect::<BTreeSet<_>>() {
        let have = stored.get(&key).copied().unwrap_or_default();
        let want = expected.credits.get(&key).copied().unwrap_or_default();
        let (account, month) = key;
        if have.reserved != want.reserved {
            report.problem(format!(
                "{account} has {} credits reserved in {month}, its unfinished jobs {}",
                have.reserved, want.reserved
            ));
        }
        if have.used < want.used {
            report.problem(format!(
                "{account} has used {} credits in {month}, its finished jobs {}",
                have.used, want.used
            ));
        }
    }
    Ok(())
}

/// Checks the usage by day. It may exceed what the jobs say, since they expire.
pub(super) fn usage(
    transaction: &ReadTransaction,
    expected: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let credits = transaction.open_table(tables::CREDITS)?;
    for ((account, day), want) in &expected.usage {
        let mut have = match credits.get((account.as_str(), *day))? {
            Some(bytes) => match record::decode_day(*day, bytes.value()) {
                Ok(have) => have,
                Err(error) => {
                    let kind = error.kind();
                    report.problem(format!("{account}'s use on {day} cannot be read: {kind}"));
                    continue;
                }
            },
            None => DayRecord::default(),
        };
        for (scraper, want) in &want.0 {
            let have = *have.of(*scraper);
            if !have.covers(*want) {
                report.problem(format!(
                    "{account} has used {have:?} of scraper {scraper} on {day}, its jobs {want:?}"
                ));
            }
        }
    }
    Ok(())
}

/// Checks what was spent. It may exceed what the attempts of jobs say, since they expire.
pub(super) fn spend(
    transaction: &ReadTransaction,
    _: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let Some(spend) = tables::later(transaction, tables::SPEND)? else { return Ok(()) };
    for entry in spend.iter()? {
        let (key, bytes) = entry?;
        let (day, account, upstream, _) = key.value();
        if let Err(error) = record::decode_spend(day, bytes.value()) {
            let kind = error.kind();
            report.problem(format!(
                "what {account} has spent at {upstream} on {day} cannot be read: {kind}"
            ));
        }
    }
    Ok(())
}
