//! The one backup of the store that there can be: read by one reader, or parked for a while after
//! its reader has gone, so that another can go on with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use uuid::Uuid;

use crate::clock::{Clock, Stopwatch};
use crate::store::{BackupSource, StoreError};

/// How long a backup is kept for a reader that comes back, milliseconds: it keeps the database from
/// using the pages again that it has freed since.
pub(super) const PARKED_MS_MAX: u64 = 600_000;

/// The place of the backup that there can be.
#[derive(Clone)]
pub(super) struct BackupSlot {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// How many readers there have been.
    readers: u64,
    /// Whether the service stops, and keeps nothing any more.
    is_closed: bool,
}

struct Held {
    id: Uuid,
    source: Arc<Mutex<BackupSource>>,
    /// The number of the reader that it is for. One of before reads no more.
    reader: u64,
    /// Where its reader has gone. The thread that waits to drop it ends when this is dropped.
    parked: Option<Sender<()>>,
}

/// The reader of the backup. It is parked when this is dropped before its end.
pub(super) struct BackupReader {
    pub id: Uuid,
    slot: BackupSlot,
    source: Arc<Mutex<BackupSource>>,
    reader: u64,
}

/// The reason why a reader gets no block.
pub(super) enum ReadError {
    /// Another reader has gone on with the backup, or it is kept no more.
    Ended,
    Store(StoreError),
}

impl BackupSlot {
    pub(super) fn new(clock: &Clock) -> BackupSlot {
        BackupSlot { clock: clock.clone(), state: Arc::default() }
    }

    /// Returns whether a reader reads a backup.
    pub(super) fn is_read(&self) -> bool {
        self.state().held.as_ref().is_some_and(|held| held.parked.is_none())
    }

    /// Returns whether there is a backup, read or parked.
    #[cfg(test)]
    pub(super) fn is_kept(&self) -> bool {
        self.state().held.is_some()
    }

    /// Begins a backup, in the place of one that is parked; `None` if another is read.
    pub(super) fn begin(&self, id: Uuid, source: BackupSource) -> Option<BackupReader> {
        let mut state = self.state();
        if state.held.as_ref().is_some_and(|held| held.parked.is_none()) {
            return None;
        }
        let source = Arc::new(Mutex::new(source));
        state.readers += 1;
        let reader = state.readers;
        state.held = Some(Held { id, source: source.clone(), reader, parked: None });
        Some(BackupReader { id, slot: self.clone(), source, reader })
    }

    /// Goes on with the backup of an id from a block on, in the place of the reader that it has;
    /// `None` if it is not there, or has not come that far.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read.
    pub(super) fn resume(&self, id: Uuid, block: u64) -> Result<Option<BackupReader>, StoreError> {
        let reader = {
            let mut state = self.state();
            state.readers += 1;
            let reader = state.readers;
            let Some(held) = state.held.as_mut().filter(|held| held.id == id) else {
                return Ok(None);
            };
            held.reader = reader;
            held.parked = None;
            BackupReader { id, slot: self.clone(), source: held.source.clone(), reader }
        };
        let found = lock(&reader.source).go_to(block)?;
        Ok(found.then_some(reader))
    }

    /// Drops a backup that is parked, and keeps none from now on.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.held.take_if(|held| held.parked.is_some());
    }

    /// Keeps the backup of a reader that has gone, for a while.
    fn park(&self, reader: u64) {
        let mut state = self.state();
        let is_closed = state.is_closed;
        let Some(held) = state.held.as_mut().filter(|held| held.reader == reader) else { return };
        let (resumed, ended) = crossbeam_channel::bounded(0);
        held.parked = Some(resumed);
        let (slot, since) = (self.clone(), self.clock.stopwatch());
        let thread = std::thread::Builder::new().name("parked-backup".to_owned());
        // Without a thread that drops it, it is not kept.
        if is_closed || thread.spawn(move || slot.drop_later(reader, &since, &ended)).is_err() {
            state.held = None;
        } else {
            tracing::info!(seconds = PARKED_MS_MAX / 1000, "a backup is kept for its reader");
        }
    }

    fn drop_later(&self, reader: u64, parked: &Stopwatch, ended: &Receiver<()>) {
        loop {
            let left_ms = PARKED_MS_MAX.saturating_sub(parked.elapsed_ms());
            if left_ms == 0 {
                if self.state().held.take_if(|held| held.reader == reader).is_some() {
                    tracing::info!("the reader of a backup has not come back");
                }
                return;
            }
            let at_ms = self.clock.now_ms().saturating_add(left_ms);
            match self.clock.recv_until(ended, Some(at_ms)) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl BackupReader {
    /// Returns the next bytes, or `None` behind the last.
    pub(super) fn next_block(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        let mut source = lock(&self.source);
        // Under the lock of the source, which another reader takes before it moves it.
        if self.slot.state().held.as_ref().is_none_or(|held| held.reader != self.reader) {
            return Err(ReadError::Ended);
        }
        let block = source.next_block();
        if !matches!(block, Ok(Some(_))) {
            self.slot.state().held.take_if(|held| held.reader == self.reader);
        }
        block.map_err(ReadError::Store)
    }
}

impl Drop for BackupReader {
    fn drop(&mut self) {
        self.slot.park(self.reader);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A source that panicked reads on from where it was, and each block has its checksum.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
