//! Whether a backup of the store is under way: there is one at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The one place that a backup can have.
#[derive(Clone, Default)]
pub(super) struct BackupSlot(Arc<AtomicBool>);

/// The place of a backup under way, free again when it is dropped.
pub(super) struct BackupPlace(BackupSlot);

impl BackupSlot {
    /// Takes the place; `None` if it is taken.
    pub(crate) fn enter(&self) -> Option<BackupPlace> {
        let is_taken = self.0.swap(true, Ordering::AcqRel);
        (!is_taken).then(|| BackupPlace(self.clone()))
    }
}

impl Drop for BackupPlace {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Release);
    }
}
