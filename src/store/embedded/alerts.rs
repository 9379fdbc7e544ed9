//! Alerts and their notices: records, what is due, and the write of an evaluation. A change of
//! state, its notice and the delivery of that are one transaction, so that no crash can repeat it
//! or lose it.

use redb::ReadableTable;
use uuid::Uuid;

use super::Embedded;
use super::snapshot::Snapshot;
use super::transaction::Tables;
use super::{alert_marks, notices, outbox, tables};
use crate::alert::{Alert, Notice};
use crate::clock::UnixMs;
use crate::store::alerts::{self, AlertTables, DUE_AHEAD_MS_MAX, WatchMark};
use crate::store::outbox::NewDelivery;
use crate::store::{
    AlertError, DueAlert, EvaluationWritten, NewEvaluation, Pending, Row, SentNotice, StoreError,
    record,
};

impl Embedded {
    pub(crate) fn insert_alert(
        &self,
        alert: Alert,
        due_ms: Option<UnixMs>,
    ) -> Pending<Result<Alert, AlertError>> {
        self.queue(|queue| queue.submit(move |tables| alerts::insert(tables, alert, due_ms)))
    }

    pub(crate) fn replace_alert(
        &self,
        before: Alert,
        after: Alert,
        due_ms: Option<UnixMs>,
    ) -> Pending<Result<Alert, AlertError>> {
        self.queue(|queue| {
            queue.submit(move |tables| alerts::replace(tables, &before, after, due_ms))
        })
    }

    pub(crate) fn remove_alert(&self, alert: Alert) -> Pending<Result<Alert, AlertError>> {
        self.queue(|queue| queue.submit(move |tables| alerts::remove(tables, &alert)))
    }

    pub(crate) fn write_evaluation(&self, evaluation: NewEvaluation) -> Pending<EvaluationWritten> {
        self.queue(|queue| {
            queue.submit_blocking(move |tables| alerts::write_evaluation(tables, evaluation))
        })
    }

    pub(crate) fn add_notice(
        &self,
        alert: Alert,
        notice: Notice,
    ) -> Pending<Result<Notice, AlertError>> {
        self.queue(|queue| queue.submit(move |tables| alerts::add_notice(tables, &alert, notice)))
    }

    pub(crate) async fn alert(&self, id: Uuid, account: &str) -> Result<Option<Alert>, StoreError> {
        let Some(plain) = self.cipher.open(id) else { return Ok(None) };
        self.read(|snapshot| {
            let alerts = snapshot.open_table(tables::ALERTS)?;
            let Some(bytes) = alerts.get(plain.row)? else { return Ok(None) };
            let alert = record::decode_alert(plain.row, bytes.value())?;
            Ok((plain.has_nonce(alert.nonce) && alert.account == account).then_some(alert))
        })
    }

    pub(crate) async fn alerts(&self, account: Option<&str>) -> Result<Vec<Alert>, StoreError> {
        self.read(|snapshot| {
            let mut found = Vec::new();
            for entry in snapshot.open_table(tables::ALERTS)?.iter()? {
                let (row, bytes) = entry?;
                match record::decode_alert(row.value(), bytes.value()) {
                    Ok(alert) if account.is_none_or(|of| alert.account == of) => found.push(alert),
                    Ok(_) => {}
                    Err(error) if error.voids_transaction() => return Err(error),
                    Err(error) => {
                        tracing::error!(row = row.value(), %error, "an alert could not be read");
                    }
                }
            }
            Ok(found)
        })
    }

    pub(crate) async fn notices(&self, alert: &Alert) -> Result<Vec<SentNotice>, StoreError> {
        self.read(|snapshot| {
            let mut found = Vec::new();
            for row in alert.progress.notices.iter().rev() {
                // An older state of the alert may name one that has gone.
                let Some(notice) = notices::notice_in(snapshot, *row)? else { continue };
                let id = self.cipher.seal(notice.row, notice.nonce);
                let delivery = outbox::delivery_in(snapshot, *row)?;
                found.push(SentNotice { id, notice, delivery });
            }
            Ok(found)
        })
    }

    pub(crate) fn next_alert_ms(&self, now_ms: UnixMs) -> Result<Option<UnixMs>, StoreError> {
        self.read(|snapshot| {
            let due = snapshot.open_table(tables::ALERTS_DUE)?;
            let is_ahead = due
                .last()?
                .is_some_and(|(key, _)| key.value().0 > now_ms.saturating_add(DUE_AHEAD_MS_MAX));
            let first = due.first()?.map(|(key, _)| key.value().0);
            Ok(if is_ahead { Some(now_ms) } else { first })
        })
    }

    pub(crate) fn due_alerts(
        &self,
        now_ms: UnixMs,
        alerts_max: usize,
    ) -> Result<Vec<DueAlert>, StoreError> {
        self.read(|snapshot| due_in(snapshot, now_ms, alerts_max))
    }
}

fn due_in(
    snapshot: &Snapshot,
    now_ms: UnixMs,
    alerts_max: usize,
) -> Result<Vec<DueAlert>, StoreError> {
    let due = snapshot.open_table(tables::ALERTS_DUE)?;
    let alerts = snapshot.open_table(tables::ALERTS)?;
    let watches = snapshot.open_table(tables::ALERT_WATCHES)?;
    let ahead_ms = now_ms.saturating_add(DUE_AHEAD_MS_MAX).saturating_add(1);
    let mut found = Vec::new();
    for entry in due.range(..=(now_ms, Row::MAX))?.chain(due.range((ahead_ms, 0)..)?) {
        if found.len() >= alerts_max {
            break;
        }
        let row = entry?.0.value().1;
        let Some(bytes) = alerts.get(row)? else { continue };
        match record::decode_alert(row, bytes.value()) {
            Ok(alert) => {
                let watch = watches.get((alert.watch().as_str(), row))?;
                let marks = watch.map_or(0, |watch| watch.value().1);
                found.push(DueAlert { alert, marks });
            }
            Err(error) if error.voids_transaction() => return Err(error),
            Err(error) => tracing::error!(row, %error, "an alert could not be read"),
        }
    }
    Ok(found)
}

impl AlertTables for Tables<'_> {
    fn alert(&mut self, row: Row) -> Result<Option<Alert>, StoreError> {
        let Some(bytes) = self.alerts.get(row)? else { return Ok(None) };
        record::decode_alert(row, bytes.value()).map(Some)
    }

    fn of_account(&mut self, account: &str) -> Result<Vec<Alert>, StoreError> {
        let mut found = Vec::new();
        for entry in self.alerts.range::<Row>(..)? {
            let (row, bytes) = entry?;
            match record::decode_alert(row.value(), bytes.value()) {
                Ok(alert) if alert.account == account => found.push(alert),
                Err(error) if error.voids_transaction() => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(found)
    }

    fn put(&mut self, alert: &Alert) -> Result<(), StoreError> {
        self.alerts.insert(alert.row, record::encode_alert(alert)?.as_slice())
    }

    fn remove(&mut self, row: Row) -> Result<(), StoreError> {
        self.alerts.remove(row)
    }

    fn put_notice(&mut self, notice: &Notice) -> Result<(), StoreError> {
        let bytes = record::encode_notice(notice)?;
        let delivery = outbox::seal(Some(NewDelivery::of_notice(notice)))?;
        self.notices.insert(notice.row, bytes.as_slice())?;
        outbox::file(self, delivery)
    }

    fn forget_notice(&mut self, row: Row) -> Result<(), StoreError> {
        outbox::forget(self, row)?;
        self.notices.remove(row)
    }

    fn mark(&mut self, watch: &str, row: Row) -> Result<Option<WatchMark>, StoreError> {
        alert_marks::read(self, watch, row)
    }

    fn file(&mut self, watch: &str, row: Row, mark: WatchMark) -> Result<(), StoreError> {
        alert_marks::file(self, watch, row, mark)
    }

    fn forget_mark(&mut self, watch: &str, row: Row) -> Result<(), StoreError> {
        alert_marks::forget(self, watch, row)
    }
}
