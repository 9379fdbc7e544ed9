//! The API keys that are in force: who holds one, and how often each may call. A reload puts
//! another ring in the place of this one; calls under way keep what they began with.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Caller, ServiceError};
use crate::clock::Clock;
use crate::config::{ANONYMOUS, Key, Settings};
use crate::rate::{RateLimit, SharedBudgets};

/// The keys after a reload.
pub struct ReloadedKeys {
    /// How many there are now.
    pub keys: usize,
    /// The names of those that are refused from now on.
    pub revoked: Vec<String>,
}

/// The keys of the settings, and the limits of those that have one.
pub(super) struct Keyring {
    keys: Vec<Key>,
    /// Whether a call without a key is refused.
    needed: bool,
    operators_read_jobs: bool,
    /// By account.
    limiters: HashMap<String, Arc<RateLimit>>,
}

impl Keyring {
    pub(crate) fn new(settings: &Settings, clock: &Clock) -> Keyring {
        let limiters = settings.keys.iter().filter_map(|key| limiter(key, None, clock)).collect();
        Keyring {
            keys: settings.keys.clone(),
            needed: settings.http.keys_needed,
            operators_read_jobs: settings.http.operators_read_jobs,
            limiters,
        }
    }

    /// Returns the ring of other settings. What an account has used of an unchanged limit stays
    /// used. A service that needs keys goes on to need them: only a start can open it, because only
    /// a start compares that with the address that is bound.
    pub(crate) fn reloaded(&self, settings: &Settings, clock: &Clock) -> Keyring {
        let limiters = settings.keys.iter();
        let limiters = limiters.filter_map(|key| limiter(key, Some(self), clock)).collect();
        let needed = self.needed || settings.http.keys_needed;
        let operators_read_jobs = settings.http.operators_read_jobs;
        Keyring { keys: settings.keys.clone(), needed, operators_read_jobs, limiters }
    }

    /// Makes the limits those of all processes that share the budgets.
    pub(super) fn share(&self, budgets: &Arc<dyn SharedBudgets>) {
        for (account, limit) in &self.limiters {
            limit.share(budgets.clone(), format!("key/{account}"));
        }
    }

    /// Returns all of them, in the order of the settings.
    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Returns whether a call without a key is refused.
    pub(crate) fn is_needed(&self) -> bool {
        self.needed
    }

    /// Returns the names of the keys that the other ring does not let in.
    pub(crate) fn not_in(&self, other: &Keyring) -> Vec<String> {
        let gone = self.keys.iter().filter(|key| !other.keys.iter().any(|it| it.hash == key.hash));
        gone.map(|key| key.name.clone()).collect()
    }

    /// Returns how many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns who holds this key. Keys are compared over their hashes, in constant time (contract
    /// 1.2).
    ///
    /// # Errors
    /// Returns an error if a key is needed and missing, or the given one is none of these.
    pub(crate) fn holder(&self, given: Option<&str>) -> Result<Caller, ServiceError> {
        let anonymous = Caller::plain(ANONYMOUS);
        let Some(given) = given.filter(|key| !key.is_empty()) else {
            return if self.needed { Err(ServiceError::KeyMissing) } else { Ok(anonymous) };
        };
        if self.keys.is_empty() && !self.needed {
            // Nothing to check it against: a client that always sends a key is welcome.
            return Ok(anonymous);
        }
        let hash: [u8; 32] = Sha256::digest(given.as_bytes()).into();
        // Every key is looked at, so that the time does not tell which one came close.
        let mut found = None;
        for key in &self.keys {
            if bool::from(key.hash.ct_eq(&hash)) {
                found = Some(key);
            }
        }
        found.map(|key| self.caller(key)).ok_or(ServiceError::KeyInvalid)
    }

    /// Returns the holder of an account's key; `None` if it has no key any more.
    pub(crate) fn caller_of(&self, account: &str) -> Option<Caller> {
        if account == ANONYMOUS && !self.needed {
            return Some(Caller::plain(account));
        }
        self.keys.iter().find(|key| key.name == account).map(|key| self.caller(key))
    }

    fn caller(&self, key: &Key) -> Caller {
        Caller::of(key, self.operators_read_jobs)
    }

    /// Returns the limit of an account; `None` when it has none.
    pub(crate) fn limit(&self, account: &str) -> Option<&RateLimit> {
        self.limiters.get(account).map(AsRef::as_ref)
    }
}

/// The limit of a key, with what is left of it in the ring before where it is the same.
fn limiter(key: &Key, before: Option<&Keyring>, clock: &Clock) -> Option<(String, Arc<RateLimit>)> {
    let per_minute = NonZeroU32::new(key.requests_per_minute?)?;
    let kept = before
        .and_then(|ring| ring.limiters.get(&key.name))
        .filter(|limit| limit.status().per_minute == per_minute.get());
    let limit = kept.cloned().unwrap_or_else(|| Arc::new(RateLimit::per_minute(per_minute, clock)));
    Some((key.name.clone(), limit))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::key_hash;

    fn settings(keys: &[(&str, u32)]) -> Settings {
        let mut settings = Settings::load_from(None, &BTreeMap::new()).unwrap();
        settings.http.keys_needed = !keys.is_empty();
        settings.keys = keys
            .iter()
            .map(|(name, per_minute)| Key {
                name: (*name).to_owned(),
                hash: key_hash(name),
                monthly_credits: None,
                requests_per_minute: Some(*per_minute),
                day_nanos_max: None,
                operator: false,
            })
            .collect();
        settings
    }

    #[test]
    fn a_limit_that_stays_keeps_what_was_used_of_it() {
        let (clock, _manual) = Clock::manual(1_000_000);
        let ring = Keyring::new(&settings(&[("a", 2), ("b", 2)]), &clock);
        for account in ["a", "b"] {
            ring.limit(account).unwrap().take().unwrap();
        }
        let ring = ring.reloaded(&settings(&[("a", 2), ("b", 9)]), &clock);
        assert_eq!(ring.limit("a").unwrap().status().left, 1);
        assert_eq!(ring.limit("b").unwrap().status().left, 9);
    }

    #[test]
    fn a_key_that_is_gone_is_named_by_the_ring_before() {
        let (clock, _manual) = Clock::manual(1_000_000);
        let ring = Keyring::new(&settings(&[("a", 2), ("b", 2)]), &clock);
        let next = ring.reloaded(&settings(&[("b", 9), ("c", 1)]), &clock);
        assert_eq!(ring.not_in(&next), ["a"]);
    }

    #[test]
    fn a_ring_without_keys_does_not_open_what_was_shut() {
        let (clock, _manual) = Clock::manual(1_000_000);
        let open = Keyring::new(&settings(&[]), &clock);
        assert!(open.holder(None).is_ok() && open.holder(Some("a")).is_ok());
        let shut = open.reloaded(&settings(&[("a", 2)]), &clock);
        assert!(matches!(shut.holder(None), Err(ServiceError::KeyMissing)));
        assert_eq!(shut.holder(Some("a")).unwrap().account, "a");
        let still = shut.reloaded(&settings(&[]), &clock);
        assert!(matches!(still.holder(None), Err(ServiceError::KeyMissing)));
        assert!(matches!(still.holder(Some("a")), Err(ServiceError::KeyInvalid)));
    }
}
