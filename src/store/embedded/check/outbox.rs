//! The check of the outbox: every ended job with a webhook has its delivery, every pending delivery
//! its entry, and the other way round.

use redb::{ReadTransaction, ReadableTable};

use super::report::Expected;
use crate::clock::UnixMs;
use crate::job::{Delivery, Recipient, Subject, receiver_of};
use crate::store::embedded::tables;
use crate::store::{CheckReport, StoreError, record};

/// Reads every delivery that can be read.
pub(super) fn read_all(
    transaction: &ReadTransaction,
    expected: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    for entry in transaction.open_table(tables::DELIVERIES)?.iter()? {
        let (row, bytes) = entry?;
        let row = row.value();
        match record::decode_delivery(row, bytes.value()) {
            Ok(delivery) => drop(expected.deliveries.insert(row, delivery)),
            Err(error) => {
                report.problem(format!("delivery row {row} cannot be read: {}", error.kind()));
            }
        }
    }
    Ok(())
}

pub(super) fn check(
    transaction: &ReadTransaction,
    expected: &mut Expected,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let outbox = transaction.open_table(tables::OUTBOX)?;
    let with_webhook = expected.jobs.iter().filter(|(_, job)| job.finished && job.webhook);
    for (row, _) in with_webhook.filter(|(row, _)| !expected.deliveries.contains_key(row)) {
        report.problem(format!("job row {row} has ended and its webhook has no delivery"));
    }
    let with_webhook = expected
        .batches
        .iter()
        .filter(|(_, batch)| batch.webhook_url.is_some() && batch.progress.completed_ms.is_some());
    for (row, _) in with_webhook.filter(|(row, _)| !expected.deliveries.contains_key(row)) {
        report.problem(format!("batch row {row} has ended and its webhook has no delivery"));
    }
    for (row, delivery) in &expected.deliveries {
        let batch = || expected.batches.get(row).filter(|batch| batch.webhook_url.is_some());
        let belongs = match delivery.subject {
            Subject::Batch => batch().is_some_and(|batch| batch.progress.completed_ms.is_some()),
            Subject::Notice => expected.notices.contains(row),
            Subject::Job => expected.jobs.get(row).is_some_and(|job| job.finished && job.webhook),
        };
        if !belongs {
            report.problem(format!(
                "delivery row {row} belongs to nothing that has ended and has a webhook"
            ));
        }
        if let Some(due_ms) = delivery.due_ms()
            && outbox.get((due_ms, *row))?.is_none()
        {
            report.problem(format!("delivery row {row} is pending and not in the outbox"));
        }
    }
    for entry in outbox.iter()? {
        let (key, number) = entry?;
        let (due_ms, row) = key.value();
        let recipient = Recipient::from_number(number.value());
        if !matches(expected.deliveries.get(&row), due_ms, recipient) {
            report.problem(format!("the outbox names row {row}, whose delivery does not match"));
        }
    }
    Ok(())
}

fn matches(delivery: Option<&Delivery>, due_ms: UnixMs, recipient: Recipient) -> bool {
    delivery.is_some_and(|delivery| {
        delivery.due_ms() == Some(due_ms) && receiver_of(&delivery.url) as u32 == recipient.receiver
    })
}
