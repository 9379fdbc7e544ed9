//! The model's outbox: what deliveries there are, and when they are due.

use super::*;
use crate::job::{Outcome, receiver_of};

pub(super) const URL: &str = "https://a.example/hook";

/// A delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub due_ms: Option<UnixMs>,
    pub attempts: u32,
    /// Those since it was asked for.
    pub tried: usize,
}

impl<S: Tested> Model<S> {
    pub(super) fn deliver(&mut self, at: usize, status: u16) {
        let Some(row) = self.row_at(at) else { return };
        let known = self.jobs.get_mut(&row).filter(|job| job.delivery.is_some());
        let attempt =
            DeliveryAttempt { at_ms: self.now_ms, took_ms: 0, outcome: Outcome::Status(status) };
        let expected = known.and_then(|job| {
            let told = job.delivery.as_mut()?;
            told.attempts += 1;
            if told.due_ms.is_some() {
                told.tried += 1;
                // No test comes to the seventh.
                let waits_ms = [5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000];
                let wait_ms = waits_ms.get(told.tried - 1).copied().unwrap_or(50_400_000);
                told.due_ms = (status == 500).then_some(self.now_ms + wait_ms);
            }
            let told = told.clone();
            job.held_until_ms = job.held_until_ms.filter(|_| told.due_ms.is_some());
            Some(told)
        });
        let resends = self.store().delivery(row).map_or(0, |delivery| delivery.resends);
        let noted = self.store().note_delivery(row, attempt, resends);
        self.memory.note(row, attempt, resends);
        let noted = noted.map(|noted| (noted.due_ms(), noted.attempts));
        assert_eq!(noted, expected.map(|told| (told.due_ms, told.attempts)));
    }

    pub(super) fn send_again(&mut self, at: usize) {
        let Some(row) = self.row_at(at) else { return };
        let now_ms = self.now_ms;
        let id = self.accepted.iter().rev().find(|(of, _)| *of == row).unwrap().1;
        let known = self.jobs.get_mut(&row).filter(|job| job.expires_ms > now_ms && job.id == id);
        let account = known.as_ref().map_or("nobody", |job| ACCOUNTS[job.account]);
        let store = self.store.as_ref().unwrap();
        let again = store.send_again(id, account, now_ms).map(|delivery| delivery.due_ms());
        let expected = match known {
            None => Err(ResendError::Gone),
            Some(job) if !job.webhook => Err(ResendError::NoWebhook),
            Some(job) => match &mut job.delivery {
                None => Err(ResendError::Unfinished),
                Some(told) => {
                    (told.due_ms, told.tried) = (Some(now_ms), 0);
                    Ok(Some(now_ms))
                }
            },
        };
        assert_eq!(again, expected);
        if again.is_ok() {
            self.memory.send_again(row, now_ms);
        }
    }

    pub(super) fn compare_outbox(&self) {
        let mut known: Vec<(UnixMs, Row)> = Vec::new();
        for (row, job) in &self.jobs {
            let due_ms = job.delivery.as_ref().and_then(|told| told.due_ms);
            known.extend(due_ms.map(|due_ms| (due_ms, *row)));
        }
        known.sort_unstable();
        let outbox = self.store().outbox();
        for (_, recipient) in &outbox {
            assert_eq!(recipient.receiver, receiver_of(URL) as u32);
        }
        let visited: Vec<Row> = outbox.iter().map(|(row, _)| *row).collect();
        assert_eq!(visited, known.iter().map(|(_, row)| *row).collect::<Vec<_>>());
        let next_ms = known.into_iter().map(|(due_ms, _)| due_ms).find(|due| *due > self.now_ms);
        assert_eq!(self.store().next_delivery_ms(self.now_ms), next_ms);
    }
}

impl Expected {
    /// As it is with what its end has brought about at `now_ms`.
    pub(super) fn told(mut self, now_ms: UnixMs) -> Expected {
        if self.webhook && self.phase.finished() && self.delivery.is_none() {
            self.delivery = Some(Told { due_ms: Some(now_ms), attempts: 0, tried: 0 });
        }
        self
    }

    pub(super) fn pending(&self) -> bool {
        self.delivery.as_ref().is_some_and(|told| told.due_ms.is_some())
    }
}
