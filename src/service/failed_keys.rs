//! Counts wrong keys by address: one that tries many is told to slow down for the rest of its
//! minute. Right keys pass, for somebody else may call from the same address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::ServiceError;
use crate::clock::Clock;

/// The most networks that are remembered; beyond it, the one that is forgotten next makes room.
const NETWORKS_MAX: usize = if cfg!(test) { 4 } else { 16_384 };
/// How long wrong keys count, milliseconds.
const WINDOW_MS: u64 = 60_000;
/// The bits of an IPv6 address that tell customers of a provider apart (RFC 6177).
const IPV6_NETWORK_BITS: u32 = 64;

/// Wrong keys by the network that they came from.
pub(super) struct FailedKeys {
    /// The most of one network in a minute; 0 does not count them.
    per_minute: u32,
    clock: Clock,
    origin: Instant,
    by_network: Mutex<HashMap<IpAddr, FailureWindow>>,
    /// How many networks there are, for a look without the lock.
    networks: AtomicUsize,
}

#[derive(Clone, Copy)]
struct FailureWindow {
    since_ms: u64,
    failures: u32,
}

impl FailedKeys {
    pub(crate) fn new(per_minute: u32, clock: &Clock) -> FailedKeys {
        FailedKeys {
            per_minute,
            clock: clock.clone(),
            origin: clock.instant(),
            by_network: Mutex::default(),
            networks: AtomicUsize::new(0),
        }
    }

    /// Checks whether one more wrong key from this address may be answered as such.
    ///
    /// # Errors
    /// Returns an error if too many from there were wrong in the last minute.
    pub(crate) fn check_allowed(&self, from: Option<IpAddr>) -> Result<(), ServiceError> {
        let Some(network) = self.counted(from) else { return Ok(()) };
        if self.networks.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        let now_ms = self.clock.monotonic_ms(self.origin);
        let by_network = self.by_network();
        match by_network.get(&network).map(|window| (window, window.left_ms(now_ms))) {
            Some((window, left_ms)) if left_ms > 0 && window.failures >= self.per_minute => {
                Err(ServiceError::TooManyInvalidKeys {
                    retry_after_seconds: left_ms.div_ceil(1000),
                })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Notes a wrong key.
    pub(crate) fn note(&self, from: Option<IpAddr>) {
        let Some(network) = self.counted(from) else { return };
        let now_ms = self.clock.monotonic_ms(self.origin);
        let mut by_network = self.by_network();
        if by_network.len() >= NETWORKS_MAX && !by_network.contains_key(&network) {
            by_network.retain(|_, window| window.left_ms(now_ms) > 0);
        }
        if by_network.len() >= NETWORKS_MAX && !by_network.contains_key(&network) {
            let next = by_network.iter().min_by_key(|(_, window)| window.since_ms);
            if let Some(next) = next.map(|(network, _)| *network) {
                by_network.remove(&next);
            }
        }
        let fresh = FailureWindow { since_ms: now_ms, failures: 0 };
        let window = by_network.entry(network).or_insert(fresh);
        if window.left_ms(now_ms) == 0 {
            *window = fresh;
        }
        window.failures = window.failures.saturating_add(1);
        self.networks.store(by_network.len(), Ordering::Relaxed);
    }

    /// What an address is counted under. Calls from this machine are not counted: behind
    /// a proxy that is not known to be one, that would be everybody.
    fn counted(&self, from: Option<IpAddr>) -> Option<IpAddr> {
        let address = from.map(|from| from.to_canonical())?;
        if self.per_minute == 0 || address.is_loopback() {
            return None;
        }
        Some(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => {
                let mask = u128::MAX << (u128::BITS - IPV6_NETWORK_BITS);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        })
    }

    fn by_network(&self) -> MutexGuard<'_, HashMap<IpAddr, FailureWindow>> {
        // No entry is ever half written.
        self.by_network.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FailureWindow {
    fn left_ms(&self, now_ms: u64) -> u64 {
        (self.since_ms + WINDOW_MS).saturating_sub(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_network_is_slowed_down_for_the_rest_of_its_minute() {
        let (clock, manual) = Clock::manual(1_000_000);
        let failed = FailedKeys::new(2, &clock);
        let other_host = address("2001:db8:0:1::2");
        failed.note(address("2001:db8:0:1::1"));
        failed.check_allowed(other_host).unwrap();
        manual.advance_ms(20_000);
        failed.note(other_host);
        let refused = failed.check_allowed(address("2001:db8:0:1::3")).unwrap_err();
        let ServiceError::TooManyInvalidKeys { retry_after_seconds: 40 } = refused else {
            panic!("{refused:?}");
        };
        failed.check_allowed(address("2001:db8:0:2::1")).unwrap();
        manual.advance_ms(40_000);
        failed.check_allowed(other_host).unwrap();
        failed.note(other_host);
        failed.check_allowed(other_host).unwrap();
    }

    #[test]
    fn an_address_is_the_same_in_both_notations_and_this_machine_is_not_counted() {
        let (clock, _manual) = Clock::manual(1_000_000);
        let failed = FailedKeys::new(1, &clock);
        for own in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            failed.note(address(own));
            failed.check_allowed(address(own)).unwrap();
        }
        failed.note(address("::ffff:203.0.113.7"));
        assert!(failed.check_allowed(address("203.0.113.7")).is_err());
        let off = FailedKeys::new(0, &clock);
        off.note(address("203.0.113.7"));
        off.check_allowed(address("203.0.113.7")).unwrap();
    }

    #[test]
    fn the_memory_of_it_is_bounded() {
        let (clock, manual) = Clock::manual(1_000_000);
        let failed = FailedKeys::new(1, &clock);
        for host in 0..=NETWORKS_MAX {
            failed.note(address(&format!("203.0.113.{host}")));
            manual.advance_ms(1);
        }
        assert_eq!(failed.by_network().len(), NETWORKS_MAX);
        failed.check_allowed(address("203.0.113.0")).unwrap();
        assert!(failed.check_allowed(address("203.0.113.1")).is_err());
        manual.advance_ms(WINDOW_MS);
        failed.note(address("203.0.113.99"));
        assert_eq!(failed.by_network().len(), 1);
    }
}
