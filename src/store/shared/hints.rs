//! What one node tells the others of its commits: hints, which may be lost. The rows are the truth,
//! and are looked at all the same.

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokio::sync::Notify;

use super::nodes::NodeNumber;
use crate::clock::UnixMs;
use crate::store::Row;
use crate::store::effects::Effect;

/// The most hints that wait to be sent. What is one too many is found by the others' looks.
const WAITING_MAX: usize = 65_536;
/// The most hints of one message: PostgreSQL takes less than 8,000 bytes.
pub(super) const MESSAGE_HINTS_MAX: usize = 600;
/// The bytes of a hint: its kind, a scraper, and a row.
const HINT_BYTES: usize = 9;
/// The bytes of a row number.
const ROW_BYTES: usize = 6;

/// What is due within this time the others hear at once, milliseconds: each looks once a second
/// for what is due later.
const DUE_WITHIN_MS: u64 = 2_000;

/// A hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hint {
    Ended {
        scraper: u16,
        row: Row,
    },
    /// An attempt of a job has started, or the next one waits.
    Moved {
        row: Row,
    },
    BatchEnded {
        row: Row,
    },
    /// Jobs are due that no process has.
    Open {
        scraper: u16,
    },
    /// A job that had ended was deleted or changed.
    Gone {
        row: Row,
    },
    /// A job fails at this moment unless it has started.
    Deadline {
        at_ms: UnixMs,
    },
    /// A slot of a schedule is due at this moment.
    Slot {
        at_ms: UnixMs,
    },
    /// An alert is to be evaluated at this moment.
    Alert {
        at_ms: UnixMs,
    },
}

impl Hint {
    /// Returns what other nodes should know of an effect of a commit at `now_ms`.
    fn of(effect: &Effect, now_ms: UnixMs) -> Option<Hint> {
        let soon = |at_ms: UnixMs| Some(at_ms).filter(|at_ms| *at_ms <= now_ms + DUE_WITHIN_MS);
        match *effect {
            Effect::Ended { scraper, row } => Some(Hint::Ended { scraper, row }),
            Effect::Started { row } => Some(Hint::Moved { row }),
            // No caller waits yet for one that has just been submitted.
            Effect::Ready { row, due_ms, .. } => (due_ms > now_ms).then_some(Hint::Moved { row }),
            Effect::BatchEnded { row } => Some(Hint::BatchEnded { row }),
            Effect::Open { scraper } => Some(Hint::Open { scraper }),
            Effect::Deadline { at_ms } => soon(at_ms).map(|at_ms| Hint::Deadline { at_ms }),
            Effect::Slot { due_ms } => soon(due_ms).map(|at_ms| Hint::Slot { at_ms }),
            Effect::Alert { due_ms } => soon(due_ms).map(|at_ms| Hint::Alert { at_ms }),
            // A worker or the deliverer of this node sees to it; where it does not, the others find
            // that by a look.
            Effect::Taken { .. }
            | Effect::Delivery { .. }
            | Effect::Counted { .. }
            | Effect::Cached { .. } => None,
        }
    }

    /// Returns whether this says as much as a hint of the same kind that names a later moment.
    fn stands_for(self, later: Hint) -> bool {
        match (self, later) {
            (Hint::Deadline { .. }, Hint::Deadline { .. })
            | (Hint::Slot { .. }, Hint::Slot { .. })
            | (Hint::Alert { .. }, Hint::Alert { .. }) => true,
            (first, second) => first == second,
        }
    }

    /// Returns the effect that a hint of another node has on this one; what is gone has none.
    pub(super) fn effect(self) -> Option<Effect> {
        match self {
            Hint::Ended { scraper, row } => Some(Effect::Ended { scraper, row }),
            Hint::Moved { row } => Some(Effect::Started { row }),
            Hint::BatchEnded { row } => Some(Effect::BatchEnded { row }),
            Hint::Open { scraper } => Some(Effect::Open { scraper }),
            Hint::Deadline { at_ms } => Some(Effect::Deadline { at_ms }),
            Hint::Slot { at_ms } => Some(Effect::Slot { due_ms: at_ms }),
            Hint::Alert { at_ms } => Some(Effect::Alert { due_ms: at_ms }),
            Hint::Gone { .. } => None,
        }
    }

    /// Returns the row of a job that is gone.
    pub(super) fn gone(self) -> Option<Row> {
        match self {
            Hint::Gone { row } => Some(row),
            Hint::Ended { .. }
            | Hint::Moved { .. }
            | Hint::BatchEnded { .. }
            | Hint::Open { .. }
            | Hint::Deadline { .. }
            | Hint::Slot { .. }
            | Hint::Alert { .. } => None,
        }
    }

    fn encode(self, bytes: &mut Vec<u8>) {
        let (kind, scraper, row) = match self {
            Hint::Ended { scraper, row } => (0, scraper, row),
            Hint::Moved { row } => (1, 0, row),
            Hint::BatchEnded { row } => (2, 0, row),
            Hint::Open { scraper } => (3, scraper, 0),
            Hint::Gone { row } => (4, 0, row),
            // Times fit where rows do for some thousands of years.
            Hint::Deadline { at_ms } => (5, 0, at_ms),
            Hint::Slot { at_ms } => (6, 0, at_ms),
            Hint::Alert { at_ms } => (7, 0, at_ms),
        };
        bytes.push(kind);
        bytes.extend_from_slice(&scraper.to_be_bytes());
        bytes.extend_from_slice(&row.to_be_bytes()[8 - ROW_BYTES..]);
    }

    /// Reads a hint; `None` for one of a later version.
    fn decode(bytes: &[u8]) -> Option<Hint> {
        let (kind, rest) = bytes.split_first()?;
        let (scraper, row) = rest.split_first_chunk::<2>()?;
        let scraper = u16::from_be_bytes(*scraper);
        let row = row.iter().fold(0, |row, byte| (row << 8) | Row::from(*byte));
        match kind {
            0 => Some(Hint::Ended { scraper, row }),
            1 => Some(Hint::Moved { row }),
            2 => Some(Hint::BatchEnded { row }),
            3 => Some(Hint::Open { scraper }),
            4 => Some(Hint::Gone { row }),
            5 => Some(Hint::Deadline { at_ms: row }),
            6 => Some(Hint::Slot { at_ms: row }),
            7 => Some(Hint::Alert { at_ms: row }),
            _ => None,
        }
    }
}

/// The hints that a node has sent together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HintMessage {
    pub node: NodeNumber,
    /// When it was sent, by a clock of the node's own, microseconds.
    pub sent_us: u64,
    pub hints: Vec<Hint>,
}

/// Writes the hints of a node as a message.
pub(super) fn encode(node: NodeNumber, sent_us: u64, hints: &[Hint]) -> String {
    let mut bytes = node.0.to_be_bytes().to_vec();
    bytes.extend_from_slice(&sent_us.to_be_bytes());
    hints.iter().for_each(|hint| hint.encode(&mut bytes));
    STANDARD_NO_PAD.encode(bytes)
}

/// Reads a message; `None` if it is none.
pub(super) fn decode(message: &str) -> Option<HintMessage> {
    let bytes = STANDARD_NO_PAD.decode(message).ok()?;
    let (node, rest) = bytes.split_first_chunk::<4>()?;
    let (sent_us, hints) = rest.split_first_chunk::<8>()?;
    let hints = hints.chunks_exact(HINT_BYTES).filter_map(Hint::decode).collect();
    let node = NodeNumber(i32::from_be_bytes(*node));
    Some(HintMessage { node, sent_us: u64::from_be_bytes(*sent_us), hints })
}

/// The hints that wait to be sent.
#[derive(Default)]
pub(super) struct HintQueue {
    waiting: Mutex<Vec<Hint>>,
    added: Notify,
}

impl HintQueue {
    /// Adds those of a commit at `now_ms`.
    pub(super) fn add(&self, effects: impl IntoIterator<Item = Effect>, now_ms: UnixMs) {
        self.push(effects.into_iter().filter_map(|effect| Hint::of(&effect, now_ms)));
    }

    /// Adds that jobs are gone.
    pub(super) fn add_gone(&self, rows: &[Row]) {
        self.push(rows.iter().map(|row| Hint::Gone { row: *row }));
    }

    fn push(&self, hints: impl Iterator<Item = Hint>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let room = WAITING_MAX.saturating_sub(waiting.len());
        let before = waiting.len();
        waiting.extend(hints.take(room));
        if waiting.len() > before {
            self.added.notify_one();
        }
    }

    /// Waits until there are some. It may also return when there are none.
    pub(super) async fn added(&self) {
        self.added.notified().await;
    }

    /// Takes all that wait, each once, and of what is due the earliest of each kind.
    pub(super) fn take(&self) -> Vec<Hint> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = std::mem::take(&mut *waiting);
        drop(waiting);
        taken.sort_unstable();
        taken.dedup_by(|later, first| first.stands_for(*later));
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_read_as_they_were_written_and_fit_into_a_message() {
        let row = (1 << 48) - 2;
        let hints = [
            Hint::Ended { scraper: 300, row },
            Hint::Moved { row: 5 },
            Hint::BatchEnded { row },
            Hint::Open { scraper: u16::MAX },
            Hint::Gone { row },
            Hint::Deadline { at_ms: 1_778_500_800_000 },
            Hint::Slot { at_ms: 0 },
            Hint::Alert { at_ms: row },
        ];
        let (node, sent_us) = (NodeNumber(7), u64::MAX);
        let message = encode(node, sent_us, &hints);
        let sent = HintMessage { node, sent_us, hints: hints.to_vec() };
        assert_eq!(decode(&message), Some(sent));
        let longest = encode(node, sent_us, &[hints[0]; MESSAGE_HINTS_MAX]);
        assert!(longest.len() < 8_000);
        assert_eq!((decode("?"), decode("")), (None, None));
        let mut later = vec![0; 21];
        (later[3], later[12]) = (1, 9);
        let nothing = HintMessage { node: NodeNumber(1), sent_us: 0, hints: vec![] };
        assert_eq!(decode(&STANDARD_NO_PAD.encode(later)), Some(nothing));
    }

    #[test]
    fn hint_is_taken_once_and_those_that_are_too_many_are_left_out() {
        let queue = HintQueue::default();
        let effects = [
            Effect::Open { scraper: 1 },
            Effect::Ready { scraper: 1, row: 4, due_ms: 10, interactive: false },
            Effect::Ready { scraper: 1, row: 5, due_ms: 11, interactive: false },
        ];
        queue.add(effects.clone(), 10);
        queue.add(effects, 10);
        assert_eq!(queue.take(), [Hint::Moved { row: 5 }, Hint::Open { scraper: 1 }]);
        assert_eq!(queue.take(), []);
        let due =
            [9, 10 + DUE_WITHIN_MS, 11 + DUE_WITHIN_MS, 8].map(|due_ms| Effect::Slot { due_ms });
        let later = [Effect::Alert { due_ms: 20_000 }, Effect::Deadline { at_ms: 12 }];
        queue.add(due.into_iter().chain(later), 10);
        assert_eq!(queue.take(), [Hint::Deadline { at_ms: 12 }, Hint::Slot { at_ms: 8 }]);
        queue.add((0..=WAITING_MAX as Row).map(|row| Effect::Started { row }), 0);
        assert_eq!(queue.take().len(), WAITING_MAX);
    }
}
