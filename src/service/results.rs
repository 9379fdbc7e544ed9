//! The use cases of exports: results in the order in which they were done.

use uuid::Uuid;

use super::{Service, ServiceError};
use crate::store::{CompletedPage, ResultCursor, ResultFilter};

impl Service {
    /// Returns the number of the job that was done last; `None` if none was.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub async fn last_completion(&self) -> Result<Option<u64>, ServiceError> {
        Ok(self.store.last_completion().await?)
    }

    /// Reads a page of the jobs that are done, with the numbers from `from` to `until`. Blocks its
    /// thread for as long as it takes to look at them.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn completed(
        &self,
        filter: &ResultFilter,
        from: u64,
        until: u64,
    ) -> Result<CompletedPage, ServiceError> {
        Ok(self.store.completed(filter, from, until, self.clock.now_ms())?)
    }

    /// Returns a cursor of an export as clients see it.
    pub fn result_cursor_text(&self, cursor: ResultCursor) -> String {
        self.store.result_cursor_id(cursor).simple().to_string()
    }

    /// Returns the cursor of an export that a client has sent back; `None` when it is none of ours.
    pub fn result_cursor(&self, text: &str) -> Option<ResultCursor> {
        Uuid::try_parse(text).ok().and_then(|id| self.store.result_cursor(id))
    }
}
