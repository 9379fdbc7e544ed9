//! Moving a store from a file to a database.

use std::path::Path;

use crate::clock::Clock;
use crate::config::SharedStoreSettings;
use crate::store::embedded::MoveSource;
use crate::store::shared::{MovedStore, take_over};
use crate::store::{MoveReport, Store, StoreError};

impl Store {
    /// Moves the store of a stopped service to the shared one of the settings, which is made when
    /// it is not there: all of it or, after an error, nothing. The ids stay valid, and the file
    /// stays as it is. Jobs that ran are run again. `seen` is called with how many rows were
    /// written. Blocks.
    ///
    /// # Errors
    /// Returns an error if the store in the directory cannot be read, the shared one is in use or
    /// has had jobs, or the database fails.
    pub fn move_to_shared(
        directory: &Path,
        settings: &SharedStoreSettings,
        clock: &Clock,
        seen: &mut dyn FnMut(u64),
    ) -> Result<MoveReport, StoreError> {
        let source = MoveSource::open(directory)?;
        let store = MovedStore { id_key: source.id_key, scrapers: source.scrapers.clone() };
        take_over(settings, clock, store, |visit| source.visit_all(visit), seen)
    }
}
