//! From settings to a registry: every upstream that has what it needs, by what it speaks; or one of
//! them alone.

use std::collections::HashMap;
use std::sync::Arc;

use super::http::{HttpUpstream, InvalidProxy};
use super::practice::PracticeUpstream;
use super::{Member, Registry, Upstream, providers};
use crate::clock::Clock;
use crate::config::{self, Settings};

/// Upstreams that take the place of the configured ones of the same name.
pub type Injected = HashMap<String, Arc<dyn Upstream>>;

/// The upstreams of all scrapers. `local_url` is where this server is reached from this machine:
/// the practice engine's page is there, unless its settings name another address.
///
/// # Errors
/// An upstream's proxy cannot be used.
pub fn connect(
    settings: &Settings,
    local_url: &str,
    mut injected: Injected,
    clock: &Clock,
) -> Result<Registry, InvalidProxy> {
    let mut members = Vec::new();
    for (name, configured) in &settings.upstreams {
        let upstream = match injected.remove(name) {
            Some(upstream) => upstream,
            None if configured.missing.is_some() => continue,
            None => open(configured, local_url, clock)?,
        };
        members.push(Member {
            upstream,
            in_flight_max: configured.in_flight_max,
            requests_per_minute: configured.requests_per_minute,
        });
    }
    let scrapers = settings.scrapers.values();
    let scrapers = scrapers.map(|scraper| (scraper.name.clone(), scraper.upstreams.clone()));
    Ok(Registry::new(members, scrapers, clock.clone()))
}

/// One upstream by itself, under its own name and without its limits: for a trial call.
///
/// # Errors
/// Its proxy cannot be used.
pub fn alone(
    configured: &config::Upstream,
    local_url: &str,
    clock: &Clock,
) -> Result<Registry, InvalidProxy> {
    let upstream = open(configured, local_url, clock)?;
    let member = Member { upstream, in_flight_max: None, requests_per_minute: None };
    let name = configured.name.clone();
    Ok(Registry::new(vec![member], [(name.clone(), vec![name])], clock.clone()))
}

fn open(
    configured: &config::Upstream,
    local_url: &str,
    clock: &Clock,
) -> Result<Arc<dyn Upstream>, InvalidProxy> {
    Ok(match providers::provider(configured) {
        Some(provider) => Arc::new(HttpUpstream::new(configured, provider, clock.clone())?),
        None => {
            let own = configured.base_url.is_empty();
            let base_url = if own { local_url } else { &configured.base_url };
            Arc::new(PracticeUpstream::new(
                configured.name.clone(),
                base_url.to_owned(),
                configured.timeout_seconds,
                clock.clone(),
            ))
        }
    })
}
