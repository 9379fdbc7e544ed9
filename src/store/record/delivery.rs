//! A delivery as it is on disk.

use bincode::{Decode, Encode};

use super::super::StoreError;
use super::{seal, unseal};
use crate::job::{
    Delivery, DeliveryAttempt, DeliveryState, Outcome, SendFailure, Subject, Undelivered,
};

const UNKNOWN_WORD: StoreError = StoreError::Damaged("a delivery has a word that is not known");

#[derive(Encode, Decode)]
struct DeliveryV1 {
    subject: SubjectV1,
    url: String,
    state: DeliveryStateV1,
    began_ms: u64,
    round_attempts: u32,
    attempts: u32,
    resends: u32,
    log: Vec<DeliveryAttemptV1>,
    held_until_ms: Option<u64>,
}

#[derive(Encode, Decode)]
enum SubjectV1 {
    Job,
    Batch,
    Notice,
}

#[derive(Encode, Decode)]
enum DeliveryStateV1 {
    Pending { due_ms: u64 },
    Delivered,
    Failed { word: String },
}

#[derive(Encode, Decode)]
struct DeliveryAttemptV1 {
    at_ms: u64,
    took_ms: u64,
    outcome: OutcomeV1,
}

#[derive(Encode, Decode)]
enum OutcomeV1 {
    Status(u16),
    Failed(String),
}

pub(crate) fn encode_delivery(row: u64, delivery: &Delivery) -> Result<Vec<u8>, StoreError> {
    let disk = DeliveryV1 {
        subject: match delivery.subject {
            Subject::Job => SubjectV1::Job,
            Subject::Batch => SubjectV1::Batch,
            Subject::Notice => SubjectV1::Notice,
        },
        url: delivery.url.clone(),
        state: match delivery.state {
            DeliveryState::Pending { due_ms } => DeliveryStateV1::Pending { due_ms },
            DeliveryState::Delivered => DeliveryStateV1::Delivered,
            DeliveryState::Failed(why) => DeliveryStateV1::Failed { word: why.word().to_owned() },
        },
        began_ms: delivery.began_ms,
        round_attempts: delivery.round_attempts,
        attempts: delivery.attempts,
        resends: delivery.resends,
        log: delivery.log.iter().map(attempt_to_disk).collect(),
        held_until_ms: delivery.held_until_ms,
    };
    seal(row, &disk)
}

pub(crate) fn decode_delivery(row: u64, bytes: &[u8]) -> Result<Delivery, StoreError> {
    let disk: DeliveryV1 = unseal(row, bytes)?;
    Ok(Delivery {
        subject: match disk.subject {
            SubjectV1::Job => Subject::Job,
            SubjectV1::Batch => Subject::Batch,
            SubjectV1::Notice => Subject::Notice,
        },
        url: disk.url,
        state: match disk.state {
            DeliveryStateV1::Pending { due_ms } => DeliveryState::Pending { due_ms },
            DeliveryStateV1::Delivered => DeliveryState::Delivered,
            DeliveryStateV1::Failed { word } => {
                let known = Undelivered::ALL.into_iter().find(|why| why.word() == word);
                DeliveryState::Failed(known.ok_or(UNKNOWN_WORD)?)
            }
        },
        began_ms: disk.began_ms,
        round_attempts: disk.round_attempts,
        attempts: disk.attempts,
        resends: disk.resends,
        log: disk.log.into_iter().map(attempt_from_disk).collect::<Result<_, _>>()?,
        held_until_ms: disk.held_until_ms,
    })
}

fn attempt_to_disk(attempt: &DeliveryAttempt) -> DeliveryAttemptV1 {
    let outcome = match attempt.outcome {
        Outcome::Status(status) => OutcomeV1::Status(status),
        Outcome::Failed(failure) => OutcomeV1::Failed(failure.word().to_owned()),
    };
    DeliveryAttemptV1 { at_ms: attempt.at_ms, took_ms: attempt.took_ms, outcome }
}

fn attempt_from_disk(disk: DeliveryAttemptV1) -> Result<DeliveryAttempt, StoreError> {
    let outcome = match disk.outcome {
        OutcomeV1::Status(status) => Outcome::Status(status),
        OutcomeV1::Failed(word) => {
            let known = SendFailure::ALL.into_iter().find(|failure| failure.word() == word);
            Outcome::Failed(known.ok_or(UNKNOWN_WORD)?)
        }
    };
    Ok(DeliveryAttempt { at_ms: disk.at_ms, took_ms: disk.took_ms, outcome })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_comes_back_as_it_went() {
        let mut delivery = Delivery::new(Subject::Job, "https://a.example/".to_owned(), 1_000);
        let failures = SendFailure::ALL.map(Outcome::Failed);
        delivery.log = failures
            .into_iter()
            .chain([Outcome::Status(500)])
            .map(|outcome| DeliveryAttempt { at_ms: 1_000, took_ms: 7, outcome })
            .collect();
        delivery.held_until_ms = Some(5_000);
        let ends = Undelivered::ALL.map(DeliveryState::Failed);
        for state in ends.into_iter().chain([delivery.state, DeliveryState::Delivered]) {
            delivery.state = state;
            let bytes = encode_delivery(7, &delivery).unwrap();
            assert_eq!(decode_delivery(7, &bytes).unwrap(), delivery);
        }
    }
}
