//! What follows from a committed write, and who hears of it.

use super::StoreError;
use super::nodes::NodeNews;
use super::row::Row;

/// An effect of a committed write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A job waits for a worker from `due_ms` on.
    Ready { scraper: u16, row: Row, due_ms: u64, interactive: bool },
    /// A new job is for a worker of this process, which is idle.
    Taken { scraper: u16, row: Row, interactive: bool },
    /// Jobs of a scraper are due that no process has, as another one has found or left them.
    Open { scraper: u16 },
    /// A job fails at this moment unless it has started.
    Deadline { at_ms: u64 },
    /// A slot of a schedule is due at this moment.
    Slot { due_ms: u64 },
    /// An alert is to be evaluated at this moment.
    Alert { due_ms: u64 },
    /// A webhook is to be sent at this moment.
    Delivery { due_ms: u64 },
    /// An attempt of a job has started.
    Started { row: Row },
    /// A job has ended or has ceased to exist.
    Ended { scraper: u16, row: Row },
    /// The last job of a batch has ended.
    BatchEnded { row: Row },
    /// A job was counted into the day's use.
    Counted { scraper: u16, what: UsageEvent },
    /// A result may serve identical requests.
    Cached { hash: u128, stored_ms: u64, row: Row },
}

/// An event that the usage counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageEvent {
    /// It came.
    Submitted,
    Done,
    /// It is done with an answer that the cache had.
    Cached,
    /// It failed, or expired before it could end.
    Failed,
    Canceled,
}

/// The rows that callers and attempts of a process wait for.
#[derive(Clone, Debug, Default)]
pub struct WaitedFor {
    /// Jobs and batches whose ends are waited for.
    pub ends: Vec<Row>,
    /// Jobs whose next transitions are waited for.
    pub moves: Vec<Row>,
    /// Jobs that attempts run of, by their scrapers.
    pub running: Vec<(u16, Row)>,
}

/// A listener to every commit's effects. Called on the writer's thread: must be quick and must not
/// write.
pub trait Listener: Send + Sync {
    /// What a commit has brought about, in order.
    fn committed(&self, effects: &[Effect]);
    /// The store refuses every write until it has recovered.
    fn failed(&self, error: &StoreError);
    /// What is waited for: other processes may end it, and their word may be lost.
    fn waited_for(&self) -> WaitedFor {
        WaitedFor::default()
    }
    /// Returns how many more jobs of a scraper, which a client waits for or not, workers of this
    /// process can begin at once.
    fn idle_workers(&self, _scraper: u16, _interactive: bool) -> usize {
        0
    }
    /// What other processes should know of this one.
    fn news(&self) -> NodeNews {
        NodeNews::default()
    }
}
