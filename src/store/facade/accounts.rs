//! What accounts have reserved, used and spent.

use super::backend::{Backend, ask};
use crate::clock::UnixMs;
use crate::store::{Credits, DailyUsage, SpendRow, Store, StoreError};

impl Store {
    /// Returns what an account has reserved and used in a calendar month.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub async fn credits(&self, account: &str, month: u32) -> Result<Credits, StoreError> {
        ask!(self.backend, store => store.credits(account, month).await)
    }

    /// Returns an account's use on the days (UTC) from that of `from_ms` to that of `to_ms`, both
    /// included, oldest first; those on which it used nothing are left out.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub async fn usage(
        &self,
        account: &str,
        from_ms: UnixMs,
        to_ms: UnixMs,
    ) -> Result<Vec<DailyUsage>, StoreError> {
        ask!(self.backend, store => store.usage(account, from_ms, to_ms).await)
    }

    /// Returns what was spent on the days (UTC) from that of `from_ms` to that of `to_ms`, both
    /// included, oldest first; of one account, or of all.
    ///
    /// # Errors
    /// Returns an error if the store failed or is damaged.
    pub async fn spend(
        &self,
        account: Option<&str>,
        from_ms: UnixMs,
        to_ms: UnixMs,
    ) -> Result<Vec<SpendRow>, StoreError> {
        ask!(self.backend, store => store.spend(account, from_ms, to_ms).await)
    }
}
