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
use crate::store::alerts::WatchMark;
use crate::store::outbox::NewDelivery;
use crate::store::{
    AlertError, DueAlert, EvaluationWritten, NewEvaluation, Pending, Row, SentNotice, StoreError,
    record,
};

/// How far ahead an evaluation can be due, milliseconds: one that seems to be was planned by a
/// clock that was ahead, and is due.
const DUE_AHEAD_MS_MAX: u64 = 600_000;

impl Embedded {
    pub(crate) fn insert_alert(
        &self,
        alert: Alert,
        due_ms: Option<UnixMs>,
    ) -> Pending<Result<Alert, AlertError>> {
        self.queue(|queue| {
            queue.submit(move |tables| {
                let others = of_account(tables, &alert.account)?;
                if let Some(refused) = AlertError::of_new(&alert, &others) {
                    return Ok(Err(refused));
                }
                write(tables, &alert)?;
                watch(tables, &alert, due_ms)?;
                Ok(Ok(alert))
            })
        })
    }

    pub(crate) fn replace_alert(
        &self,
        before: Alert,
        mut after: Alert,
        due_ms: Option<UnixMs>,
    ) -> Pending<Result<Alert, AlertError>> {
        self.queue(|queue| {
            queue.submit(move |tables| {
                let Some(current) = current(tables, &before)? else {
                    return Ok(Err(AlertError::Gone));
                };
                if current.version != before.version {
                    return Ok(Err(AlertError::Stale));
                }
                let others = of_account(tables, &after.account)?;
                if let Some(refused) = AlertError::of_change(&after, &others) {
                    return Ok(Err(refused));
                }
                after.version = before.version + 1;
                write(tables, &after)?;
                watch(tables, &after, due_ms)?;
                Ok(Ok(after))
            })
        })
    }

    pub(crate) fn remove_alert(&self, alert: Alert) -> Pending<Result<Alert, AlertError>> {
        self.queue(|queue| {
            queue.submit(move |tables| {
                let Some(current) = current(tables, &alert)? else {
                    return Ok(Err(AlertError::Gone));
                };
                for row in &current.progress.notices {
                    forget_notice(tables, *row)?;
                }
                alert_marks::forget(tables, &current.watch(), current.row)?;
                tables.alerts.remove(current.row)?;
                Ok(Ok(current))
            })
        })
    }

    pub(crate) fn write_evaluation(&self, evaluation: NewEvaluation) -> Pending<EvaluationWritten> {
        self.queue(|queue| {
            queue.submit_blocking(move |tables| write_evaluation(tables, evaluation))
        })
    }

    pub(crate) fn add_notice(
        &self,
        alert: Alert,
        notice: Notice,
    ) -> Pending<Result<Notice, AlertError>> {
        self.queue(|queue| {
            queue.submit(move |tables| {
                let Some(mut current) = current(tables, &alert)? else {
                    return Ok(Err(AlertError::Gone));
                };
                let number = current.progress.next_notice;
                let notice = Notice { number, ..notice };
                file_notice(tables, &mut current, &notice)?;
                current.version += 1;
                write(tables, &current)?;
                Ok(Ok(notice))
            })
        })
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

/// Reads an alert as it is now, if it is there.
fn current(tables: &Tables<'_>, known: &Alert) -> Result<Option<Alert>, StoreError> {
    let Some(bytes) = tables.alerts.get(known.row)? else { return Ok(None) };
    let found = record::decode_alert(known.row, bytes.value())?;
    Ok((found.nonce == known.nonce && found.account == known.account).then_some(found))
}

fn of_account(tables: &Tables<'_>, account: &str) -> Result<Vec<Alert>, StoreError> {
    let mut found = Vec::new();
    for entry in tables.alerts.range::<Row>(..)? {
        let (row, bytes) = entry?;
        match record::decode_alert(row.value(), bytes.value()) {
            Ok(alert) if alert.account == account => found.push(alert),
            Err(error) if error.voids_transaction() => return Err(error),
            // A damaged one does not keep the others from being written.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(found)
}

fn write(tables: &mut Tables<'_>, alert: &Alert) -> Result<(), StoreError> {
    tables.alerts.insert(alert.row, record::encode_alert(alert)?.as_slice())
}

/// Files an alert under what it watches, or nowhere while it is paused.
fn watch(tables: &mut Tables<'_>, alert: &Alert, due_ms: Option<UnixMs>) -> Result<(), StoreError> {
    let watch = alert.watch();
    if alert.paused {
        return alert_marks::forget(tables, &watch, alert.row);
    }
    let before = alert_marks::read(tables, &watch, alert.row)?;
    alert_marks::file(tables, &watch, alert.row, WatchMark::written(before, due_ms))
}

fn write_evaluation(
    tables: &mut Tables<'_>,
    evaluation: NewEvaluation,
) -> Result<EvaluationWritten, StoreError> {
    let NewEvaluation { due: DueAlert { alert: before, marks }, mut after, again_ms, notice } =
        evaluation;
    match current(tables, &before)? {
        Some(current) if current.version == before.version && !current.paused => {}
        Some(_) | None => return Ok(EvaluationWritten::Stale),
    }
    if let Some(notice) = notice {
        file_notice(tables, &mut after, &notice)?;
    }
    if after != before {
        after.version = before.version + 1;
        write(tables, &after)?;
    }
    let watch = after.watch();
    if let Some(now) = alert_marks::read(tables, &watch, after.row)? {
        alert_marks::file(tables, &watch, after.row, now.evaluated(marks, again_ms))?;
    }
    Ok(EvaluationWritten::Written)
}

/// Adds a notice to its alert, with its delivery.
fn file_notice(
    tables: &mut Tables<'_>,
    alert: &mut Alert,
    notice: &Notice,
) -> Result<(), StoreError> {
    let bytes = record::encode_notice(notice)?;
    let delivery = outbox::seal(Some(NewDelivery::of_notice(notice)))?;
    let surplus = alert.add_notice(notice.row);

    tables.notices.insert(notice.row, bytes.as_slice())?;
    outbox::file(tables, delivery)?;
    match surplus {
        Some(row) => forget_notice(tables, row),
        None => Ok(()),
    }
}

fn forget_notice(tables: &mut Tables<'_>, row: Row) -> Result<(), StoreError> {
    outbox::forget(tables, row)?;
    tables.notices.remove(row)
}
