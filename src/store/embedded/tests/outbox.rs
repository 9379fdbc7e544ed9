//! The outbox: filed with a job's end, kept with its job, and found by the check when it is not.

use super::*;
use crate::job::{
    DELIVERY_MS_MAX, Delivery, DeliveryAttempt, DeliveryState, Failure, Idempotency, Outcome,
    Reason, Recipient,
};

const URL: &str = "https://a.example/hook";

impl Fixture {
    fn told(&self, prompt: &str) -> Job {
        let webhook_url = Some(URL.to_owned());
        self.submit(Job { webhook_url, ..self.new_job(prompt) })
    }

    /// A job whose end is to be told `after_ms` after the start of the test.
    fn ended(&self, after_ms: u64) -> Row {
        let row = self.told("told").row;
        let failure = Failure::new(Reason::Canceled, "no");
        self.apply(row, after_ms, Event::Stop { failure });
        row
    }

    fn due(&self, now_ms: UnixMs) -> Vec<(Row, Recipient)> {
        let mut due = Vec::new();
        let visit = |(_, row), recipient| {
            due.push((row, recipient));
            ControlFlow::Continue(())
        };
        self.store.visit_outbox(now_ms, None, visit).unwrap();
        due
    }

    fn note(&self, row: Row, at_ms: UnixMs, status: u16) -> Option<Delivery> {
        let attempt = DeliveryAttempt { at_ms, took_ms: 0, outcome: Outcome::Status(status) };
        self.store.note_delivery(row, attempt, 0, None, 0).unwrap()
    }

    fn exists(&self, row: Row) -> bool {
        self.store.read_row(row, 0, |_, _| ()).wait().unwrap().is_some()
    }
}

#[test]
fn only_ended_jobs_with_a_webhook_have_a_delivery() {
    let fixture = Fixture::new();
    let running = fixture.told("running").row;
    fixture.apply(running, 1, Event::Start);
    fixture.done("plain", None);
    let born = Job {
        state: State::Done,
        completed_ms: Some(START_MS),
        price: 0,
        webhook_url: Some(URL.to_owned()),
        ..fixture.new_job("born")
    };
    let born =
        fixture.store.submit(born, Some(b"{}".to_vec()), NO_LIMITS).wait().unwrap().unwrap().row;
    assert_eq!(fixture.due(START_MS), [(born, Recipient::of("team-a", URL))]);
    let result = NewResult { json: b"{}".to_vec(), cache_hash: None };
    fixture.apply_with(running, 5, Event::Succeed { lease: 1, present: None }, Some(result));
    assert_eq!(fixture.due(START_MS + 4), [(born, Recipient::of("team-a", URL))]);
    assert_eq!(fixture.store.next_delivery_ms(START_MS).unwrap(), Some(START_MS + 5));
    assert_eq!(fixture.due(START_MS + 5).len(), 2);
    let fixture = fixture.reopen();
    assert_eq!(fixture.due(START_MS + 5).len(), 2);
    assert_eq!(fixture.check().problems, Vec::<String>::new());
}

#[test]
fn an_expired_job_stays_until_its_delivery_is_over() {
    let fixture = Fixture::new();
    let (row, gone) = (fixture.ended(RETENTION_MS - 10), fixture.ended(RETENTION_MS - 10));
    fixture.note(gone, START_MS + RETENTION_MS - 10, 410);
    let expires_ms = START_MS + RETENTION_MS;
    assert_eq!(fixture.store.sweep(expires_ms, 0).unwrap().rows, 2);
    assert!(fixture.exists(row) && !fixture.exists(gone));
    assert!(fixture.store.read_row(row, expires_ms, |_, _| ()).wait().unwrap().is_none());
    // Not looked at again for a while, then kept again.
    assert_eq!(fixture.store.sweep(expires_ms + 1, 0).unwrap().rows, 0);
    assert_eq!(fixture.store.sweep(expires_ms + 4_000_000, 0).unwrap().rows, 1);
    let fixture = fixture.reopen();
    let delivery = fixture.note(row, expires_ms + 4_000_001, 500).unwrap();
    assert!(delivery.held_until_ms.is_some());
    let delivery = fixture.note(row, delivery.due_ms().unwrap(), 200).unwrap();
    assert_eq!((delivery.state, delivery.held_until_ms), (DeliveryState::Delivered, None));
    assert!(fixture.due(u64::MAX).is_empty());
    assert_eq!(fixture.store.sweep(expires_ms + 4_000_001, 0).unwrap().rows, 1);
    assert!(!fixture.exists(row));
    assert_eq!(fixture.note(row, expires_ms, 200), None);
    let report = fixture.check();
    assert_eq!((report.problems, report.jobs), (Vec::new(), 0));
}

/// Found by the power-cut simulator.
#[test]
fn a_key_that_went_with_a_later_job_is_no_damage_of_one_that_waits_to_be_told() {
    let fixture = Fixture::new();
    let idempotency = Some(Idempotency { key_hash: 5, request_hash: 1 });
    let webhook_url = Some(URL.to_owned());
    let told = fixture.submit(Job { webhook_url, idempotency, ..fixture.new_job("told") }).row;
    let failure = Failure::new(Reason::Canceled, "no");
    fixture.apply(told, 0, Event::Stop { failure });
    let created_ms = START_MS + RETENTION_MS;
    let expires_ms = created_ms + 1_000;
    fixture.store.sweep(created_ms, 0).unwrap();
    let later = Job { idempotency, created_ms, expires_ms, ..fixture.new_job("later") };
    let later = fixture.submit(later).row;
    assert!(later > told);
    fixture.store.sweep(expires_ms, 0).unwrap();
    assert!(fixture.exists(told) && !fixture.exists(later));
    let fixture = fixture.reopen();
    fixture.note(told, expires_ms, 200);
    let fixture = fixture.reopen();
    assert!(fixture.exists(told));
    assert_eq!(fixture.check().problems, Vec::<String>::new());
}

#[test]
fn a_delivery_that_nobody_makes_does_not_keep_its_job_for_ever() {
    let fixture = Fixture::new();
    let row = fixture.ended(0);
    let late_ms = START_MS + 2 * DELIVERY_MS_MAX;
    fixture.store.sweep(late_ms - 1, 0).unwrap();
    assert!(fixture.exists(row));
    fixture.store.sweep(late_ms + 4_000_000, 0).unwrap();
    assert!(!fixture.exists(row));
    let report = fixture.check();
    assert_eq!((report.problems, report.jobs), (Vec::new(), 0));
}

#[test]
fn an_outbox_that_does_not_match_is_found() {
    let fixture = Fixture::new();
    let rows = [fixture.ended(0), fixture.ended(0), fixture.ended(0), fixture.ended(0)];
    let plain = fixture.done("plain", None).row;
    let damage = fixture.write(move |tables| {
        tables.deliveries.remove(rows[0])?;
        tables.outbox.remove((START_MS, rows[1]))?;
        tables.outbox.insert((START_MS, rows[2]), 7)?;
        tables.deliveries.insert(rows[3], [9].as_slice())?;
        let bytes = tables.deliveries.get(rows[1])?.map(|bytes| bytes.value().to_vec());
        let delivery = record::decode_delivery(rows[1], &bytes.unwrap())?;
        let strayed = record::encode_delivery(plain, &delivery)?;
        tables.deliveries.insert(plain, strayed.as_slice())?;
        Ok(())
    });
    damage.wait().unwrap();
    assert_eq!(
        fixture.check().problems.join("\n"),
        "delivery row 4 cannot be read: the store has records of version 9, which this answerd \
         does not know; it was written by another version\n\
         job row 1 has ended and its webhook has no delivery\n\
         job row 4 has ended and its webhook has no delivery\n\
         delivery row 2 is pending and not in the outbox\n\
         delivery row 5 belongs to nothing that has ended and has a webhook\n\
         delivery row 5 is pending and not in the outbox\n\
         the outbox names row 1, whose delivery does not match\n\
         the outbox names row 3, whose delivery does not match\n\
         the outbox names row 4, whose delivery does not match"
    );
}
