//! The check of a delivery: what it reports has ended, and the outbox has it while it is pending.

use super::found::CheckFindings;
use crate::job::receiver_of;
use crate::store::{Row, record};

/// A delivery as the tables have it.
pub(super) struct StoredDelivery<'a> {
    pub row: Row,
    pub record: Option<&'a [u8]>,
    /// When the outbox has it due, and its recipient's number.
    pub outbox: Option<(i64, i64)>,
}

/// Checks the delivery of what is called `what`, which has one or not.
pub(super) fn check(
    found: &mut CheckFindings,
    what: &str,
    has_one: bool,
    stored: &StoredDelivery<'_>,
) {
    let StoredDelivery { row, record, outbox } = *stored;
    let Some(record) = record else {
        if has_one {
            found.problem(format!("{what} has ended and its webhook has no delivery"));
        }
        return;
    };
    let delivery = match record::decode_delivery(row, record) {
        Ok(delivery) => delivery,
        Err(error) => {
            found.problem(format!("delivery row {row} cannot be read: {}", error.kind()));
            return;
        }
    };
    if !has_one {
        let nothing = "belongs to nothing that has ended and has a webhook";
        found.problem(format!("delivery row {row} {nothing}"));
    }
    match (delivery.due_ms(), outbox) {
        (Some(_), None) => {
            found.problem(format!("delivery row {row} is pending and not in the outbox"));
        }
        (None, None) => {}
        (due_ms, Some((filed_ms, receiver))) => {
            // Its account is not known here.
            let is_its_own = receiver as u32 == receiver_of(&delivery.url) as u32;
            if due_ms != Some(filed_ms as u64) || !is_its_own {
                let differs = "whose delivery does not match";
                found.problem(format!("the outbox names row {row}, {differs}"));
            }
        }
    }
}
