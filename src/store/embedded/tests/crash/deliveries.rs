//! The ledger's part on webhooks: what each delivery was after every write that it saw.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use uuid::Uuid;

use super::ledger::{Judgement, Span, Verdict, Versions};
use crate::job::{Delivery, Subject};
use crate::store::outbox::HOLD_MS;
use crate::store::{Blocking, Row, Store, StoreError};

/// A delivery and what it tells of.
#[derive(Debug)]
pub(crate) struct Known {
    pub id: Uuid,
    pub account: String,
    pub subject: Subject,
    versions: Versions<Delivery>,
}

impl Known {
    /// As it was last acknowledged; `None` once it has been removed.
    pub(crate) fn newest(&self) -> Option<&Delivery> {
        self.versions.newest()
    }
}

/// What a sweep does to what a delivery tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sweep {
    Removes,
    /// It stays, since its delivery is pending.
    Leaves,
}

/// By the row of the job or batch that they report.
#[derive(Debug, Default)]
pub(crate) struct Deliveries(BTreeMap<Row, Known>);

impl Deliveries {
    /// Notes that what has this id has ended, with a webhook.
    pub(crate) fn file(
        &mut self,
        row: Row,
        id: Uuid,
        account: &str,
        span: Span,
        delivery: Delivery,
    ) {
        let (account, subject) = (account.to_owned(), delivery.subject);
        let mut versions = Versions::default();
        versions.push(span, Some(delivery));
        let before = self.0.insert(row, Known { id, account, subject, versions });
        assert!(before.is_none(), "row {row} has ended twice: {before:?}");
    }

    /// Notes what an attempt or a resend has made of it.
    pub(crate) fn note(&mut self, row: Row, span: Span, is: Delivery) {
        if let Some(known) = self.0.get_mut(&row) {
            known.versions.push(span, Some(is));
        }
    }

    /// Notes what a sweep at `now_ms` does to a row that has expired by then.
    pub(crate) fn note_sweep(
        &mut self,
        row: Row,
        expires_ms: u64,
        now_ms: u64,
        span: Span,
    ) -> Sweep {
        let Some(known) = self.0.get_mut(&row) else { return Sweep::Removes };
        let Some(delivery) = known.newest() else { return Sweep::Removes };
        if delivery.held_until_ms.unwrap_or(expires_ms) > now_ms {
            return Sweep::Leaves;
        }
        if !delivery.keeps_subject(now_ms) {
            known.versions.push(span, None);
            return Sweep::Removes;
        }
        let held_until_ms = Some(now_ms + HOLD_MS);
        let held = Delivery { held_until_ms, ..delivery.clone() };
        known.versions.push(span, Some(held));
        Sweep::Leaves
    }

    pub(crate) fn get(&self, row: Row) -> Option<&Known> {
        self.0.get(&row)
    }

    /// All that there have been, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Row, &Known)> {
        self.0.iter().map(|(row, known)| (*row, known))
    }

    /// Compares a store with what was acknowledged before the cut at `point`, and the outbox with
    /// what the store says is pending.
    pub(crate) fn compare(
        &self,
        store: &Store,
        point: usize,
        verdict: &mut Verdict,
    ) -> Result<(), StoreError> {
        let mut pending = Vec::new();
        for (row, known) in &self.0 {
            let stored = store.delivery(*row).wait()?;
            let sentence = || {
                format!(
                    "the delivery of row {row}: {:?} was noted, {stored:?} is stored",
                    known.newest()
                )
            };
            match known.versions.judge(&stored, point) {
                Judgement::Possible => {}
                Judgement::Lost => verdict.lost.push(sentence()),
                Judgement::Inconsistent => verdict.inconsistent.push(sentence()),
            }
            pending.extend(stored.and_then(|delivery| Some((delivery.due_ms()?, *row))));
        }
        pending.sort_unstable();
        let mut outbox = Vec::new();
        store.visit_outbox(u64::MAX, None, |(_, row), _| {
            outbox.push(row);
            ControlFlow::Continue(())
        })?;
        if !pending.iter().map(|(_, row)| row).eq(&outbox) {
            verdict.inconsistent.push(format!("{pending:?} are pending, {outbox:?} will be sent"));
        }
        Ok(())
    }
}
