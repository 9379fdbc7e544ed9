//! Alerts and their notices: things by their rows, with what is due. The steps are in
//! `store/alerts.rs`; a change of state, its notice and the delivery of that are one transaction.

use std::sync::Arc;

use uuid::Uuid;

use super::alert_marks;
use super::handle::SharedStore;
use super::needs::Needs;
use super::round::Value;
use super::things::{KeyBytes, KeyReader, ThingKey, ThingKind, ThingRange};
use super::transaction::Transaction;
use crate::alert::{Alert, Notice};
use crate::clock::UnixMs;
use crate::store::alerts::{self, AlertTables, DUE_AHEAD_MS_MAX, WatchMark};
use crate::store::outbox::NewDelivery;
use crate::store::{
    AlertError, Blocking, DueAlert, EvaluationWritten, NewEvaluation, Pending, Row, SentNotice,
    StoreError, record,
};

/// The alerts that the index has before a key or from another one on, each with its mark.
const DUE: &str = "
    SELECT a.key, a.value, w.value FROM things d
    JOIN things a ON a.kind = $2 AND a.key = substr(d.key, 9) AND a.value <> ''
    LEFT JOIN things w ON w.kind = $3 AND w.key = d.value
    WHERE d.kind = $1 AND (d.key < $4 OR d.key >= $5) AND d.value <> '' ORDER BY d.key LIMIT $6";
/// The first and the last key of the index.
const FIRST_AND_LAST_DUE: &str = "
    SELECT (SELECT key FROM things WHERE kind = $1 AND value <> '' ORDER BY key LIMIT 1),
           (SELECT key FROM things WHERE kind = $1 AND value <> '' ORDER BY key DESC LIMIT 1)";
/// Notices by their rows, each with its delivery.
const NOTICES: &str = "
    SELECT n.key, n.value, d.value FROM unnest($3::bytea[]) WITH ORDINALITY u(key, place)
    JOIN things n ON n.kind = $1 AND n.key = u.key AND n.value <> ''
    LEFT JOIN things d ON d.kind = $2 AND d.key = u.key AND d.value <> '' ORDER BY u.place";

impl SharedStore {
    /// Writes a new alert, to be evaluated at `due_ms`.
    pub(crate) fn insert_alert(
        &self,
        alert: Alert,
        due_ms: Option<UnixMs>,
    ) -> Pending<Result<Alert, AlertError>> {
        self.queue(alert.row, Needs::default(), move |transaction| {
            alerts::insert(&mut AlertThings(transaction), alert.clone(), due_ms)
        })
    }

    /// Puts an alert in the place of the one that it was made of; evaluated at `due_ms`.
    pub(crate) fn replace_alert(
        &self,
        before: Alert,
        after: Alert,
        due_ms: Option<UnixMs>,
    ) -> Pending<Result<Alert, AlertError>> {
        self.queue(before.row, needs_of(&before), move |transaction| {
            alerts::replace(&mut AlertThings(transaction), &before, after.clone(), due_ms)
        })
    }

    /// Removes an alert with its notices, sent or not.
    pub(crate) fn remove_alert(&self, alert: Alert) -> Pending<Result<Alert, AlertError>> {
        self.queue(alert.row, needs_of(&alert), move |transaction| {
            alerts::remove(&mut AlertThings(transaction), &alert)
        })
    }

    /// Writes an evaluation with its notice.
    pub(crate) fn write_evaluation(&self, evaluation: NewEvaluation) -> Pending<EvaluationWritten> {
        let alert = &evaluation.due.alert;
        self.queue(alert.row, needs_of(alert), move |transaction| {
            alerts::write_evaluation(&mut AlertThings(transaction), evaluation.clone())
        })
    }

    /// Writes a notice that somebody has asked for, whatever the state of the alert.
    pub(crate) fn add_notice(
        &self,
        alert: Alert,
        notice: Notice,
    ) -> Pending<Result<Notice, AlertError>> {
        self.queue(alert.row, needs_of(&alert), move |transaction| {
            alerts::add_notice(&mut AlertThings(transaction), &alert, notice.clone())
        })
    }

    /// Reads an alert of an account.
    ///
    /// # Errors
    /// Returns an error if the database fails or the alert is damaged.
    pub(crate) async fn alert(&self, id: Uuid, account: &str) -> Result<Option<Alert>, StoreError> {
        let Some(plain) = self.parts_of(id) else { return Ok(None) };
        let bytes = self.read_thing(&ThingKey::of_row(ThingKind::Alert, plain.row)).await?;
        let alert = bytes.map(|bytes| record::decode_alert(plain.row, &bytes)).transpose()?;
        let is_own = |alert: &Alert| plain.has_nonce(alert.nonce) && alert.account == account;
        Ok(alert.filter(is_own))
    }

    /// Reads the alerts of an account, or of all, oldest first: see
    /// [`crate::store::Store::alerts`].
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) async fn alerts(&self, account: Option<&str>) -> Result<Vec<Alert>, StoreError> {
        let all = self.read_range(ThingRange::of_kind(ThingKind::Alert)).await?;
        let alerts = all.iter().filter_map(|(key, bytes)| readable(key, bytes));
        Ok(alerts.filter(|alert| account.is_none_or(|of| alert.account == of)).collect())
    }

    /// Reads the notices of an alert that are kept, newest first, each with its delivery.
    ///
    /// # Errors
    /// Returns an error if the database fails or a notice is damaged.
    pub(crate) async fn notices(&self, alert: &Alert) -> Result<Vec<SentNotice>, StoreError> {
        let rows = alert.progress.notices.iter().rev();
        let keys: Vec<Vec<u8>> = rows.map(|row| row.to_be_bytes().to_vec()).collect();
        let values: Vec<Value> = vec![
            Arc::new(ThingKind::Notice as i16),
            Arc::new(ThingKind::NoticeDelivery as i16),
            Arc::new(keys),
        ];
        let mut notices = Vec::new();
        // An older state of the alert may name one that has gone.
        for found in self.ask_text(NOTICES, values).committed().await? {
            let row = row_of(found.get(0))?;
            let notice = record::decode_notice(row, found.get(1))?;
            let delivery: Option<&[u8]> = found.get(2);
            let delivery = delivery.map(|bytes| record::decode_delivery(row, bytes)).transpose()?;
            notices.push(SentNotice { id: self.notice_id(&notice), notice, delivery });
        }
        Ok(notices)
    }

    /// Returns when the next alert is due. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn next_alert_ms(&self, now_ms: UnixMs) -> Result<Option<UnixMs>, StoreError> {
        let kind: Vec<Value> = vec![Arc::new(ThingKind::AlertDue as i16)];
        let found = self.ask_text(FIRST_AND_LAST_DUE, kind).wait()?;
        let due_ms = |column: usize| {
            let key: Option<&[u8]> = found.first()?.get(column);
            KeyReader(key?).u64()
        };
        let ahead_ms = now_ms.saturating_add(DUE_AHEAD_MS_MAX);
        let is_ahead = due_ms(1).is_some_and(|due_ms| due_ms > ahead_ms);
        Ok(if is_ahead { Some(now_ms) } else { due_ms(0) })
    }

    /// Reads at most `alerts_max` alerts that are due at `now_ms`, the earliest first. One that is
    /// damaged is passed over. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub(crate) fn due_alerts(
        &self,
        now_ms: UnixMs,
        alerts_max: usize,
    ) -> Result<Vec<DueAlert>, StoreError> {
        let after = |at_ms: UnixMs| at_ms.saturating_add(1).to_be_bytes().to_vec();
        let values: Vec<Value> = vec![
            Arc::new(ThingKind::AlertDue as i16),
            Arc::new(ThingKind::Alert as i16),
            Arc::new(ThingKind::AlertWatch as i16),
            Arc::new(after(now_ms)),
            Arc::new(after(now_ms.saturating_add(DUE_AHEAD_MS_MAX))),
            Arc::new(i64::try_from(alerts_max).unwrap_or(i64::MAX)),
        ];
        let due = self.ask_text(DUE, values).wait()?;
        let due = due.iter().filter_map(|found| {
            let alert = readable(found.get(0), found.get(1))?;
            let mark = found.get::<_, Option<&[u8]>>(2).and_then(alert_marks::decode);
            Some(DueAlert { alert, marks: mark.map_or(0, |mark| mark.marks) })
        });
        Ok(due.collect())
    }

    /// Reads the notice of a row. Blocks.
    ///
    /// # Errors
    /// Returns an error if the database fails or the notice is damaged.
    pub(super) fn notice(&self, row: Row) -> Result<Option<Notice>, StoreError> {
        let bytes = self.read_thing(&ThingKey::of_row(ThingKind::Notice, row)).wait()?;
        bytes.map(|bytes| record::decode_notice(row, &bytes)).transpose()
    }
}

fn needs_of(alert: &Alert) -> Needs {
    let mut needs = Needs::default();
    needs.things.insert(ThingKey::of_row(ThingKind::Alert, alert.row));
    needs
}

fn row_of(key: &[u8]) -> Result<Row, StoreError> {
    KeyReader(key).u64().ok_or(StoreError::Damaged("a notice has no row"))
}

/// Returns an alert, or nothing where it cannot be read.
fn readable(key: &[u8], bytes: &[u8]) -> Option<Alert> {
    let row = KeyReader(key).u64()?;
    let decoded = record::decode_alert(row, bytes);
    decoded.map_err(|error| tracing::error!(row, %error, "an alert could not be read")).ok()
}

/// The alerts of a transaction.
struct AlertThings<'a, 'p>(&'a mut Transaction<'p>);

impl AlertTables for AlertThings<'_, '_> {
    fn alert(&mut self, row: Row) -> Result<Option<Alert>, StoreError> {
        let bytes = self.0.things.locked(&ThingKey::of_row(ThingKind::Alert, row));
        bytes.map(|bytes| record::decode_alert(row, bytes)).transpose()
    }

    fn of_account(&mut self, account: &str) -> Result<Vec<Alert>, StoreError> {
        let lock = KeyBytes::default().text("alerts").text(account).of(ThingKind::AccountLock);
        self.0.things.locked(&lock);
        let all = self.0.things.range(&ThingRange::of_kind(ThingKind::Alert));
        let alerts = all.iter().filter_map(|(key, bytes)| readable(key, bytes));
        Ok(alerts.filter(|alert| alert.account == account).collect())
    }

    fn put(&mut self, alert: &Alert) -> Result<(), StoreError> {
        let bytes = record::encode_alert(alert)?;
        self.0.things.put(&ThingKey::of_row(ThingKind::Alert, alert.row), Some(bytes));
        Ok(())
    }

    fn remove(&mut self, row: Row) -> Result<(), StoreError> {
        self.0.things.put(&ThingKey::of_row(ThingKind::Alert, row), None);
        Ok(())
    }

    fn put_notice(&mut self, notice: &Notice) -> Result<(), StoreError> {
        let bytes = record::encode_notice(notice)?;
        self.0.things.put(&ThingKey::of_row(ThingKind::Notice, notice.row), Some(bytes));
        self.0.file(Some(NewDelivery::of_notice(notice)));
        Ok(())
    }

    fn forget_notice(&mut self, row: Row) -> Result<(), StoreError> {
        self.0.forget_delivery(row);
        self.0.things.put(&ThingKey::of_row(ThingKind::Notice, row), None);
        Ok(())
    }

    fn mark(&mut self, watch: &str, row: Row) -> Result<Option<WatchMark>, StoreError> {
        Ok(self.0.marks(false).read(watch, row))
    }

    fn file(&mut self, watch: &str, row: Row, mark: WatchMark) -> Result<(), StoreError> {
        self.0.marks(false).file(watch, row, mark);
        Ok(())
    }

    fn forget_mark(&mut self, watch: &str, row: Row) -> Result<(), StoreError> {
        self.0.marks(false).forget(watch, row);
        Ok(())
    }
}
