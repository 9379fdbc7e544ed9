//! What the jobs of each account have cost today, and how much they may: the caps of keys. Those of
//! upstreams are theirs.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::lock::lock;
use crate::clock::{UnixMs, next_day_ms};
use crate::config::Key;
use crate::store::{Blocking, Store, StoreError};
use crate::upstream::{DaySpend, Registry};

/// The accounts that have spent something today, and the caps of those that have one. Accounts are
/// keys of the settings, so there are no more than those, and few that a reload has removed.
#[derive(Default)]
pub struct Ledger {
    spent: Mutex<HashMap<String, DaySpend>>,
    /// Nanodollars in a day, by account.
    caps: Mutex<HashMap<String, u64>>,
    /// Whether there is any cap: most services have none, and look no further.
    capped: AtomicBool,
}

/// An account that has spent what it may in a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapReached {
    pub cap_nanos: u64,
    /// The time until midnight (UTC), milliseconds.
    pub wait_ms: u64,
}

impl Ledger {
    /// Creates a ledger that goes on with what the store has of the present day, and lets the
    /// upstreams go on with theirs.
    pub(super) fn restored(store: &Store, upstreams: &Registry, now_ms: UnixMs) -> Ledger {
        let ledger = Ledger::default();
        if let Err(error) = ledger.read(store, upstreams, now_ms) {
            tracing::error!(%error, "what was spent today could not be read; caps start from zero");
        }
        upstreams.restore_models(store.models().unwrap_or_else(|error| {
            tracing::error!(%error, "the models of upstreams could not be read");
            Vec::new()
        }));
        ledger
    }

    /// Takes over what the store has of the present day, for the upstreams too: what all processes
    /// have spent. What this one has not written yet stays counted.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub(super) fn read(
        &self,
        store: &Store,
        upstreams: &Registry,
        now_ms: UnixMs,
    ) -> Result<(), StoreError> {
        let rows = store.spend(None, now_ms, now_ms).wait()?;
        let (mut of_accounts, mut of_upstreams) = (HashMap::new(), HashMap::new());
        let add = |sum: &mut u64, nanos| *sum = sum.saturating_add(nanos);
        for row in &rows {
            add(of_accounts.entry(row.account.as_str()).or_default(), row.spend.nano_usd);
            add(of_upstreams.entry(row.upstream.as_str()).or_default(), row.spend.nano_usd);
        }
        for (upstream, nanos) in of_upstreams {
            upstreams.raise_spend(upstream, now_ms, nanos);
        }
        let mut spent = lock(&self.spent);
        for (account, nanos) in of_accounts {
            spent.entry(account.to_owned()).or_default().raise(now_ms, nanos);
        }
        Ok(())
    }

    /// Puts the caps of these keys in the place of those before.
    pub fn set_caps(&self, keys: &[Key]) {
        let caps: HashMap<String, u64> =
            keys.iter().filter_map(|key| Some((key.name.clone(), key.day_nanos_max?))).collect();
        let any = !caps.is_empty();
        *lock(&self.caps) = caps;
        self.capped.store(any, Ordering::Release);
    }

    /// Adds what a job of an account has cost.
    pub fn add(&self, account: &str, at_ms: UnixMs, nanos: u64) {
        lock(&self.spent).entry(account.to_owned()).or_default().add(at_ms, nanos);
    }

    /// Returns what the jobs of an account have cost on the day of `now_ms`, nanodollars.
    pub fn nanos(&self, account: &str, now_ms: UnixMs) -> u64 {
        lock(&self.spent).get(account).map_or(0, |spent| spent.nanos(now_ms))
    }

    /// Returns the cap of an account, nanodollars in a day.
    pub fn cap_nanos(&self, account: &str) -> Option<u64> {
        lock(&self.caps).get(account).copied()
    }

    /// Checks the cap of an account, if it has one.
    ///
    /// # Errors
    /// Returns an error if the account has reached it.
    pub fn check(&self, account: &str, now_ms: UnixMs) -> Result<(), CapReached> {
        if !self.capped.load(Ordering::Acquire) {
            return Ok(());
        }
        let cap = lock(&self.caps).get(account).copied();
        match cap {
            Some(cap_nanos) if self.nanos(account, now_ms) >= cap_nanos => {
                Err(CapReached { cap_nanos, wait_ms: next_day_ms(now_ms) - now_ms })
            }
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-05-11T12:00:00Z.
    const NOON_MS: UnixMs = 1_778_500_800_000;
    const HALF_DAY_MS: u64 = 43_200_000;

    fn key(name: &str, day_nanos_max: Option<u64>) -> Key {
        Key {
            name: name.to_owned(),
            hash: [0; 32],
            monthly_credits: None,
            requests_per_minute: None,
            day_nanos_max,
            operator: false,
        }
    }

    #[test]
    fn cap_holds_until_midnight_utc_and_follows_a_reload() {
        let ledger = Ledger::default();
        ledger.add("a", NOON_MS, 1_000);
        assert_eq!(ledger.check("a", NOON_MS), Ok(()), "no key has a cap");
        ledger.set_caps(&[key("a", Some(1_001)), key("b", None)]);
        assert_eq!(ledger.check("a", NOON_MS), Ok(()));
        ledger.add("a", NOON_MS, 1);
        ledger.add("b", NOON_MS, 5_000);
        let reached = CapReached { cap_nanos: 1_001, wait_ms: HALF_DAY_MS };
        assert_eq!(ledger.check("a", NOON_MS), Err(reached));
        assert_eq!(ledger.check("b", NOON_MS), Ok(()));
        assert_eq!(ledger.check("a", NOON_MS + HALF_DAY_MS), Ok(()));
        ledger.set_caps(&[key("a", Some(2_000)), key("b", Some(1))]);
        assert_eq!(ledger.check("a", NOON_MS), Ok(()));
        assert!(ledger.check("b", NOON_MS).is_err());
        assert_eq!(ledger.nanos("a", NOON_MS), 1_001);
    }
}
