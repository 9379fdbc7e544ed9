//! What is kept beside the jobs as things: attempts that have ended, what they have cost, raw
//! replies, and the tasks that vendors work on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio_postgres::Row as PgRow;
use uuid::Uuid;

use super::alert_marks;
use super::ended_jobs::JobRecords;
use super::handle::SharedStore;
use super::hours::{self, HourTable};
use super::needs::Needs;
use super::nodes::SLOT_OF_ALL;
use super::round::Value;
use super::row_number::RowParts;
use super::things::{KeyBytes, KeyReader, ThingKey, ThingKind};
use super::transaction::Transaction;
use crate::alert::spend_watch;
use crate::clock::{self, UnixMs};
use crate::job::{AttemptEnd, Job, Spend, TransitionError, UpstreamUsage, VendorTask};
use crate::store::alert_marks as marks;
use crate::store::change::{self, AttemptKept};
use crate::store::{
    Blocking, NewAttemptEnd, Pending, Row, SealedResult, SpendRow, StoreError, record,
};

/// What a sum of spend is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SpendOf {
    /// As a number: `20260511`.
    day: u32,
    account: String,
    upstream: String,
    label: String,
}

impl SpendOf {
    /// Returns the key of the sum that the writer of a slot adds to.
    fn in_slot(&self, slot: i32) -> ThingKey {
        self.upstream_key().text(&self.label).slot(slot).of(ThingKind::Spend)
    }

    fn upstream_key(&self) -> KeyBytes {
        KeyBytes::default().u32(self.day).text(&self.account).text(&self.upstream)
    }

    /// Reads the key of a sum, without the slot; `None` for what is none.
    fn read(key: &[u8]) -> Option<SpendOf> {
        let mut key = KeyReader(key);
        let day = key.u32()?;
        let (account, upstream, label) = (key.text()?, key.text()?, key.text()?);
        Some(SpendOf { day, account, upstream, label })
    }
}

/// Returns the key of a sum of spend in a slot.
pub(super) fn spend_key(
    day: u32,
    account: &str,
    upstream: &str,
    label: &str,
    slot: i32,
) -> ThingKey {
    let (account, upstream) = (account.to_owned(), upstream.to_owned());
    SpendOf { day, account, upstream, label: label.to_owned() }.in_slot(slot)
}

/// Returns the day of a sum of spend by its key; `None` for what is none.
pub(super) fn day_of_spend(key: &[u8]) -> Option<u32> {
    SpendOf::read(key).map(|of| of.day)
}

/// Adds the needs of [`keep_outcome`].
pub(super) fn need_attempt(needs: &mut Needs, row: Row, ended: &NewAttemptEnd) {
    needs.things.insert(ThingKey::of_row(ThingKind::Attempts, row));
    if ended.end.used().next().is_some() {
        needs.ranges.insert(alert_marks::watch_range(&spend_watch(&ended.account)));
    }
    for key in spend_keys(ended).map(|(_, key)| key) {
        needs.slots.insert(key.in_slot(SLOT_OF_ALL));
    }
}

/// Returns the calls of an attempt that have used something, by their place, and the keys of their
/// sums.
fn spend_keys(ended: &NewAttemptEnd) -> impl Iterator<Item = (usize, SpendOf)> {
    ended.end.used().enumerate().map(|(place, call)| {
        let key = SpendOf {
            day: clock::calendar_day(call.ended_ms),
            account: ended.account.clone(),
            upstream: call.upstream.clone(),
            label: ended.label.clone().unwrap_or_default(),
        };
        (place, key)
    })
}

/// Keeps what is kept of an attempt by the outcome of the transition that ends it.
pub(super) fn keep_outcome(
    transaction: &mut Transaction<'_>,
    row: Row,
    outcome: &Result<Job, TransitionError>,
    ended: &NewAttemptEnd,
) -> Result<(), StoreError> {
    match change::kept_attempt(outcome, &ended.end) {
        AttemptKept::WithJob => keep_attempt(transaction, row, ended),
        AttemptKept::SpendAlone => add_spend(transaction, ended),
        AttemptKept::Nothing => Ok(()),
    }
}

/// Adds an attempt to those of its job, if that is there to keep it, and its calls to what was
/// spent.
fn keep_attempt(
    transaction: &mut Transaction<'_>,
    row: Row,
    ended: &NewAttemptEnd,
) -> Result<(), StoreError> {
    if transaction.job(row)?.is_none() {
        return add_spend(transaction, ended);
    }
    let key = ThingKey::of_row(ThingKind::Attempts, row);
    // Those that cannot be read are no reason to keep a job from going on.
    let kept = transaction.thing(&key).map(|bytes| record::decode_attempts(row, bytes));
    let mut attempts = kept.and_then(Result::ok).unwrap_or_default();
    if !change::keep_attempt(&mut attempts, ended.end.clone()) {
        return Ok(());
    }
    let bytes = record::encode_attempts(row, &attempts)?;
    add_spend(transaction, ended)?;
    transaction.put_thing(&key, Some(bytes));
    Ok(())
}

/// Adds the calls of an attempt to what was spent.
fn add_spend(transaction: &mut Transaction<'_>, ended: &NewAttemptEnd) -> Result<(), StoreError> {
    let calls: Vec<_> = ended.end.used().map(|call| call.usage.clone()).collect();
    for (place, wanted) in spend_keys(ended) {
        let key = counted(transaction, wanted)?;
        let of_slot = key.in_slot(transaction.slot);
        let known = transaction.things.locked(&of_slot);
        let known = known.map(|bytes| record::decode_spend(key.day, bytes)).transpose()?;
        let mut spend = known.unwrap_or_default();
        spend.count(&calls[place]);
        transaction.put_thing(&of_slot, Some(record::encode_spend(key.day, spend)?));
    }
    if let Some(last) = ended.end.used().last() {
        let marks = &mut transaction.marks(false);
        let Ok(()) = marks::note_spend(marks, &ended.account, last.ended_ms);
    }
    Ok(())
}

/// Returns the sum in which a call is counted: that of its own label, until too many labels have
/// sums.
fn counted(transaction: &mut Transaction<'_>, wanted: SpendOf) -> Result<SpendOf, StoreError> {
    let (own, things) = (wanted.in_slot(transaction.slot), &mut transaction.things);
    if wanted.label.is_empty() || things.locked(&own).is_some() || !things.is_read(&own) {
        return Ok(wanted);
    }
    // The first of a label by this writer.
    let of_upstream = wanted.upstream_key().all_of(ThingKind::Spend).keys();
    let known = things.range(&of_upstream);
    let labels = known.iter().filter_map(|(key, _)| SpendOf::read(key));
    let labels: BTreeSet<String> =
        labels.map(|of| of.label).filter(|label| !label.is_empty()).collect();
    let is_known = |label: &str| Ok(labels.contains(label));
    let label = change::counted_label(&wanted.label, is_known, || Ok(labels.len()))?.to_owned();
    Ok(SpendOf { label, ..wanted })
}

impl SharedStore {
    /// Writes the end of an attempt whose job did not wait for it.
    pub(crate) fn note_attempt(&self, row: Row, ended: NewAttemptEnd) -> Pending<()> {
        let mut needs = Needs::default();
        needs.read.insert(row);
        need_attempt(&mut needs, row, &ended);
        self.queue_blocking(row, needs, move |transaction| keep_attempt(transaction, row, &ended))
    }

    /// Reads a job with the JSON of its result and its attempts that are kept: see
    /// [`crate::store::Store::read_attempts`].
    ///
    /// # Errors
    /// Returns an error if the database fails or what is read is damaged.
    pub(crate) async fn read_attempts<T>(
        &self,
        id: Uuid,
        now_ms: UnixMs,
        read_job: impl FnOnce(&Job, Option<&[u8]>, Vec<AttemptEnd>) -> T,
    ) -> Result<Option<T>, StoreError> {
        let Some(plain) = self.process.cipher.open(id) else { return Ok(None) };
        let suffix = hours::suffix(RowParts::of(plain.row).hour);
        // One statement has one snapshot: the attempts are those of the job as it is.
        let text = format!(
            "SELECT j.row, j.asked, coalesce(e.standing, q.standing), e.result, t.value \
             FROM jobs_{suffix} j LEFT JOIN ends_{suffix} e ON e.row = j.row \
             LEFT JOIN queue q ON q.row = j.row \
             LEFT JOIN things t ON t.kind = $2 AND t.key = $3 WHERE j.row = $1"
        );
        let key = ThingKey::of_row(ThingKind::Attempts, plain.row);
        let values: Vec<Value> =
            vec![Arc::new(plain.row as i64), Arc::new(key.kind as i16), Arc::new(key.key)];
        let found = self.ask_text(&text, values).committed().await?.into_iter().next();
        let found = found.map(Arc::new);
        let attempts = || {
            let kept: Option<&[u8]> = found.as_ref().and_then(|found| found.get(4));
            let kept = kept.filter(|bytes| !bytes.is_empty());
            kept.map_or(Ok(Vec::new()), |bytes| record::decode_attempts(plain.row, bytes))
        };
        let read = self.take_job(&found, now_ms, |job, result| {
            let own = plain.has_nonce(job.nonce);
            own.then(|| attempts().map(|attempts| read_job(job, result, attempts)))
        })?;
        read.flatten().transpose()
    }

    /// Reads a job with its result, sealed as it is stored, and what its attempts have used: see
    /// [`crate::store::Store::read_job_with_usage`].
    ///
    /// # Errors
    /// Returns an error if the database fails or what is read is damaged.
    pub(crate) async fn read_job_with_usage<T>(
        &self,
        id: Uuid,
        now_ms: UnixMs,
        read_job: impl FnOnce(&Job, Option<SealedResult<'_>>, Option<&UpstreamUsage>) -> T,
    ) -> Result<Option<T>, StoreError> {
        let Some(plain) = self.process.cipher.open(id) else { return Ok(None) };
        let Some(known) = self.known_job(plain.row).await? else { return Ok(None) };
        let usage = match known.usage.get() {
            Some(usage) => usage.clone(),
            None => {
                let usage = self.read_usage(&known.records, now_ms).await?;
                // Another read may have been first, with the same.
                let _ = known.usage.set(usage.clone());
                usage
            }
        };
        let read = self.take_records(&known.records, now_ms, |job, result| {
            plain.has_nonce(job.nonce).then(|| read_job(job, result, usage.as_ref()))
        })?;
        Ok(read.flatten())
    }

    async fn read_usage(
        &self,
        records: &JobRecords,
        now_ms: UnixMs,
    ) -> Result<Option<UpstreamUsage>, StoreError> {
        let row = records.row();
        let may_have_usage =
            self.take_records(records, now_ms, |job, _| change::may_have_usage(job))?;
        let kept = match may_have_usage {
            Some(true) => self.read_thing(&ThingKey::of_row(ThingKind::Attempts, row)).await?,
            Some(false) | None => None,
        };
        // What cannot be read is for `db check` to report.
        let kept = kept.and_then(|bytes| record::decode_attempts(row, &bytes).ok());
        Ok(kept.iter().flatten().filter_map(AttemptEnd::usage).reduce(UpstreamUsage::and))
    }

    /// Reads the raw replies of a job as JSON; `None` if none are kept of it. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails or the record is damaged.
    pub(crate) fn raw(&self, row: Row) -> Result<Option<Vec<u8>>, StoreError> {
        let kept = self.read_thing(&ThingKey::of_row(ThingKind::Raw, row)).wait()?;
        kept.map(|bytes| record::decode_raw(row, &bytes)).transpose()
    }

    /// Returns the rows of all jobs of which raw replies are kept, lowest first. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn raw_rows(&self) -> Result<Vec<Row>, StoreError> {
        let text = "SELECT key FROM things WHERE kind = $1 AND value <> '' ORDER BY key";
        let found = self.ask_text(text, vec![Arc::new(ThingKind::Raw as i16)]).wait()?;
        let row = |found: &PgRow| found.get::<_, &[u8]>(0).try_into().ok().map(Row::from_be_bytes);
        Ok(found.iter().filter_map(row).collect())
    }

    /// Writes another result in the place of a job's. Blocks until it is committed.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn replace_result(&self, row: Row, json: Vec<u8>) -> Result<(), StoreError> {
        let ends = HourTable::Ends.in_hour(RowParts::of(row).hour);
        let text = format!("UPDATE {ends} SET result = $2 WHERE row = $1 AND result IS NOT NULL");
        let values: Vec<Value> =
            vec![Arc::new(row as i64), Arc::new(record::encode_result(row, &json))];
        self.ask_text(&text, values).wait()?;
        self.process.forget_ended(&[row]);
        Ok(())
    }

    /// Keeps the task that a vendor works on for a job: see
    /// [`crate::store::Store::set_vendor_task`]. Blocks until it is committed.
    ///
    /// # Errors
    /// Returns an error if the database fails; what was kept stays.
    pub(crate) fn set_vendor_task(
        &self,
        row: Row,
        lease: u32,
        task: Option<VendorTask>,
    ) -> Result<bool, StoreError> {
        let key = ThingKey::of_row(ThingKind::VendorTask, row);
        let mut needs = Needs::of_job(row);
        needs.things.insert(key.clone());
        let written = self.queue_blocking(row, needs, move |transaction| {
            let is_held = transaction.job(row)?.is_some_and(|it| change::is_held(&it.job, lease));
            if is_held {
                let bytes = task.as_ref().map(|task| record::encode_vendor_task(row, task));
                transaction.put_thing(&key, bytes.transpose()?);
            }
            Ok(is_held)
        });
        written.wait()
    }

    /// Reads the task that a vendor works on for a job. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails or the record is damaged.
    pub(crate) fn vendor_task(&self, row: Row) -> Result<Option<VendorTask>, StoreError> {
        let kept = self.read_thing(&ThingKey::of_row(ThingKind::VendorTask, row)).wait()?;
        kept.map(|bytes| record::decode_vendor_task(row, &bytes)).transpose()
    }

    /// Returns what was spent on the days (UTC) from that of `from_ms` to that of `to_ms`, both
    /// included, oldest first; of one account, or of all.
    ///
    /// # Errors
    /// Returns an error if the database fails or a record is damaged.
    pub(crate) async fn spend(
        &self,
        account: Option<&str>,
        from_ms: UnixMs,
        to_ms: UnixMs,
    ) -> Result<Vec<SpendRow>, StoreError> {
        let text = "SELECT key, value FROM things WHERE kind = $1 AND key >= $2 AND key < $3";
        let first = clock::calendar_day(from_ms.min(to_ms));
        let last = clock::calendar_day(to_ms);
        let values: Vec<Value> = vec![
            Arc::new(ThingKind::Spend as i16),
            Arc::new(first.to_be_bytes().to_vec()),
            Arc::new((last + 1).to_be_bytes().to_vec()),
        ];
        let mut sums: BTreeMap<SpendOf, Spend> = BTreeMap::new();
        for found in self.ask_text(text, values).committed().await? {
            const UNREADABLE: StoreError = StoreError::Damaged("a sum of spend has no key");
            let key = SpendOf::read(found.get(0)).ok_or(UNREADABLE)?;
            if account.is_none_or(|account| account == key.account) {
                let of_slot = record::decode_spend(key.day, found.get(1))?;
                let spend = sums.entry(key).or_default();
                *spend = spend.and(of_slot);
            }
        }
        let row = |(key, spend)| {
            let SpendOf { day, account, upstream, label } = key;
            SpendRow { day, account, upstream, label, spend }
        };
        Ok(sums.into_iter().map(row).collect())
    }
}
