//! A webhook's delivery: what was tried, what is due, and the one function that changes its state.
//! The times between attempts are those of the Standard Webhooks specification. Pure.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clock::UnixMs;

/// How long after its first moment a delivery is still tried, milliseconds (a day).
pub const DELIVERY_MS_MAX: u64 = 86_400_000;
/// The most attempts that the log of a delivery keeps: the latest ones.
pub const DELIVERY_LOG_MAX: usize = 10;
/// The waits after each failed attempt, milliseconds ("Deliverability and reliability" of the
/// specification). The one that would end after [`DELIVERY_MS_MAX`] ends there instead and is the
/// last.
const WAITS_MS: [u64; 7] =
    [5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000];
/// The part of a wait that jitter may add to it.
const JITTER_DIVISOR: u64 = 10;

/// The subject of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The end of the job of the same row.
    Job,
    /// The end of the last job of the batch of the same row.
    Batch,
    /// The notice of an alert of the same row.
    Notice,
}

impl Subject {
    /// Returns the `webhook-id` of what has this id: the same for every attempt and resend.
    pub fn message_id(self, id: Uuid) -> String {
        match self {
            Subject::Job | Subject::Batch | Subject::Notice => format!("msg_{id}"),
        }
    }
}

/// The state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// An attempt is due at this moment.
    Pending {
        due_ms: UnixMs,
    },
    /// The receiver has taken it.
    Delivered,
    Failed(Undelivered),
}

/// The reason why a delivery is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// The receiver answered 410.
    Gone,
    /// No attempt of [`DELIVERY_MS_MAX`] succeeded.
    Exhausted,
}

impl Undelivered {
    pub const ALL: [Undelivered; 2] = [Undelivered::Gone, Undelivered::Exhausted];

    /// Returns the stable word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            Undelivered::Gone => "gone",
            Undelivered::Exhausted => "exhausted",
        }
    }
}

/// The reason why an attempt brought no status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendFailure {
    /// The receiver's name leads to no address that is public, and it is not in `allow_hosts`.
    AddressNotPublic,
    NameNotFound,
    Timeout,
    /// No connection, or it broke off.
    Unreachable,
    /// No trusted TLS connection.
    Tls,
    /// The response was not HTTP.
    Garbled,
    /// The attempt ended in a defect of answerd.
    Panicked,
}

impl SendFailure {
    pub const ALL: [SendFailure; 7] = [
        SendFailure::AddressNotPublic,
        SendFailure::NameNotFound,
        SendFailure::Timeout,
        SendFailure::Unreachable,
        SendFailure::Tls,
        SendFailure::Garbled,
        SendFailure::Panicked,
    ];

    /// Returns the stable word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            SendFailure::AddressNotPublic => "address_not_public",
            SendFailure::NameNotFound => "name_not_found",
            SendFailure::Timeout => "timeout",
            SendFailure::Unreachable => "unreachable",
            SendFailure::Tls => "tls_failed",
            SendFailure::Garbled => "garbled",
            SendFailure::Panicked => "panicked",
        }
    }
}

/// The outcome of an attempt at a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Status(u16),
    Failed(SendFailure),
}

/// One attempt, as the log keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryAttempt {
    pub at_ms: UnixMs,
    /// How long it took, milliseconds.
    pub took_ms: u64,
    pub outcome: Outcome,
}

/// A delivery with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub subject: Subject,
    pub url: String,
    pub state: DeliveryState,
    /// When the first attempt of this round was due: a round begins with the job's end, and with
    /// each resend.
    pub began_ms: UnixMs,
    /// Attempts made in this round.
    pub round_attempts: u32,
    /// Attempts made in all.
    pub attempts: u32,
    /// How often its owner has asked for it again: an attempt of an earlier round decides nothing.
    pub resends: u32,
    /// The latest attempts, oldest first; at most [`DELIVERY_LOG_MAX`].
    pub log: Vec<DeliveryAttempt>,
    /// Where the expiry index holds its subject once that has expired and this is still pending.
    pub held_until_ms: Option<UnixMs>,
}

impl Delivery {
    /// Creates a delivery that is due now.
    pub fn new(subject: Subject, url: String, now_ms: UnixMs) -> Delivery {
        Delivery {
            subject,
            url,
            state: DeliveryState::Pending { due_ms: now_ms },
            began_ms: now_ms,
            round_attempts: 0,
            attempts: 0,
            resends: 0,
            log: Vec::new(),
            held_until_ms: None,
        }
    }

    /// Returns when the next attempt is due; `None` when there is none.
    pub fn due_ms(&self) -> Option<UnixMs> {
        match self.state {
            DeliveryState::Pending { due_ms } => Some(due_ms),
            DeliveryState::Delivered | DeliveryState::Failed(_) => None,
        }
    }

    /// Returns whether an attempt is due at `now_ms`. None is put off for longer than
    /// [`DELIVERY_MS_MAX`]: one that seems to be was filed by a clock that was ahead.
    pub fn is_due(&self, now_ms: UnixMs) -> bool {
        let late_ms = now_ms.saturating_add(DELIVERY_MS_MAX);
        self.due_ms().is_some_and(|due_ms| due_ms <= now_ms || due_ms > late_ms)
    }

    /// Returns whether its subject is kept for it at `now_ms`: while it is tried, and as long again
    /// for a service that was down meanwhile.
    pub fn keeps_subject(&self, now_ms: UnixMs) -> bool {
        self.due_ms().is_some() && now_ms < self.began_ms.saturating_add(2 * DELIVERY_MS_MAX)
    }

    /// Resets the delivery to pending.
    pub fn send_again(&mut self, now_ms: UnixMs) {
        self.state = DeliveryState::Pending { due_ms: now_ms };
        self.began_ms = now_ms;
        self.round_attempts = 0;
        self.resends = self.resends.saturating_add(1);
    }

    /// Notes an attempt of the round `resends`, and what follows from it. `retry_after_ms` is what
    /// the receiver asked for, `spread` a number that differs between deliveries, for the jitter.
    /// Whatever an attempt of an earlier round has brought, what its owner asked for stays due.
    pub fn note(
        &mut self,
        attempt: DeliveryAttempt,
        resends: u32,
        retry_after_ms: Option<u64>,
        spread: u64,
    ) {
        if self.log.len() >= DELIVERY_LOG_MAX {
            self.log.remove(0);
        }
        self.log.push(attempt);
        self.attempts = self.attempts.saturating_add(1);
        if self.resends != resends || self.due_ms().is_none() {
            return;
        }
        self.round_attempts = self.round_attempts.saturating_add(1);
        // It began by a clock that was ahead, where it began after this attempt: the day counts
        // from here.
        self.began_ms = self.began_ms.min(attempt.at_ms);
        let now_ms = attempt.at_ms.saturating_add(attempt.took_ms);
        self.state = match attempt.outcome {
            Outcome::Status(200..=299) => DeliveryState::Delivered,
            Outcome::Status(410) => DeliveryState::Failed(Undelivered::Gone),
            Outcome::Status(_) | Outcome::Failed(_) => {
                self.after_failure(now_ms, retry_after_ms, spread)
            }
        };
    }

    fn after_failure(
        &self,
        now_ms: UnixMs,
        retry_after_ms: Option<u64>,
        spread: u64,
    ) -> DeliveryState {
        let ends_ms = self.began_ms.saturating_add(DELIVERY_MS_MAX);
        if now_ms >= ends_ms {
            return DeliveryState::Failed(Undelivered::Exhausted);
        }
        let tried = usize::try_from(self.round_attempts).unwrap_or(usize::MAX);
        let wait_ms = WAITS_MS[tried.saturating_sub(1).min(WAITS_MS.len() - 1)];
        let wait_ms = wait_ms + spread % (wait_ms / JITTER_DIVISOR);
        let wait_ms = wait_ms.max(retry_after_ms.unwrap_or(0));
        DeliveryState::Pending { due_ms: now_ms.saturating_add(wait_ms).min(ends_ms) }
    }
}

/// The account and receiver of a delivery, as numbers by which the deliverer shares its threads
/// out. Accounts, or receivers, that share a number by chance only share a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient {
    pub account: u32,
    pub receiver: u32,
}

impl Recipient {
    pub fn of(account: &str, url: &str) -> Recipient {
        let account = leading_bits(account) >> u32::BITS;
        Recipient::from_number(account << u32::BITS | receiver_of(url) & u64::from(u32::MAX))
    }

    /// Returns the one number that the outbox keeps.
    pub fn number(self) -> u64 {
        u64::from(self.account) << u32::BITS | u64::from(self.receiver)
    }

    /// Reads [`Recipient::number`]. Version 0.1.0 kept [`receiver_of`] instead: the receiver is the
    /// same, and the account one of its own.
    pub fn from_number(number: u64) -> Recipient {
        Recipient { account: (number >> u32::BITS) as u32, receiver: number as u32 }
    }
}

/// Returns a number for the receiver of a webhook: the same for all addresses with the same host
/// and port. Receivers that share one by chance only share a limit.
pub fn receiver_of(url: &str) -> u64 {
    let authority = url::Url::parse(url).ok().map(|url| {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_owned();
        format!("{host}:{}", url.port_or_known_default().unwrap_or_default())
    });
    leading_bits(&authority.unwrap_or_default())
}

/// Returns the first 64 bits of the SHA-256 of a text.
fn leading_bits(text: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(text).into();
    digest[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: UnixMs = 1_778_500_800_000;

    fn delivery() -> Delivery {
        Delivery::new(Subject::Job, "https://a.example/".to_owned(), START_MS)
    }

    fn attempt(at_ms: UnixMs, outcome: Outcome) -> DeliveryAttempt {
        DeliveryAttempt { at_ms, took_ms: 0, outcome }
    }

    #[test]
    fn waits_are_the_specifications_and_end_after_a_day() {
        let mut delivery = delivery();
        let mut times = Vec::new();
        while let Some(due_ms) = delivery.due_ms() {
            times.push((due_ms - START_MS) / 1000);
            delivery.note(attempt(due_ms, Outcome::Status(500)), 0, None, 0);
        }
        assert_eq!(times, [0, 5, 305, 2_105, 9_305, 27_305, 63_305, 86_400]);
        assert_eq!(delivery.state, DeliveryState::Failed(Undelivered::Exhausted));
        assert_eq!((delivery.attempts, delivery.log.len()), (8, 8));
    }

    #[test]
    fn a_delivery_from_a_clock_that_was_ahead_is_tried_now_and_for_a_day() {
        let year_ms = 365 * DELIVERY_MS_MAX;
        let mut delivery = Delivery::new(Subject::Job, String::new(), START_MS + year_ms);
        assert!(delivery.is_due(START_MS));
        let mut at_ms = START_MS;
        while delivery.due_ms().is_some() {
            assert!(at_ms <= START_MS + DELIVERY_MS_MAX);
            assert!(delivery.is_due(at_ms));
            delivery.note(attempt(at_ms, Outcome::Status(500)), 0, None, 0);
            at_ms = delivery.due_ms().unwrap_or(at_ms);
        }
        assert_eq!(delivery.attempts, 8);
    }

    #[test]
    fn jitter_adds_at_most_a_tenth_and_differs() {
        let due = |spread| {
            let mut delivery = delivery();
            delivery.note(attempt(START_MS, Outcome::Status(302)), 0, None, spread);
            delivery.due_ms().unwrap() - START_MS
        };
        let waits: std::collections::HashSet<u64> = (0..500).map(due).collect();
        assert!(waits.iter().all(|wait| (5_000..5_500).contains(wait)));
        assert!(waits.len() > 400);
    }

    #[test]
    fn a_receiver_can_take_it_end_it_and_put_it_off() {
        let after = |outcome, retry_after_ms| {
            let mut delivery = delivery();
            delivery.note(attempt(START_MS, outcome), 0, retry_after_ms, 0);
            delivery.state
        };
        assert_eq!(after(Outcome::Status(204), None), DeliveryState::Delivered);
        assert_eq!(after(Outcome::Status(410), None), DeliveryState::Failed(Undelivered::Gone));
        let due_ms = START_MS + 60_000;
        let late = DeliveryState::Pending { due_ms };
        assert_eq!(after(Outcome::Status(429), Some(60_000)), late);
        let early = DeliveryState::Pending { due_ms: START_MS + 5_000 };
        assert_eq!(after(Outcome::Status(503), Some(1_000)), early);
        let endless = DeliveryState::Pending { due_ms: START_MS + DELIVERY_MS_MAX };
        assert_eq!(after(Outcome::Status(503), Some(u64::MAX)), endless);
        assert_eq!(after(Outcome::Failed(SendFailure::Timeout), None), early);
    }

    #[test]
    fn an_attempt_from_before_a_resend_decides_nothing() {
        let mut delivery = delivery();
        delivery.send_again(START_MS + 10);
        delivery.note(attempt(START_MS, Outcome::Status(200)), 0, None, 0);
        assert_eq!(delivery.due_ms(), Some(START_MS + 10));
        delivery.note(attempt(START_MS + 10, Outcome::Status(200)), 1, None, 0);
        assert_eq!(delivery.state, DeliveryState::Delivered);
        assert_eq!((delivery.attempts, delivery.round_attempts, delivery.log.len()), (2, 1, 2));
    }

    #[test]
    fn the_log_keeps_the_latest() {
        let mut delivery = delivery();
        for at_ms in 0..30 {
            delivery.note(attempt(START_MS + at_ms, Outcome::Status(500)), 0, None, 0);
        }
        assert_eq!(delivery.log.len(), DELIVERY_LOG_MAX);
        assert_eq!(delivery.log.last().map(|last| last.at_ms), Some(START_MS + 29));
    }

    #[test]
    fn recipient_is_an_account_and_a_receiver() {
        let url = "https://a.example/x";
        let recipient = Recipient::of("a", url);
        assert_eq!(Recipient::from_number(recipient.number()), recipient);
        let other = Recipient::of("b", url);
        assert_eq!(
            (other.receiver, other.account == recipient.account),
            (recipient.receiver, false)
        );
        let before = Recipient::from_number(receiver_of(url));
        assert_eq!(before.receiver, recipient.receiver);
    }

    #[test]
    fn a_receiver_is_a_host_and_a_port() {
        let receiver = receiver_of("https://a.example/x");
        assert_eq!(receiver, receiver_of("https://A.example.:443/y?z"));
        for other in ["https://b.example/x", "https://a.example:444/x", "http://a.example/x"] {
            assert_ne!(receiver, receiver_of(other), "{other}");
        }
    }
}
