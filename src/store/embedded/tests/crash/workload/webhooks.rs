//! What happens to webhooks in a life: attempts that succeed, fail or come too late, and resends.

use super::{Asked, Life};
use crate::job::{DeliveryAttempt, Outcome, SendFailure};
use crate::store::Row;
use crate::store::embedded::outbox;

const RECEIVERS: [&str; 2] = ["https://a.example/hook", "https://b.example/hook"];

impl Life {
    pub(super) fn webhook_url(&mut self) -> Option<String> {
        let receiver = RECEIVERS[self.dice.below(RECEIVERS.len())];
        self.dice.percent(45).then(|| receiver.to_owned())
    }

    /// A row that has a delivery, as far as the answers say; rather one whose delivery is pending.
    fn told(&mut self) -> Option<Row> {
        let pending_only = self.dice.percent(80);
        let known = self.ledger.deliveries.iter().filter_map(|(row, known)| {
            known.newest().filter(|newest| !pending_only || newest.due_ms().is_some())?;
            Some(row)
        });
        let rows: Vec<Row> = known.collect();
        (!rows.is_empty()).then(|| rows[self.dice.below(rows.len())])
    }

    /// An attempt's outcome is noted; sometimes that of a round which a resend has ended.
    pub(super) fn attempt(&mut self) -> Option<Asked> {
        let row = self.told()?;
        let resends = self.ledger.deliveries.get(row)?.newest()?.resends;
        let resends = resends.saturating_sub(u32::from(self.dice.percent(10)));
        let outcome = match self.dice.below(100) {
            0..50 => Outcome::Status(204),
            50..75 => Outcome::Status(503),
            75..90 => Outcome::Failed(SendFailure::Timeout),
            _ => Outcome::Status(410),
        };
        let attempt = DeliveryAttempt { at_ms: self.now_ms, took_ms: 3, outcome };
        let retry_after_ms = self.dice.percent(20).then_some(40_000);
        let (scrapers, spread) = (self.store.scrapers.clone(), self.dice.next());
        let pending = self.store.embedded().unwrap().queue(|queue| {
            queue.submit_blocking(move |tables| {
                outbox::note(tables, &scrapers, row, |delivery| {
                    delivery.note(attempt, resends, retry_after_ms, spread);
                })
            })
        });
        Some(Asked::Delivery(row, pending))
    }

    /// Its owner asks for it once more.
    pub(super) fn send_again(&mut self) -> Option<Asked> {
        let row = self.told()?;
        let known = self.ledger.deliveries.get(row)?;
        let (id, account, subject) = (known.id, known.account.clone(), known.subject);
        let plain = self.store.cipher.open(id)?;
        let (scrapers, now_ms) = (self.store.scrapers.clone(), self.now_ms);
        let pending = self.store.embedded().unwrap().queue(|queue| {
            queue.submit(move |tables| {
                outbox::send_again(tables, &scrapers, subject, plain, id, &account, now_ms)
                    .map(Result::ok)
            })
        });
        Some(Asked::Delivery(row, pending))
    }
}
