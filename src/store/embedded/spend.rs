//! What upstreams' calls have cost: for each day (UTC, the day on which a call ended), account,
//! upstream and label, how many calls there were, what they used, and their cost. It is written
//! with the outcome of the attempt that made them.

use super::Embedded;
use super::tables::{self, SpendKey};
use super::transaction::Tables;
use crate::clock::{self, UnixMs};
use crate::job::AttemptEnd;
use crate::store::alert_marks;
use crate::store::change;
use crate::store::{DAYS_KEPT_MAX, LABELS_MAX, SpendRow, StoreError, record};

/// The most old rows that one write removes.
const FORGOTTEN_MAX: usize = 1_000;

/// Adds the calls of an attempt.
pub(super) fn add(
    tables: &mut Tables<'_>,
    account: &str,
    label: Option<&str>,
    end: &AttemptEnd,
) -> Result<(), StoreError> {
    for call in end.used() {
        let day = clock::calendar_day(call.ended_ms);
        let label = label.unwrap_or_default();
        let label = counted_label(tables, (day, account, &call.upstream, label))?;
        let key = (day, account, call.upstream.as_str(), label);
        let stored = match tables.spend.get(key)? {
            Some(bytes) => Some(record::decode_spend(day, bytes.value())?),
            None => None,
        };
        let is_new = stored.is_none();
        let mut spend = stored.unwrap_or_default();
        spend.count(&call.usage);
        tables.spend.insert(key, record::encode_spend(day, spend)?.as_slice())?;
        if is_new {
            forget_before(tables, clock::days_before(day, DAYS_KEPT_MAX))?;
        }
    }
    match end.used().last() {
        Some(last) => alert_marks::note_spend(tables, account, last.ended_ms),
        None => Ok(()),
    }
}

/// Returns the label under which a call of this key is counted.
fn counted_label<'a>(
    tables: &Tables<'_>,
    (day, account, upstream, label): SpendKey<'a>,
) -> Result<&'a str, StoreError> {
    let is_known = |label: &str| {
        let stored = tables.spend.get((day, account, upstream, label))?;
        Ok(stored.is_some())
    };
    change::counted_label(label, is_known, || {
        let mut labels = 0;
        let rows = tables.spend.range((day, account, upstream, "")..)?;
        for entry in rows.take(LABELS_MAX + 1) {
            let (key, _) = entry?;
            let (on, of, at, under) = key.value();
            if (on, of, at) != (day, account, upstream) {
                break;
            }
            labels += usize::from(!under.is_empty());
        }
        Ok(labels)
    })
}

/// Removes what lies before a day.
fn forget_before(tables: &mut Tables<'_>, day: u32) -> Result<(), StoreError> {
    let mut old = Vec::new();
    for entry in tables.spend.range(..(day, "", "", ""))?.take(FORGOTTEN_MAX) {
        let (key, _) = entry?;
        let (day, account, upstream, label) = key.value();
        old.push((day, account.to_owned(), upstream.to_owned(), label.to_owned()));
    }
    for (day, account, upstream, label) in &old {
        tables.spend.remove((*day, account.as_str(), upstream.as_str(), label.as_str()))?;
    }
    Ok(())
}

impl Embedded {
    pub(crate) async fn spend(
        &self,
        account: Option<&str>,
        from_ms: UnixMs,
        to_ms: UnixMs,
    ) -> Result<Vec<SpendRow>, StoreError> {
        let (first, last) = (clock::calendar_day(from_ms.min(to_ms)), clock::calendar_day(to_ms));
        self.read(|snapshot| {
            let table = snapshot.open_table(tables::SPEND)?;
            let mut rows = Vec::new();
            let mut from = (first, account.unwrap_or_default().to_owned());
            'days: loop {
                let (day, of) = (from.0, from.1.as_str());
                for entry in table.range((day, of, "", "")..)? {
                    let (key, bytes) = entry?;
                    let (day, of, upstream, label) = key.value();
                    if day > last {
                        break 'days;
                    }
                    if let Some(account) = account.filter(|account| *account != of) {
                        // Past the account: to its place on this day or on a later one.
                        let next = if of < account { day } else { day + 1 };
                        from = (next, account.to_owned());
                        continue 'days;
                    }
                    rows.push(SpendRow {
                        day,
                        account: of.to_owned(),
                        upstream: upstream.to_owned(),
                        label: label.to_owned(),
                        spend: record::decode_spend(day, bytes.value())?,
                    });
                }
                break;
            }
            Ok(rows)
        })
    }
}
